"""How a server starts, refuses to start, and ends."""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from lab_server import ROOT, START_TIMEOUT_S, LabServer, serve_command

from labs.errors import UsageError
from labs.server.preload import apply_manifests, read_all
from labs.server.serve import Options, serve
from labs.world import World

READY_KEYS = {
    "live",
    "kubernetes",
    "aws",
    "kubeconfig",
    "region",
    "aws_access_key_id",
    "aws_secret_access_key",
    "control",
}


def refusal(
    directory: Path, port: int = 0, aws_port: int = 0, speed: float = 30.0, manifests: tuple[Path, ...] = ()
) -> str:
    """The sentence with which a server does not start."""
    with pytest.raises(UsageError) as refused:
        serve(Options(7, directory, speed, manifests, port, aws_port))
    return str(refused.value)


def test_the_ready_line_says_where_everything_is(tmp_path: Path) -> None:
    with LabServer(tmp_path / "new" / "folder") as server:
        assert server.ready.keys() == READY_KEYS
        assert urlsplit(server.ready["kubernetes"]).hostname == "127.0.0.1"
        kubeconfig = Path(server.ready["kubeconfig"])
        assert kubeconfig.parent == tmp_path / "new" / "folder"
        assert kubeconfig.stat().st_mode & 0o077 == 0
        assert server.now() == "2026-03-02T09:00:00.000000Z"
        assert server.end() == (0, "")


def test_a_signal_ends_it_although_a_client_watches(tmp_path: Path) -> None:
    with LabServer(tmp_path) as server:
        connection = server.connection()
        connection.request("GET", "/api/v1/pods?watch=true", headers={"Authorization": f"Bearer {server.token}"})
        connection.getresponse()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(START_TIMEOUT_S) == 0
        assert server.end() == (0, "")
        connection.close()


def test_it_does_not_outlive_the_process_that_started_it(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from subprocess import PIPE, Popen\n"
        "server = Popen(sys.argv[1:], stdin=PIPE, stdout=PIPE, start_new_session=True)\n"
        "server.stdout.readline()\n"
        "print(server.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    reader, writer = os.pipe()
    starter = subprocess.Popen(
        [sys.executable, "-c", code, *serve_command(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=writer,
        text=True,
    )
    os.close(writer)
    printed, _ = starter.communicate(timeout=START_TIMEOUT_S)
    assert printed.strip().isdigit()
    with os.fdopen(reader, "rb") as held_by_server:
        # The other end of this pipe is closed when the last process that has it, the server, has ended.
        assert held_by_server.read() == b""


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_on_the_terminal_a_refusal_is_one_line_without_a_traceback(tmp_path: Path, taken_port: int) -> None:
    finished = subprocess.run(
        serve_command(tmp_path, "--port", str(taken_port)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=START_TIMEOUT_S,
        check=False,
    )
    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr == (
        f"Error: Port {taken_port} cannot be used (Address already in use); leave --port away to get a free one.\n"
    )


def test_each_port_in_use_is_named(tmp_path: Path, taken_port: int) -> None:
    assert "leave --port away" in refusal(tmp_path, port=taken_port)
    assert "leave --aws-port away" in refusal(tmp_path, aws_port=taken_port)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_number_that_is_no_port_is_refused(tmp_path: Path, port: int) -> None:
    assert "is not a port" in refusal(tmp_path, port=port)


@pytest.mark.parametrize("speed", [0.0, -3.0, math.nan, math.inf])
def test_a_speed_that_is_none_is_refused(tmp_path: Path, speed: float) -> None:
    assert "speed" in refusal(tmp_path, speed=speed)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    assert "name another with --directory" in refusal(tmp_path / "file" / "lab")
    assert "name another with --directory" in refusal(tmp_path / "file")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").mkdir()
    assert "cannot be written" in refusal(tmp_path)


BAD_MANIFESTS = {
    "{": "not valid YAML",
    "- 1": "no Kubernetes object",
    "kind: Pod": "no Kubernetes object",
    "{apiVersion: v1, kind: Pod, metadata: null}": "has no name",
    "{apiVersion: v1, kind: Pod, metadata: {labels: {}}}": "has no name",
    "{apiVersion: v1, kind: Cat, metadata: {name: tom}}": "Cat of v1",
    "{apiVersion: v1, kind: [], metadata: {name: tom}}": "is not served",
    "{apiVersion: v1, kind: Pod, metadata: {name: A}}": 'Pod "A" is invalid',
    "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containerz: []}}": "containerz",
    "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: nowhere}}": 'namespaces "nowhere" not found',
}


@pytest.fixture(scope="module")
def world() -> World:
    return World(7)


@pytest.mark.parametrize("text", BAD_MANIFESTS)
def test_a_manifest_that_is_refused_is_one_sentence(tmp_path: Path, world: World, text: str) -> None:
    manifest = tmp_path / "shop.yaml"
    manifest.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"shop\.yaml") as refused:
        apply_manifests(world, read_all([manifest]))
    assert BAD_MANIFESTS[text] in str(refused.value)


def test_manifests_that_cannot_be_read_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    for place, sentence in (
        ("missing", "no file or folder"),
        ("empty", "no .yaml file"),
        ("binary.yaml", "cannot be read"),
    ):
        assert sentence in refusal(tmp_path / "lab", manifests=(tmp_path / place,))


def test_manifests_are_applied_before_the_doors_open(tmp_path: Path) -> None:
    with LabServer(tmp_path, "--manifests", str(ROOT / "kubernetes" / "shop")) as server:
        deployments = server.api("GET", "/apis/apps/v1/namespaces/shop/deployments").json()["items"]
        assert "frontend" in [item["metadata"]["name"] for item in deployments]
        (manager,) = deployments[0]["metadata"]["managedFields"]
        assert (manager["manager"], manager["operation"]) == ("chaos-crunch", "Apply")
