"""Lifecycle hooks: what a container is asked to do after its start and before its end.

Source: kubernetes pkg/kubelet/lifecycle/handlers.go. An HTTP hook fails only when no answer comes; a command that the
shell does not know succeeds, and takes as long as it sleeps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from labs.dataplane.kubelet.probes import port_number
from labs.dataplane.process import Answer, Check
from labs.dataplane.shell.session import Session, new_shell, script_of
from labs.units import MILLISECOND_NS, SECOND_NS

if TYPE_CHECKING:
    from labs.dataplane.kubelet.containers import Container
    from labs.dataplane.kubelet.pod_worker import PodWorker

_SLEEP = re.compile(r"\bsleep\s+([0-9]+(?:\.[0-9]+)?)")
_EXEC_NS = 50 * MILLISECOND_NS
"""Starting a process in a container."""


def run_hook(worker: PodWorker, container: Container, hook: Mapping[str, Any], done: Callable[[bool], None]) -> None:
    """Run a hook; ``done`` is told later whether it worked, unless the container ends before."""
    loop = worker.host.loop
    run_id = container.container_id

    def tell(is_good: bool) -> None:
        if container.container_id == run_id and container.process is not None and not worker.is_halted:
            done(is_good)

    if "sleep" in hook:
        loop.after(int(hook["sleep"]["seconds"]) * SECOND_NS, tell, True)
    elif "httpGet" in hook:

        def answered(answer: Answer) -> None:
            loop.after(0, tell, not answer.is_refused)

        _ask(container, hook["httpGet"], answered)
    elif "exec" in hook:
        command = tuple(hook["exec"].get("command") or ())
        loop.after(_EXEC_NS, _execute, worker, container, command, tell)
    else:
        loop.after(0, tell, True)


def _ask(container: Container, target: Mapping[str, Any], answered: Callable[[Answer], None]) -> None:
    assert container.process is not None
    port = port_number(target.get("port", 80), container.spec)
    path = target.get("path") or "/"
    container.process.check(Check("httpGet", port=port, path=path, host=target.get("host") or ""), answered)


def _execute(worker: PodWorker, container: Container, command: tuple[str, ...], tell: Callable[[bool], None]) -> None:
    loop = worker.host.loop
    script = script_of(command)
    if container.process is None or container.machine is None:
        return
    if script is None:
        text = " ".join(command)
        sleeps_ns = sum(round(float(length) * SECOND_NS) for length in _SLEEP.findall(text))
        loop.after(sleeps_ns, tell, True)
        return

    def ended(code: int) -> None:
        loop.after(0, tell, code == 0)

    session = Session(loop, new_shell(container.machine), _ignored, _ignored, ended)
    container.sessions.append(session)
    session.begin_script(script)


def _ignored(content: bytes) -> None:
    """What a hook prints is kept nowhere."""
