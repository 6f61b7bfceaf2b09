"""Each sentence that the course can say to a person is in docs/troubleshooting.md."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from labs.course import explain, sidecar

ROOT = Path(__file__).parents[2]
PLACES = ("labs/__init__.py", "labs/course/**/*.py", "labs/server/*.py", "labs/api/manifests.py", "labs/units.py")
ERRORS = ("UsageError", "WaitTimeout")


def fragments(message: ast.expr) -> list[str]:
    """The fixed parts of a message; none when it is made elsewhere."""
    if isinstance(message, ast.Constant):
        return [str(message.value)]
    if isinstance(message, ast.JoinedStr):
        return [str(part.value) for part in message.values if isinstance(part, ast.Constant)]
    return []


def messages() -> dict[str, str]:
    """The longest fixed part of each message, and where it is said."""
    found = {}
    for pattern in PLACES:
        for path in sorted(ROOT.glob(pattern)):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and re.split(r"\W+", ast.unparse(node.func))[-1] in ERRORS:
                    parts = [part for argument in node.args for part in fragments(argument)]
                    if parts:
                        found[plain(max(parts, key=len))] = f"{path.relative_to(ROOT)}:{node.lineno}"
    return found


def plain(text: str) -> str:
    return re.sub(r"[`\s]+", " ", text).strip(" .;:,'")


def test_every_message_is_listed() -> None:
    page = plain((ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8"))
    said = messages()
    assert len(said) > 30
    assert {place: text for text, place in said.items() if text not in page} == {}


def test_every_cure_of_a_failed_cell_is_listed() -> None:
    page = plain((ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8"))
    cures = [text for name, text in vars(explain).items() if name.isupper() and isinstance(text, str)]
    assert len(cures) > 6
    assert [text for text in (*cures, sidecar.INSTALL, sidecar.MAKE_ROOM) if plain(text) not in page] == []
