"""``python -m bench [--write]``: every benchmark in one run, each in a process of its own, and one table.

With ``--write`` the table also goes to ``docs/bench.md``.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

from bench.report import Figure, table

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "bench.md"
PICTURE = "![Processor seconds against the number of pods, on logarithmic axes](images/scale.png)"
MODULES = (
    "bench.engine",
    "bench.first_answer",
    "bench.shop_under_load",
    "bench.scale_figure",
    "bench.api_rates",
    "bench.kubectl_commands",
    "bench.notebooks",
)


def main() -> int:
    """Measure, print, write when asked; the exit code is 1 when a module failed."""
    figures: list[Figure] = []
    failed = []
    for module in MODULES:
        print(f"{module} ...", file=sys.stderr, flush=True)
        finished = subprocess.run(
            [sys.executable, "-m", module, *sys.argv[1:]], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
        )
        figures += [Figure(**json.loads(line)) for line in finished.stdout.splitlines()]
        if finished.returncode:
            failed.append(module)
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    text = f"{table(figures)}\n\n{machine}; medians of one run of `python -m labs bench`."
    print(text)
    for module in failed:
        print(f"Error: {module} failed, its reason is above; nothing is written.", file=sys.stderr)
    if "--write" in sys.argv[1:] and not failed:
        PAGE.write_text(f"# Measured figures\n\n{text}\n\n{PICTURE}\n", encoding="utf-8")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
