"""``python -m tests.simulation --seeds 200``: many seeds, one line each, and the whole story of each that fails."""

from __future__ import annotations

import time

import click

from labs.units import SECOND_NS

from .options import drawn
from .run import SimulationError, simulate


@click.command()
@click.option("--seeds", default=200, help="How many seeds to run.")
@click.option("--first", default=0, help="The first of them.")
def main(seeds: int, first: int) -> None:
    """Run seeds one after the other; ends with 1 when one failed."""
    failures = 0
    began_s = time.perf_counter()
    for seed in range(first, first + seeds):
        try:
            took_ns = simulate(seed, drawn(seed))
        except SimulationError as error:
            failures += 1
            click.echo(str(error))
        else:
            click.echo(f"seed {seed}: whole again after {took_ns / SECOND_NS:.0f} s")
    click.echo(f"{seeds - failures} of {seeds} seeds passed in {time.perf_counter() - began_s:.0f} s")
    raise SystemExit(bool(failures))


if __name__ == "__main__":
    main()
