"""One command at work in a container: driven by the clock, fed and read by whoever started it.

``begin`` starts it; it ends by itself, by ``kill``, or with the container.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

from labs.dataplane.shell import syntax
from labs.dataplane.shell.archive import tar
from labs.dataplane.shell.builtins import BUILTINS, new_variables
from labs.dataplane.shell.filecommands import FILE_COMMANDS
from labs.dataplane.shell.interpreter import Interrupt, Main, Shell
from labs.dataplane.shell.machine import Machine
from labs.dataplane.shell.waits import Fetch, Input, Read, Reply, Resolve, Running, Sleep, Streams, Wait
from labs.dataplane.shell.web import WEB_COMMANDS
from labs.sim.loop import Loop, Timer

COMMANDS: dict[str, Main] = {**BUILTINS, **FILE_COMMANDS, **WEB_COMMANDS, "tar": tar}
EXIT_FAULT = 2
SHELLS = ("sh", "bash", "ash")


def script_of(arguments: Sequence[str]) -> syntax.Script | None:
    """A command line as a script when this shell knows every command in it, else None.

    ``sh -c TEXT`` is the script TEXT itself: a container's first process is that shell.
    """
    if not arguments or not _is_known(arguments[0]):
        return None
    if arguments[0].rpartition("/")[2] not in SHELLS:
        return syntax.literal(arguments)
    if len(arguments) < 3 or not re.fullmatch(r"-[eux]*c", arguments[1]):
        return syntax.literal(arguments)
    try:
        script = syntax.parse(arguments[2])
        return script if all(_is_known(name) for name in syntax.command_names(script)) else None
    except (syntax.SyntaxFault, RecursionError):
        return None


def _is_known(name: str) -> bool:
    return name.rpartition("/")[2] in COMMANDS


def new_shell(machine: Machine) -> Shell:
    """A shell with the container's environment and every command."""
    return Shell(machine, new_variables(machine.environment), COMMANDS, machine.directory)


class Session:
    """A running command. ``ended`` is called once with the exit code.

    ``is_waiting_for_input``: nothing happens until more standard input comes.
    """

    def __init__(
        self,
        loop: Loop,
        shell: Shell,
        out: Callable[[bytes], None],
        err: Callable[[bytes], None],
        ended: Callable[[int], None],
        has_stdin: bool = False,
        is_tty: bool = False,
    ) -> None:
        self._loop = loop
        self.shell = shell
        self._ended = ended
        self._stdin = Input(is_ended=not has_stdin)
        self._streams = Streams(self._stdin, out, out if is_tty else err, is_tty)
        self._running: Running | None = None
        self._timer: Timer | None = None
        self._abandon: Callable[[], None] | None = None
        self._turn = 0
        self._is_stepping = False
        self.is_over = False
        self.is_waiting_for_input = False

    def begin(self, words: Sequence[str]) -> None:
        """Start a command by its words."""
        self.begin_script(syntax.literal(words))

    def begin_script(self, script: syntax.Script) -> None:
        """Start a script."""
        self._running = self.shell.run(script, self._streams)
        self._step(None)

    # From outside.

    def feed(self, content: bytes) -> None:
        """More standard input."""
        self._stdin.buffer += content
        self._wake()

    def end_input(self) -> None:
        """Standard input has ended."""
        self._stdin.is_ended = True
        self._wake()

    def interrupt(self) -> None:
        """Ctrl-C."""
        if self.is_over or self._running is None or self._is_stepping:
            return
        self._turn += 1
        self.is_waiting_for_input = False
        if self._timer is not None:
            self._timer.cancel()
        if self._abandon is not None:
            self._abandon()
            self._abandon = None
        running = self._running
        self._go_on(lambda: running.throw(Interrupt()))

    def kill(self, code: int) -> None:
        """End it now."""
        if not self.is_over:
            self.abort()
            self._ended(code)

    def abort(self) -> None:
        """End it now without a word."""
        self.is_over = True
        self.is_waiting_for_input = False
        if self._timer is not None:
            self._timer.cancel()
        if self._abandon is not None:
            self._abandon()
        if self._running is not None and not self._is_stepping:
            self._running.close()

    def _wake(self) -> None:
        if self.is_waiting_for_input and not self.is_over:
            self.is_waiting_for_input = False
            self._step(None)

    # The clock.

    def _step(self, result: object) -> None:
        running = self._running
        assert running is not None
        self._go_on(lambda: running.send(result))

    def _go_on(self, resume: Callable[[], Wait]) -> None:
        """Go on until the command has to wait, or is over."""
        running = self._running
        assert running is not None
        while True:
            self._is_stepping = True
            try:
                wait = resume()
            except StopIteration as stop:
                if not self.is_over:
                    self.is_over = True
                    self._ended(stop.value)
                return
            except RecursionError:
                self._streams.complain("sh: nested too deeply")
                self.kill(EXIT_FAULT)
                return
            finally:
                self._is_stepping = False
            if self.is_over:
                return
            if isinstance(wait, Resolve):
                resolution = self.shell.machine.resolve(wait.name)
                resume = partial(running.send, resolution)
            elif isinstance(wait, Read):
                self.is_waiting_for_input = not self._stdin.is_ended
                if self.is_waiting_for_input:
                    return
                resume = partial(running.send, None)
            else:
                self._wait(wait)
                return

    def _wait(self, wait: Wait) -> None:
        self._turn += 1
        turn = self._turn
        if isinstance(wait, Sleep):
            if wait.length_ns is not None:
                self._timer = self._loop.after(wait.length_ns, self._step, None)
        elif isinstance(wait, Fetch):

            def answered(reply: Reply) -> None:
                if turn == self._turn and not self.is_over:
                    self._abandon = None
                    self._step(reply)

            abandon = self.shell.machine.fetch(wait.url, wait.timeout_ns, answered)
            if turn == self._turn and not self.is_over:
                self._abandon = abandon
