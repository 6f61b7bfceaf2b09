"""Conversations with running pods: ``exec``, ``attach`` and ``port-forward``, as a kubelet and containerd hold them.

Source: kubernetes pkg/kubelet/server/server.go (getExec, getAttach, getPortForward), staging/src/k8s.io/kubelet
pkg/cri/streaming; texts of containerd and runc.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labs.api.client import Client
from labs.api.rest.connects import Channel, Conversation, Ended, Output
from labs.dataplane.kubelet.containers import Container
from labs.dataplane.kubelet.kubelets import Kubelets
from labs.dataplane.kubelet.logs import Line, line_text
from labs.dataplane.kubelet.pod_worker import PodWorker
from labs.dataplane.port_forward import ForwardedConnection
from labs.dataplane.programs.shell import ShellProcess
from labs.dataplane.shell.interpreter import NOT_EXECUTABLE, NOT_FOUND
from labs.dataplane.shell.session import Session, new_shell
from labs.dataplane.shell.terminal import Terminal, to_terminal

STDOUT, STDERR = 1, 2
SUCCESS: dict[str, Any] = {"metadata": {}, "status": "Success"}
_OCI = "OCI runtime exec failed: exec failed: unable to start container process: "


def internal_error(message: str) -> dict[str, Any]:
    """The Status of a conversation that could not be had."""
    details = {"causes": [{"message": message}]}
    text = f"Internal error occurred: {message}"
    rest = {"reason": "InternalError", "details": details, "code": 500}
    return {"metadata": {}, "status": "Failure", "message": text, **rest}


def exit_status(command: tuple[str, ...], code: int) -> dict[str, Any]:
    """The Status that carries an exit code."""
    if not code:
        return SUCCESS
    why = f"error executing command [{' '.join(command)}], exit code {code}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: {why}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


class Attendant:
    """Implements ``labs.api.rest.connects.Attendant`` with the kubelets."""

    def __init__(self, client: Client, kubelets: Kubelets) -> None:
        self._client = client
        self._kubelets = kubelets

    def start(self, conversation: Conversation, output: Output, ended: Ended) -> Channel:
        """Run a command in a container, or listen to what it prints."""
        worker = self._worker(conversation, ended)
        if worker is None:
            return _Over()
        container = worker.container(conversation.container)
        if container is None or container.process is None or container.machine is None:
            ended(internal_error(f'unable to upgrade connection: container not found ("{conversation.container}")'))
            return _Over()
        if conversation.kind == "attach":
            return _attach(container, conversation, output, ended)
        return _execute(worker, container, conversation, output, ended)

    def forward(self, conversation: Conversation, port: int, output: Output, ended: Ended) -> Channel:
        """One connection to a port of the pod."""
        worker = self._worker(conversation, ended)
        if worker is None:
            return _Over()
        if not worker.has_sandbox or worker.is_over:
            ended(internal_error("unable to upgrade connection: pod does not exist"))
            return _Over()
        return ForwardedConnection(worker, port, lambda content: output(STDOUT, content), ended)

    def _worker(self, conversation: Conversation, ended: Ended) -> PodWorker | None:
        pod = self._client.require("pods", conversation.namespace, conversation.pod)
        kubelet = self._kubelets.get(pod["spec"]["nodeName"])
        if kubelet is None or not kubelet.is_on or not kubelet.host.is_connected:
            ip = (pod.get("status") or {}).get("hostIP", pod["spec"]["nodeName"])
            ended(internal_error(f"error dialing backend: dial tcp {ip}:10250: i/o timeout"))
            return None
        worker = kubelet.workers.get(pod["metadata"]["uid"])
        if worker is None:
            ended(internal_error("unable to upgrade connection: pod does not exist"))
        return worker


class _Over:
    """A conversation that ended before it began."""

    is_waiting_for_input = False

    def feed(self, content: bytes) -> None:
        """Nobody listens."""

    def end_input(self) -> None:
        """Nobody listens."""

    def close(self) -> None:
        """It is."""


class _Talk:
    """A client and a session, with or without a terminal between them."""

    def __init__(self, session: Session, terminal: Terminal | None, leave: Callable[[], None]) -> None:
        self._session = session
        self._terminal = terminal
        self._leave = leave

    @property
    def is_waiting_for_input(self) -> bool:
        return self._session.is_waiting_for_input

    def feed(self, content: bytes) -> None:
        if self._terminal is not None:
            self._terminal.feed(content)
        else:
            self._session.feed(content)

    def end_input(self) -> None:
        self._session.end_input()

    def close(self) -> None:
        self._leave()


def _execute(
    worker: PodWorker, container: Container, conversation: Conversation, output: Output, ended: Ended
) -> Channel:
    assert container.machine is not None
    shell = new_shell(container.machine)
    command = conversation.command

    def say(content: bytes) -> None:
        output(STDOUT, content)

    def complain(content: bytes) -> None:
        output(STDERR, content)

    if shell.find(command[0]) is None:
        is_there = "/" in command[0] and container.machine.files.exists(shell.path(command[0]))
        where = "permission denied" if is_there else "no such file or directory"
        why = f"stat {command[0]}: {where}" if "/" in command[0] else "executable file not found in $PATH"
        complain(f'{_OCI}exec: "{command[0]}": {why}: unknown\n'.encode())
        ended(exit_status(command, NOT_EXECUTABLE if is_there else NOT_FOUND))
        return _Over()

    def over(code: int) -> None:
        if session in container.sessions:
            container.sessions.remove(session)
        ended(exit_status(command, code))

    is_tty = conversation.is_tty
    out = to_terminal(say) if is_tty else say
    session = Session(worker.host.loop, shell, out, complain, over, conversation.has_stdin, is_tty)
    container.sessions.append(session)
    session.begin(command)
    terminal = Terminal(session, say) if is_tty else None

    def leave() -> None:
        session.abort()
        if session in container.sessions:
            container.sessions.remove(session)

    return _Talk(session, terminal, leave)


def _attach(container: Container, conversation: Conversation, output: Output, ended: Ended) -> Channel:
    """Standard streams of process 1; without a process that reads, what it prints from now on."""

    def say(content: bytes) -> None:
        output(STDOUT, content)

    process = container.process
    unwatch: list[Callable[[], None]] = []

    def leave() -> None:
        for stop in unwatch:
            stop()

    def heard(line: Line | None) -> None:
        if line is None:
            code = container.termination.exit_code if container.termination is not None else 0
            ended(exit_status(("process", "1"), code))
        elif not isinstance(process, ShellProcess):
            say(line_text(line, False).encode())

    assert container.log is not None
    unwatch.append(container.log.watch(heard))
    if not isinstance(process, ShellProcess):
        return _Listener(leave)
    is_tty = bool(container.spec.get("tty"))
    unwatch.append(process.listen(to_terminal(say) if is_tty else say))
    terminal = Terminal(process.session, say) if is_tty else None
    return _Talk(process.session, terminal, leave)


class _Listener(_Over):
    """Somebody who only listens."""

    def __init__(self, leave: Callable[[], None]) -> None:
        self._leave = leave

    def close(self) -> None:
        """Listen no more."""
        self._leave()
