"""Probes: when a container is asked for its health, and when the answers change its state.

Source: kubernetes pkg/kubelet/prober/{prober,worker,prober_manager}.go.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labs.api.store import Object
from labs.dataplane.kubelet.containers import Container
from labs.dataplane.process import Answer, Check
from labs.sim.loop import Loop, Timer
from labs.units import SECOND_NS

READINESS = "readiness"
LIVENESS = "liveness"
STARTUP = "startup"
KINDS = (STARTUP, LIVENESS, READINESS)
_DEFAULT_PORT = 80


@dataclass(frozen=True, slots=True)
class ProbeSpec:
    """One probe of one container, its defaults filled in."""

    kind: str
    check: Check
    scheme: str
    initial_delay_ns: int
    period_ns: int
    timeout_ns: int
    success_threshold: int
    failure_threshold: int
    grace_s: int | None


def probe_spec(container: Object, kind: str) -> ProbeSpec | None:
    """The probe of that kind, or None when the container has none."""
    probe = container.get(f"{kind}Probe")
    if not probe:
        return None
    return ProbeSpec(
        kind=kind,
        check=_check(probe, container),
        scheme=(probe.get("httpGet") or {}).get("scheme", "HTTP").lower(),
        initial_delay_ns=(probe.get("initialDelaySeconds") or 0) * SECOND_NS,
        period_ns=(probe.get("periodSeconds") or 10) * SECOND_NS,
        timeout_ns=(probe.get("timeoutSeconds") or 1) * SECOND_NS,
        success_threshold=probe.get("successThreshold") or 1,
        failure_threshold=probe.get("failureThreshold") or 3,
        grace_s=probe.get("terminationGracePeriodSeconds"),
    )


def _check(probe: dict[str, Any], container: Object) -> Check:
    for kind in ("httpGet", "tcpSocket", "grpc"):
        target = probe.get(kind)
        if target is not None:
            port = port_number(target.get("port", _DEFAULT_PORT), container)
            return Check(kind, port=port, path=target.get("path") or "/", host=target.get("host") or "")
    return Check("exec", command=tuple((probe.get("exec") or {}).get("command") or ()))


def port_number(port: int | str, container: Object) -> int:
    """A port by number or by the name that the container gives it; 0 for an unknown name."""
    if isinstance(port, int):
        return port
    for entry in container.get("ports") or ():
        if entry.get("name") == port:
            number: int = entry["containerPort"]
            return number
    return int(port) if port.isdigit() else 0


def is_success(spec: ProbeSpec, answer: Answer | None) -> bool:
    """Whether an answer (None: it came too late) counts as a success."""
    if answer is None or answer.is_refused:
        return False
    if spec.check.kind == "httpGet":
        return 200 <= answer.status < 400
    return answer.exit_code == 0


def failure_text(spec: ProbeSpec, answer: Answer | None, pod_ip: str) -> str:
    """What the Unhealthy event says after "<Kind> probe failed: "."""
    check = spec.check
    address = f"{check.host or pod_ip}:{check.port}"
    url = f'Get "{spec.scheme}://{address}{check.path}"'
    if check.kind == "httpGet":
        if answer is None:
            return f"{url}: context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        if answer.is_refused:
            return f"{url}: dial tcp {address}: connect: connection refused"
        return f"HTTP probe failed with statuscode: {answer.status}"
    if check.kind == "exec":
        if answer is None:
            seconds = spec.timeout_ns // SECOND_NS
            return f'command timed out: "{" ".join(check.command)}" timed out after {seconds}s'
        return answer.output
    why = "i/o timeout" if answer is None else "connect: connection refused"
    return f"dial tcp {address}: {why}"


class ProbeWorker:
    """Asks one probe of one run of a container.

    Once the answers are settled and the program says that its health is steady, it stops asking until ``wake``.
    """

    __slots__ = ("_asked", "_changed", "_container", "_failed", "_is_held", "_loop", "_run", "_timer", "result", "spec")

    def __init__(
        self,
        loop: Loop,
        container: Container,
        spec: ProbeSpec,
        changed: Callable[[Container, ProbeSpec, bool], None],
        failed: Callable[[Container, ProbeSpec, Answer | None], None],
    ) -> None:
        self._loop = loop
        self._container = container
        self._changed = changed
        self._failed = failed
        self._run: tuple[bool, int] = (False, 0)
        self._asked = 0
        self._is_held = False
        self._timer: Timer | None = None
        self.spec = spec
        self.result: bool | None = {READINESS: False, LIVENESS: True, STARTUP: None}[spec.kind]

    def start(self) -> None:
        """Ask for the first time, at once."""
        self.tick()

    def wake(self) -> None:
        """Ask again when it had stopped: the program's health may have changed."""
        if self._timer is None and not self._is_held:
            self.tick()

    def stop(self) -> None:
        """Ask no more, and ignore an answer that is on its way."""
        self._is_held = True
        self._asked += 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def tick(self) -> None:
        """One turn of the period."""
        if self._is_held:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.after(self.spec.period_ns, self.tick)
        container, spec = self._container, self.spec
        elapsed_s = (self._loop.now_ns - container.started_ns) // SECOND_NS
        if elapsed_s * SECOND_NS < spec.initial_delay_ns:
            return
        if container.is_started == (spec.kind == STARTUP):
            return
        if container.process is not None:
            self._ask()

    def _ask(self) -> None:
        self._asked = number = self._asked + 1
        process = self._container.process
        assert process is not None
        limit = self._loop.after(self.spec.timeout_ns, self._answered, number, None)

        def answer(value: Answer) -> None:
            limit.cancel()
            self._answered(number, value)

        process.check(self.spec.check, answer)

    def _answered(self, number: int, answer: Answer | None) -> None:
        if number != self._asked or self._is_held:
            return
        self._asked += 1
        is_good = is_success(self.spec, answer)
        if not is_good:
            self._failed(self._container, self.spec, answer)
        last, count = self._run
        count = count + 1 if last == is_good else 1
        self._run = (is_good, count)
        threshold = self.spec.success_threshold if is_good else self.spec.failure_threshold
        if count < threshold:
            return
        is_changed = self.result is not is_good
        self.result = is_good
        self._rest(is_good)
        if is_changed:
            self._changed(self._container, self.spec, is_good)

    def _rest(self, is_good: bool) -> None:
        if self.spec.kind == STARTUP or (self.spec.kind == LIVENESS and not is_good):
            self.stop()  # held until the container runs anew
            return
        process = self._container.process
        if process is not None and process.is_health_steady and self._timer is not None:
            self._timer.cancel()
            self._timer = None
