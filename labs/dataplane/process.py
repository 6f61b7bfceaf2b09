"""What the kubelet knows of a program: it can be started, signalled and checked, and it uses resources."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from labs.api.store import Object
from labs.dataplane.shell.machine import Machine
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


def expand_references(text: str, values: Mapping[str, str]) -> str:
    """``$(NAME)`` by its value; an unknown name stays, and ``$$`` is a dollar sign.

    Source: kubernetes third_party/forked/golang/expansion/expand.go.
    """

    def value(match: re.Match[str]) -> str:
        if match.group() == "$$":
            return "$"
        return values.get(match.group(1), match.group())

    return re.sub(r"\$\$|\$\(([^()]*)\)", value, text)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a container runs."""

    node: str
    zone: str
    pod_ip: str


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a program is born with. ``exited`` is to be called once, when it ends by itself or on TERM.

    ``run_out_of_memory`` is to be called when it needs more than ``memory_limit_bytes``, and is its end.
    """

    loop: Loop
    streams: Streams
    pod: Object
    container: Object
    place: Place
    restart_count: int
    log: Callable[[str], None]
    exited: Callable[[int], None]
    run_out_of_memory: Callable[[], None]
    machine: Machine
    memory_limit_bytes: int | None = None

    @property
    def arguments(self) -> list[str]:
        """``command`` and ``args`` in one list, with ``$(NAME)`` expanded."""
        given = [*(self.container.get("command") or []), *(self.container.get("args") or [])]
        return [expand_references(text, self.machine.environment) for text in given]

    @property
    def environment(self) -> dict[str, str]:
        """The container's variables."""
        return self.machine.environment


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
