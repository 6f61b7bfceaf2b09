"""``python -m labs ...``: serve a cluster, run the labs, rebuild the notebooks, check, bench.

Each command imports what it needs when it is called: ``serve`` must start in a fraction of the time that the
notebook tools take to import.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from labs.errors import UsageError


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
@click.option("--speed", default=30.0, show_default=True, help="Times real time while a client is blocked.")
@click.option(
    "--manifests", type=click.Path(path_type=Path), multiple=True, help="File or folder to apply at the start."
)
@click.option("--port", default=0, help="Port of the Kubernetes API on 127.0.0.1; 0 takes a free one.")
@click.option("--aws-port", default=0, help="Port of the AWS APIs and the clock; 0 takes a free one.")
def serve(seed: int, directory: Path, speed: float, manifests: tuple[Path, ...], port: int, aws_port: int) -> None:
    """Serve a simulated cluster on 127.0.0.1 until SIGTERM or the end of standard input.

    Prints one line of JSON when ready: where the APIs are, and the secrets that they ask for.
    """
    from labs.server.serve import Options
    from labs.server.serve import serve as serve_lab

    serve_lab(Options(seed, directory, speed, manifests, port, aws_port))
