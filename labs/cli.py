"""``python -m labs ...``: serve a cluster, run the labs, rebuild the notebooks, check, bench.

Each command imports what it needs when it is called: ``serve`` must start in a fraction of the time that the
notebook tools take to import.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from labs.errors import UsageError

DEFAULT_LABS = ("03", "04", "05")
PASS_ON = {"ignore_unknown_options": True, "help_option_names": ["--help"]}
"""Settings of a command whose further arguments belong to another program."""


class OneSentence(click.Group):
    """Shows a UsageError as its sentence, without a traceback."""

    def invoke(self, context: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(context)
        except UsageError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(2)


@click.group(cls=OneSentence)
def main() -> None:
    """Chaos Crunch: a lab course on keeping an online shop alive."""


@main.command()
@click.option("--seed", default=7, show_default=True, help="Same seed and same calls: same answers.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder for the kubeconfig and the certificate; made if missing.",
)
@click.option("--speed", default=30.0, show_default=True, help="Times real time while the clock runs by itself.")
@click.option("--free-running", is_flag=True, help="The clock runs all the time, not only for waiting clients.")
@click.option(
    "--manifests", type=click.Path(path_type=Path), multiple=True, help="File or folder to apply at the start."
)
@click.option("--port", default=0, help="Port of the Kubernetes API on 127.0.0.1; 0 takes a free one.")
@click.option("--aws-port", default=0, help="Port of the AWS APIs and the clock; 0 takes a free one.")
@click.option("--proxied", is_flag=True, help="The live view is also asked for under a proxy's host name.")
def serve(
    seed: int,
    directory: Path,
    speed: float,
    free_running: bool,
    manifests: tuple[Path, ...],
    port: int,
    aws_port: int,
    proxied: bool,
) -> None:
    """Serve a simulated cluster on 127.0.0.1 until SIGTERM or the end of standard input.

    Prints one line of JSON when ready: where the APIs are, and the secrets that they ask for.
    """
    from labs.server.serve import Options
    from labs.server.serve import serve as serve_lab

    serve_lab(Options(seed, directory, speed, manifests, port, aws_port, proxied, free_running))


@main.command()
@click.argument("names", nargs=-1)
@click.option("-p", "parameters", metavar="NAME=VALUE", multiple=True, help="For the labs that have it.")
@click.option("--directory", type=click.Path(path_type=Path), help="Where results go.  [default: runs]")
def run(names: tuple[str, ...], parameters: tuple[str, ...], directory: Path | None) -> None:
    """Run labs (03, 04 and 05 unless named) and print a table of their results.

    Leaves executed notebooks, one JSON result for each run and the figures. Exit code 1 when a lab fails.
    """
    from labs.course.results import RUNS, result_table
    from labs.course.run import parse_parameters, run_labs

    runs = run_labs(names or DEFAULT_LABS, parse_parameters(parameters), directory or RUNS)
    if runs.results:
        click.echo(result_table(runs.results))
    for failure in runs.failures:
        click.echo(f"Error: {failure}", err=True)
    sys.exit(1 if runs.failures else 0)


@main.command()
@click.argument("names", nargs=-1)
@click.option("--check", is_flag=True, help="Only say which notebooks are not in step with their sources.")
def notebooks(names: tuple[str, ...], check: bool) -> None:
    """Rebuild the notebooks (all unless named) from notebooks/source: executed, outputs included."""
    from labs.course.build import build, find_orphans, find_out_of_step, find_sources

    sources = find_sources(names)
    if check:
        wrong = find_out_of_step(sources) + ([] if names else find_orphans())
        click.echo("\n".join(wrong) or f"{len(sources)} sources, all notebooks in step")
        sys.exit(1 if wrong else 0)
    for source in sources:
        for path in build(source):
            click.echo(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


@main.command(context_settings=PASS_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def lab(arguments: tuple[str, ...]) -> None:
    """Open JupyterLab at the first lab; further arguments go to JupyterLab (--no-browser, --port)."""
    from labs.course.tools import open_lab

    open_lab(arguments)


@main.command(context_settings=PASS_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...]) -> None:
    """Every test: units, goldens, house rules, notebooks; further arguments go to pytest."""
    from labs.course.tools import run_tests

    sys.exit(run_tests(arguments))


@main.command()
def check() -> None:
    """Lint, types and layers."""
    from labs.course.tools import run_checks

    sys.exit(run_checks())


@main.command()
@click.option("--write", is_flag=True, help="Also write docs/bench.md.")
def bench(write: bool) -> None:
    """Measure speed, start-up and memory on this machine, all in one run."""
    from labs.course.tools import run_bench

    sys.exit(run_bench(write))
