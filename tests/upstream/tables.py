"""Prints the ``columnDefinitions`` of every kind that a real API server lists, as JSON by kind; it should be a new one.

PYTHONPATH=.:tests python -m upstream.tables > tables.json
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click
from upstream.servers import PORT, Answer, Ask, RealServer, Server

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def get(server: Server, path: str, accept: str = "") -> Any:
    """The body of an answer. Raises ValueError for a refusal."""
    answer: Answer = server.send(Ask(path, "GET", path, accept=accept))
    if answer.code != 200:
        raise ValueError(f"{path}: {answer.body}")
    return answer.body


def listed(server: Server) -> Iterator[tuple[str, str]]:
    """Kind and path of every collection that may be listed, in every version."""
    groups = get(server, "/apis")["groups"]
    roots = ["/api/v1", *(f"/apis/{version['groupVersion']}" for group in groups for version in group["versions"])]
    for root in roots:
        for resource in get(server, root)["resources"]:
            if "list" in resource["verbs"] and "/" not in resource["name"]:
                yield resource["kind"], f"{root}/{resource['name']}"


def columns(server: Server) -> dict[str, Any]:
    """By kind. Raises ValueError where two kinds of one name have other columns."""
    found: dict[str, Any] = {}
    for kind, path in listed(server):
        told = get(server, path, TABLE)["columnDefinitions"]
        if found.setdefault(kind, told) != told:
            raise ValueError(f"{path}: other columns than another {kind}")
    return found


@click.command()
@click.option("--port", default=PORT, help="Port of the real server.")
def main(port: int) -> None:
    """Print every kind's columns."""
    click.echo(json.dumps(columns(RealServer(port)), indent=1))


if __name__ == "__main__":
    main()
