"""Records a refusal of a real API server into ``tests/golden/data/errors``.

    PYTHONPATH=.:tests python -m upstream.refusals no-containers < request.json

The request is an object with ``method`` and ``path``, and with ``body``, ``contentType`` and ``token`` where the
request has one. What it needs in its namespace ``gerr`` has to be there on both sides: here by earlier requests
(``--setup``), and in the tests by ``golden/answers.py``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from golden.stage import DATA
from upstream.servers import PORT, Ask, RealServer, Server

NOTE = "recorded from kube-apiserver 1.37.2"
NAMESPACE = "gerr"


def ask_of(request: dict[str, Any]) -> Ask:
    """The request of a recording."""
    media, token = request.get("contentType") or "application/json", request.get("token", "admin-token") or ""
    return Ask(request["path"], request["method"], request["path"], request.get("body"), media, token)


def prepare(server: Server) -> None:
    """Make the namespace and the account that its pods run as; what is there stays."""
    server.send(Ask("namespace", "POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}}))
    accounts = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
    server.send(Ask("account", "POST", accounts, {"metadata": {"name": "default"}}))


def recording(server: Server, name: str, request: dict[str, Any]) -> dict[str, Any]:
    """Request and answer, in the form of the other recordings. Raises ValueError where the answer is no refusal."""
    ask = ask_of(request)
    answer = server.send(ask)
    if not 400 <= answer.code < 500:
        raise ValueError(f"{ask.method} {ask.path} is no refusal: {answer.code} {answer.body}")
    asked = {
        "method": ask.method,
        "path": ask.path,
        "contentType": ask.media,
        "body": ask.body,
        "token": ask.token or None,
    }
    return {"name": name, "note": NOTE, "request": asked, "http": answer.code, "response": answer.body}


@click.command()
@click.argument("name")
@click.option("--setup", type=click.Path(exists=True, path_type=Path), help="JSON list of requests to send before.")
@click.option("--port", default=PORT, help="Port of the real server.")
def main(name: str, setup: Path | None, port: int) -> None:
    """Record the answer to the request on standard input under NAME."""
    server = RealServer(port)
    try:
        prepare(server)
        for request in json.loads(setup.read_text("utf-8")) if setup is not None else ():
            server.send(ask_of(request))
        recorded = recording(server, name, json.load(sys.stdin))
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    path = DATA / "errors" / f"{name}.json"
    path.write_text(json.dumps(recorded, indent=1, ensure_ascii=False) + "\n", "utf-8")
    click.echo(path)


if __name__ == "__main__":
    main()
