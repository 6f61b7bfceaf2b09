"""`defaults/*.input.yaml`: an object as a create returns it, and as it is two seconds later among the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from golden.comparison import Case, Field, closest, fields
from golden.namespace import moments
from golden.stage import AGENT, add_namespace, new_server, read, recordings, send, without_chance
from golden.standing import comparable, our_names, their_names

from labs.api.rest.message import Request, Response

FOLDER = "defaults"
INPUT = ".input.yaml"


def cases(root: Path) -> Iterator[Case]:
    """One for each pair of input and output."""
    for output in recordings(root / FOLDER, "*.output.json"):
        name = output.name.partition(".output.json")[0]
        given = output.with_name(name + INPUT)
        yield Case(FOLDER, name, (given, output), lambda given=given, output=output: compare(root, given, output))


def compare(root: Path, given: Path, output: Path) -> Iterator[Field]:
    """The create's answer and the later state."""
    recorded = read(output)
    request = recorded["request"]
    yield from created(request, given.read_bytes(), recorded["created"])
    if "after_2s" in recorded:
        name = recorded["created"]["metadata"]["name"]
        path = f"{request['path']}/{name}"
        answers = [(send(server, "GET", path).json(), our_names(server)) for server in moments(root)]
        expected = comparable(recorded["after_2s"], their_names(output.parent))
        yield from closest(fields(comparable(answer, names), expected, "after_2s") for answer, names in answers)


def created(request: dict[str, Any], body: bytes, expected: Any) -> Iterator[Field]:
    """The answer of a server that holds nothing else."""
    server = new_server()
    add_namespace(server, "golden")
    headers = AGENT | {"content-type": "application/yaml"}
    answer = server.handle(Request.to(request["method"], request["path"], body, headers))
    assert isinstance(answer, Response)
    yield Field("http", answer.status, 201)
    yield from fields(without_chance(answer.json()), without_chance(expected), "created")
