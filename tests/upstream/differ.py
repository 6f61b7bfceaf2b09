"""Asks both servers the same requests and prints the classes of differences, the most frequent first.

PYTHONPATH=.:tests python -m upstream.differ creates --kind Pod --percent 20
"""

from __future__ import annotations

import gzip
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import click
from upstream.cases import SUITES, cases, prepare
from upstream.comparison import compare, signatures
from upstream.servers import PORT, Answer, Ask, RealServer, SimulatedServer

EXAMPLES = 2


def answered(asks: Iterable[Ask], kept: Path | None, port: int) -> dict[str, Answer]:
    """The real server's answers by the names of the cases: those that were kept in a file, or new ones, then kept."""
    if kept is not None and kept.exists():
        return {name: Answer(**told) for name, told in json.loads(gzip.decompress(kept.read_bytes())).items()}
    server = RealServer(port)
    warn(prepare(server), "the real server")
    answers = {ask.name: server.send(ask) for ask in asks}
    if kept is not None:
        told = {name: asdict(answer) for name, answer in answers.items()}
        kept.write_bytes(gzip.compress(json.dumps(told).encode(), mtime=0))
    return answers


def warn(refusals: Mapping[str, object], server: str) -> None:
    """Say which objects of the corpus a server lacks; the cases about them tell little."""
    for label, body in refusals.items():
        click.echo(f"{server} refuses {label}: {body}", err=True)


def report(real: Mapping[str, Answer], ours: Mapping[str, Answer], top: int) -> str:
    """How many answers differ, and the classes of differences with an example or two."""
    classes: dict[str, list[str]] = defaultdict(list)
    compared = [name for name in ours if name in real]
    for name in compared:
        for signature in signatures(real[name], ours[name]):
            classes[signature].append(name)
    differ = {name for names in classes.values() for name in names}
    lines = [f"{len(compared)} answers compared, {len(differ)} differ, in {len(classes)} classes"]
    for signature, names in sorted(classes.items(), key=lambda item: (-len(item[1]), item[0]))[:top]:
        lines += [f"{len(names):5} {signature}", *(f"      {name}" for name in names[:EXAMPLES])]
    return "\n".join(lines)


def in_full(real: Mapping[str, Answer], ours: Mapping[str, Answer], part: str) -> str:
    """Every difference of the cases whose name holds ``part``."""
    lines = []
    for name in ours:
        found = compare(real[name], ours[name]) if part in name and name in real else []
        for place, theirs, own in found:
            lines += [f"{name}: {place}", f"  real {json.dumps(theirs)}", f"  ours {json.dumps(own)}"]
    return "\n".join(lines) or f"no difference in the cases named like {part!r}"


@click.command()
@click.argument("suite", type=click.Choice(sorted(SUITES)))
@click.option("--kind", "kinds", multiple=True, help="Only this kind; may be given again.")
@click.option("--percent", default=100.0, help="Size of the sample of the requests.")
@click.option("--answers", type=click.Path(path_type=Path), help="File that keeps the real server's answers.")
@click.option("--port", default=PORT, help="Port of the real server.")
@click.option("--top", default=40, help="How many classes to show.")
@click.option("--show", default="", help="Show in full the cases whose name holds this.")
def main(
    suite: str, kinds: tuple[str, ...], percent: float, answers: Path | None, port: int, top: int, show: str
) -> None:
    """Compare the answers to a SUITE of requests."""
    asks = list(cases(suite, kinds, percent))
    try:
        real = answered(asks, answers, port)
    except OSError as error:
        sys.exit(str(error))
    simulated = SimulatedServer()
    warn(prepare(simulated), "the course's server")
    ours = {ask.name: simulated.send(ask) for ask in asks}
    click.echo(in_full(real, ours, show) if show else report(real, ours, top))


if __name__ == "__main__":
    main()
