"""A container whose command line the shell understands: it does what the line says."""

from __future__ import annotations

from collections.abc import Callable

from labs.dataplane.process import Answer, Check, Surroundings
from labs.dataplane.programs.catalogue import Entry
from labs.dataplane.programs.idle import START_CPU_NS
from labs.dataplane.shell.session import Session, new_shell, script_of
from labs.dataplane.shell.syntax import Script

_MIB = 1024**2


class ShellProcess:
    """Process 1 is a shell, or a command such as ``sleep``. It listens on no port; exec probes run in its files.

    TERM: process 1 without a handler does not hear it, as the kernel has it; a ``trap`` is one.
    """

    __slots__ = ("_entry", "_listeners", "_partial", "_script", "_started_ns", "_surroundings", "session")

    is_health_steady = False

    def __init__(self, surroundings: Surroundings, entry: Entry, script: Script) -> None:
        self._surroundings = surroundings
        self._entry = entry
        self._script = script
        self._started_ns = 0
        self._partial = b""
        self._listeners: list[Callable[[bytes], None]] = []
        self.session = Session(
            surroundings.loop,
            new_shell(surroundings.machine),
            self.print,
            self.print,
            self._ended,
            bool(surroundings.container.get("stdin")),
            bool(surroundings.container.get("tty")),
        )

    def start(self) -> None:
        """Run the line."""
        self._started_ns = self._surroundings.loop.now_ns
        self.session.begin_script(self._script)

    def listen(self, listener: Callable[[bytes], None]) -> Callable[[], None]:
        """Tell ``listener`` what the process prints from now on (``kubectl attach``); returns what stops that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def print(self, content: bytes) -> None:
        """Standard output and error go to the log, line by line."""
        for listener in list(self._listeners):
            listener(content)
        *lines, self._partial = (self._partial + content).split(b"\n")
        if lines:
            self._surroundings.log(b"\n".join(lines).decode(errors="replace"))

    def _ended(self, code: int) -> None:
        if self._partial:
            self.print(b"\n")
        # The caller may be in the middle of starting this process.
        self._surroundings.loop.after(0, self._surroundings.exited, code)

    def terminate(self) -> None:
        """A trap runs when the command of the moment is over; without one nothing happens."""
        self.session.shell.has_term = True

    def kill(self) -> None:
        """Stop."""
        self.session.abort()

    vanish = kill

    def check(self, check: Check, answer: Callable[[Answer], None]) -> None:
        """An exec probe runs its command, if the shell knows it; any port is closed."""
        if check.kind != "exec":
            answer(Answer(is_refused=True))
            return
        run_command(self._surroundings, check.command, answer)

    def cpu_used_ns(self, now_ns: int) -> int:
        """A start, then a trickle."""
        return START_CPU_NS + round((now_ns - self._started_ns) * self._entry.idle_millicores / 1000)

    def memory_bytes(self, now_ns: int) -> int:
        """A constant."""
        return round(self._entry.memory_mib * _MIB)


def run_command(around: Surroundings, command: tuple[str, ...], answer: Callable[[Answer], None]) -> Session | None:
    """Run a command in a container; one that the shell does not know succeeds at once. Returns what runs."""
    script = script_of(command)
    if script is None:
        answer(Answer())
        return None
    held: list[bytes] = []

    def ended(code: int) -> None:
        answer(Answer(exit_code=code, output=b"".join(held).decode(errors="replace")))

    session = Session(around.loop, new_shell(around.machine), held.append, held.append, ended)
    session.begin_script(script)
    return session
