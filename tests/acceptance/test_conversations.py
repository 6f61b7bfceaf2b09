"""exec, logs, cp, attach and port-forward with the clients as they ship."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from lab_server import KUBECTL, ROOT, LabServer, Printed

MANIFESTS = """
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: default, labels: {app: web}}
spec:
  containers:
  - {name: web, image: "nginx:1.29", ports: [{containerPort: 80}], env: [{name: COLOUR, value: blue}]}
  - {name: side, image: "busybox:1.36", command: [sh, -c, "echo side starts; sleep 100000"]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: typo, namespace: default}
spec: {containers: [{name: main, image: "nginx:1.161"}]}
"""

PYTHON_CLIENT = """
from kubernetes import client, config
from kubernetes.stream import portforward, stream
config.load_kube_config()
api = client.CoreV1Api()
def run(*command, **options):
    return stream(api.connect_get_namespaced_pod_exec, "web", "default", container="web", command=list(command),
                  stdout=True, stderr=True, tty=False, **options)
print(run("sh", "-c", "echo out; echo err >&2", stdin=False), end="")
shell = run("sh", stdin=True, _preload_content=False)
shell.write_stdin("hostname\\n")
print(shell.readline_stdout(timeout=5))
shell.write_stdin("exit 3\\n")
shell.run_forever(timeout=5)
print(shell.returncode)
socket = portforward(api.connect_get_namespaced_pod_portforward, "web", "default", ports="80").socket(80)
socket.setblocking(True)
socket.sendall(b"GET / HTTP/1.1\\r\\nHost: web\\r\\n\\r\\n")
print(socket.recv(1000).decode().splitlines()[0])
"""
TICKER = """
apiVersion: v1
kind: Pod
metadata: {name: ticker, namespace: default}
spec:
  containers:
  - name: main
    image: "busybox:1.36"
    command: [sh, -c, "i=0; while [ $i -lt 40 ]; do echo tick $i; i=$((i+1)); sleep 2; done; exit 1"]
"""

Run = Callable[..., Printed]


@pytest.fixture(scope="module")
def kubectl(server: LabServer) -> Run:
    """kubectl on a cluster with the pods above; fails the test when the command ends in another way than expected."""
    server.kubectl("apply", "-f", "-", text=MANIFESTS)
    server.kubectl("wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
    server.advance("10s")

    def run(*arguments: str, code: int = 0, text: str | None = None) -> Printed:
        printed = server.kubectl(*arguments, text=text)
        assert printed.code == code, printed.text
        return printed

    return run


def test_exec_prints_and_carries_the_exit_code(kubectl: Run) -> None:
    assert "COLOUR=blue\n" in kubectl("exec", "web", "-c", "web", "--", "env").out
    printed = kubectl("exec", "web", "-c", "web", "--", "sh", "-c", "echo out; exit 3", code=3)
    assert (printed.out, printed.error) == ("out\n", "command terminated with exit code 3\n")
    assert "executable file not found in $PATH" in kubectl("exec", "web", "--", "nosuch", code=127).error
    assert "Served by web" in kubectl("exec", "web", "-c", "side", "--", "wget", "-qO-", "http://web").out


def test_exec_reads_standard_input_and_does_not_hang_without_a_terminal(kubectl: Run) -> None:
    assert kubectl("exec", "-i", "web", "-c", "web", "--", "sh", text="hostname\nexit 4\n", code=4).out == "web\n"
    assert "Mar  2" in kubectl("exec", "-it", "web", "-c", "web", "--", "date").out


def test_cp_goes_both_ways(kubectl: Run, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("content\n", encoding="utf-8")
    kubectl("cp", str(tmp_path / "there"), "web:/tmp/file", "-c", "web")
    assert kubectl("exec", "web", "-c", "web", "--", "cat", "/tmp/file").out == "content\n"
    kubectl("cp", "web:/tmp/file", str(tmp_path / "back"), "-c", "web")
    assert (tmp_path / "back").read_text(encoding="utf-8") == "content\n"


def test_run_attaches_and_removes_the_pod(kubectl: Run) -> None:
    arguments = ("run", "once", "--rm", "-i", "--image=busybox:1.36", "--restart=Never", "--")
    printed = kubectl(*arguments, "sh", "-c", "echo in; sleep 3; echo out")
    assert printed.out == 'in\nout\npod "once" deleted from default namespace\n'


def test_logs_in_all_forms(kubectl: Run, server: LabServer) -> None:
    # Its first run must last for as long as the commands here: it begins with them.
    kubectl("apply", "-f", "-", text=TICKER)
    server.advance("10s")
    assert kubectl("logs", "ticker", "--tail=1").out.startswith("tick ")
    assert kubectl("logs", "ticker", "--limit-bytes=4").out == "tick"
    assert kubectl("logs", "ticker", "--timestamps", "--tail=1").out.startswith("2026-03-02T09:")
    # kubectl keeps its requests in a Go map: their order is random.
    assert sorted(kubectl("logs", "web", "--all-containers", "--prefix").out.splitlines()) == [
        "[pod/web/side] side starts",
        "[pod/web/web] listening on port 80",
    ]
    assert kubectl("logs", "-l", "app=web", "-c", "side").out == "side starts\n"
    text = 'previous terminated container "side" in pod "web" not found'
    assert text in kubectl("logs", "web", "-c", "side", "--previous", code=1).error
    text = 'container "main" in pod "typo" is waiting to start: trying and failing to pull image'
    assert text in kubectl("logs", "typo", code=1).error
    assert (
        "sinceSeconds: Invalid value: 0"
        in server.api("GET", "/api/v1/namespaces/default/pods/ticker/log?sinceSeconds=0").json()["message"]
    )
    # Follows while the clock runs on by itself, to the end of the run.
    assert kubectl("logs", "-f", "ticker").out.endswith("tick 39\n")


def test_previous_log_stays(kubectl: Run, server: LabServer) -> None:
    server.advance("5s")
    assert kubectl("logs", "ticker", "--previous", "--tail=1").out == "tick 39\n"


def test_port_forward_reaches_the_page(kubectl: Run, server: LabServer) -> None:
    command = [str(KUBECTL), "port-forward", "svc/web", ":80"]
    with subprocess.Popen(command, env=server.environment, stdout=subprocess.PIPE, text=True) as forwarding:
        assert forwarding.stdout is not None
        port = forwarding.stdout.readline().split(":")[1].split(" ")[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
            assert b"Served by web" in answer.read()
        forwarding.terminate()


def test_old_way_of_streaming_is_refused_with_the_cure(kubectl: Run, server: LabServer) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
    path = "/api/v1/namespaces/default/pods/web/exec?command=ls&container=web&stdout=true"
    answer = server.api("POST", path, headers=headers)
    assert answer.status == 400
    assert "streams over WebSockets" in answer.json()["message"]


def test_official_python_client_streams(kubectl: Run, server: LabServer) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", PYTHON_CLIENT],
        cwd=ROOT / "tests",
        env=server.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.stdout.splitlines() == ["out", "err", "web", "3", "HTTP/1.1 200 OK"], finished.stderr
