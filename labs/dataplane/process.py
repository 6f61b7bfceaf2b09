"""What the kubelet knows of a program: it can be started, signalled and checked, and it uses resources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from labs.api.store import Object
from labs.sim.loop import Loop
from labs.sim.streams import Streams

EXIT_KILLED = 137
EXIT_TERMINATED = 143


@dataclass(frozen=True, slots=True)
class Check:
    """A question that a probe puts: ``kind`` is httpGet, tcpSocket, exec or grpc."""

    kind: str
    port: int = 0
    path: str = "/"
    host: str = ""
    """Where to ask, empty for the pod's own address."""
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: an HTTP ``status``, an ``exit_code``, or ``is_refused`` when nothing listens."""

    status: int = 200
    exit_code: int = 0
    is_refused: bool = False
    output: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a container runs."""

    node: str
    zone: str
    pod_ip: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a program is born with. ``exited`` is to be called once, when it ends by itself or on TERM."""

    loop: Loop
    streams: Streams
    pod: Object
    container: Object
    place: Place
    restart_count: int
    log: Callable[[str], None]
    exited: Callable[[int], None]

    @property
    def arguments(self) -> list[str]:
        """``command`` and ``args`` in one list."""
        return [*(self.container.get("command") or []), *(self.container.get("args") or [])]

    @property
    def environment(self) -> dict[str, str]:
        """Variables with a literal value."""
        return {entry["name"]: entry.get("value") or "" for entry in self.container.get("env") or []}


class Process(Protocol):
    """A running program."""

    @property
    def is_health_steady(self) -> bool:
        """Whether every later check will be answered as the last one was, so that none needs asking."""
        ...

    def start(self) -> None:
        """Begin."""
        ...

    def terminate(self) -> None:
        """SIGTERM: end in its own way, or not at all."""
        ...

    def kill(self) -> None:
        """SIGKILL: stop at once, without a call of ``exited``."""
        ...

    def vanish(self) -> None:
        """The machine lost power: as ``kill``, but nobody on the network is told."""
        ...

    def check(self, check: Check, answer: Callable[[Answer], None]) -> None:
        """Call ``answer`` once, now or later; or never, when the program hangs."""
        ...

    def cpu_used_ns(self, now_ns: int) -> int:
        """CPU time used since the start."""
        ...

    def memory_bytes(self, now_ns: int) -> int:
        """The working set."""
        ...


class Programs(Protocol):
    """The map from an image to what it does."""

    def create(self, surroundings: Surroundings) -> Process:
        """A new process of the container's image, not yet started."""
        ...

    def forget(self, uid: str, containers: Sequence[str]) -> None:
        """The pod's sandbox is gone: nobody will run in it again."""
        ...
