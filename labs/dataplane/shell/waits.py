"""What a running command can wait for; it yields one of these and is sent the result."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Sleep:
    """Time; None is for ever. Sent nothing."""

    length_ns: int | None


@dataclass(frozen=True, slots=True)
class Fetch:
    """An HTTP request; sent a ``Reply``."""

    url: str
    timeout_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Resolve:
    """A name to look up in the cluster's DNS; sent a ``Resolution``."""

    name: str


@dataclass(frozen=True, slots=True)
class Read:
    """More standard input; sent nothing when there is some, or the end."""


@dataclass(frozen=True, slots=True)
class Reply:
    """How a request ended: ``status`` is 0 without an HTTP answer, and ``error`` then says why.

    ``error`` is unresolved, refused, reset or timeout; ``address`` is what the name led to.
    """

    status: int = 0
    error: str = ""
    address: str = ""
    body: bytes = b""
    took_ns: int = 0


@dataclass(frozen=True, slots=True)
class Resolution:
    """What DNS says: the full name and its addresses, none for a name that does not exist."""

    name: str
    addresses: tuple[str, ...] = ()
    server: str = ""
    is_timed_out: bool = False


Wait = Sleep | Fetch | Resolve | Read
Running = Generator[Wait, Any, int]
"""A command at work: yields waits, returns its exit code."""


@dataclass(slots=True)
class Input:
    """Standard input that comes in pieces."""

    buffer: bytes = b""
    is_ended: bool = True

    def line(self) -> Generator[Wait, Any, str | None]:
        """The next line without its newline; None at the end."""
        while b"\n" not in self.buffer and not self.is_ended:
            yield Read()
        if not self.buffer:
            return None
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.decode(errors="replace")

    def rest(self) -> Generator[Wait, Any, bytes]:
        """Everything up to the end."""
        while not self.is_ended:
            yield Read()
        content, self.buffer = self.buffer, b""
        return content


@dataclass(slots=True)
class Streams:
    """Where a command reads and writes."""

    stdin: Input
    out: Callable[[bytes], None]
    err: Callable[[bytes], None]
    is_tty: bool = False
    """Whether standard output is a terminal."""

    def say(self, text: str) -> None:
        """Print a line."""
        self.out(f"{text}\n".encode())

    def complain(self, text: str) -> None:
        """Print a line to standard error."""
        self.err(f"{text}\n".encode())


@dataclass(slots=True)
class Variables:
    """What a shell knows by name."""

    values: dict[str, str] = field(default_factory=dict)
    exported: dict[str, None] = field(default_factory=dict)
    last_code: int = 0
    arguments: tuple[str, ...] = ()
    """``$0``, ``$1`` and so on."""
