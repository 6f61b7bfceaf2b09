"""Runs a script: lists, loops, pipelines, redirections, functions of the shell itself.

Source: POSIX.1-2017, Shell Command Language, 2.9 (exit codes of lists and loops) and 2.14 (special built-ins). A
pipeline's commands run one after the other, each with the whole output of the one before it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labs.dataplane.shell import syntax
from labs.dataplane.shell.expansion import Expander
from labs.dataplane.shell.machine import Machine
from labs.dataplane.shell.waits import Input, Running, Sleep, Streams, Variables, Wait
from labs.units import MILLISECOND_NS

NOT_FOUND = 127
NOT_EXECUTABLE = 126
INTERRUPTED = 130
ITERATION_NS = MILLISECOND_NS
"""A turn of a loop takes at least this long: a process has to be started."""

Main = Callable[["Shell", Sequence[str], Streams], Running]


class Interrupt(Exception):
    """Ctrl-C: the command of the moment ends, and with it a shell that nobody types to."""


class Leave(Exception):
    """``exit``: the shell ends."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Jump(Exception):
    """``break`` or ``continue``."""

    def __init__(self, is_break: bool) -> None:
        super().__init__(is_break)
        self.is_break = is_break


@dataclass(slots=True)
class Shell:
    """One shell: the machine it runs on, its variables and directory. ``commands`` is what it finds in ``$PATH``."""

    machine: Machine
    variables: Variables
    commands: dict[str, Main]
    directory: str = "/"
    trap: str | None = None
    """What to do on TERM; None: nothing."""
    has_term: bool = False
    """A TERM came that the trap has not dealt with."""
    loop_depth: int = 0
    """How many loops it is in; ``break`` outside of one does nothing."""

    def path(self, name: str) -> str:
        """An absolute path."""
        return posixpath.normpath(posixpath.join(self.directory, name))

    @property
    def environment(self) -> dict[str, str]:
        """What a command is given."""
        values = self.variables.values
        return {name: values[name] for name in self.variables.exported if name in values}

    def run(self, script: syntax.Script, streams: Streams) -> Running:
        """Run a script to its end; returns the exit code."""
        try:
            code = yield from self._list(script, streams)
        except Leave as leave:
            return leave.code
        except Interrupt:
            return INTERRUPTED
        except syntax.SyntaxFault as fault:
            streams.complain(f"sh: {fault}")
            return 2
        return code

    def run_text(self, text: str, streams: Streams) -> Running:
        """Run the text of a script; one that cannot be read ends with 2."""
        try:
            script = syntax.parse(text)
        except syntax.SyntaxFault as fault:
            streams.complain(f"sh: {fault}")
            return 2
        return (yield from self.run(script, streams))

    def interact(self, streams: Streams, has_prompt: bool) -> Running:
        """Read commands from standard input, one line after the other, until its end or ``exit``."""
        while True:
            try:
                if has_prompt:
                    streams.err(f"{self.directory} # ".encode())
                line = yield from streams.stdin.line()
                if line is None:
                    return self.variables.last_code
                self.variables.last_code = yield from self._list(syntax.parse(line), streams)
            except Leave as leave:
                return leave.code
            except Interrupt:
                self.variables.last_code = INTERRUPTED
            except syntax.SyntaxFault as fault:
                streams.complain(f"sh: {fault}")
                self.variables.last_code = 2

    def subshell(self) -> Shell:
        """A copy whose variables and directory are its own."""
        known = self.variables
        variables = Variables(dict(known.values), dict(known.exported), known.last_code, known.arguments)
        return replace(self, variables=variables, trap=None, loop_depth=0)

    def _list(self, script: syntax.Script, streams: Streams) -> Running:
        code = 0
        for pipeline in script:
            if (pipeline.joins == "&&" and code) or (pipeline.joins == "||" and not code):
                continue
            code = yield from self._pipeline(pipeline, streams)
            self.variables.last_code = code
            if self.has_term and self.trap is not None:
                self.has_term = False
                yield from self._list(syntax.parse(self.trap), streams)
        return code

    def _pipeline(self, pipeline: syntax.Pipeline, streams: Streams) -> Running:
        source = streams.stdin
        code = 0
        for number, command in enumerate(pipeline.commands, 1):
            if number == len(pipeline.commands):
                inner = streams if source is streams.stdin else replace(streams, stdin=source)
                code = yield from self._command(command, inner)
                break
            held: list[bytes] = []
            inner = replace(streams, stdin=source, out=held.append, is_tty=False)
            yield from self.subshell().contained(command, inner)
            source = Input(b"".join(held))
        return int(not code) if pipeline.is_negated else code

    def contained(self, command: syntax.Command, streams: Streams) -> Running:
        """One command in a shell of its own, which its ``exit`` ends."""
        try:
            return (yield from self._command(command, streams))
        except Leave as leave:
            return leave.code

    def _command(self, command: syntax.Command, streams: Streams) -> Running:
        if isinstance(command, syntax.Simple):
            return (yield from self._simple(command, streams))
        if isinstance(command, syntax.Loop):
            return (yield from self._loop(command, streams))
        if isinstance(command, syntax.For):
            return (yield from self._for(command, streams))
        if isinstance(command, syntax.If):
            for condition, body in command.branches:
                if not (yield from self._list(condition, streams)):
                    return (yield from self._list(body, streams))
            return (yield from self._list(command.otherwise, streams))
        streams, failed = yield from self._redirected(command.redirects, streams)
        if failed:
            return 1
        if not command.is_subshell:
            return (yield from self._list(command.body, streams))
        return (yield from self.subshell().run(command.body, streams))

    def _loop(self, loop: syntax.Loop, streams: Streams) -> Running:
        code = 0
        while bool((yield from self._list(loop.condition, streams))) == loop.is_until:
            code, is_over = yield from self._turn(loop.body, streams)
            if is_over:
                break
        return code

    def _for(self, loop: syntax.For, streams: Streams) -> Running:
        expander = self._expander(streams)
        code = 0
        for word in loop.words:
            for value in (yield from expander.fields(word)):
                self.variables.values[loop.name] = value
                code, is_over = yield from self._turn(loop.body, streams)
                if is_over:
                    return code
        return code

    def _turn(self, body: syntax.Script, streams: Streams) -> Generator[Wait, Any, tuple[int, bool]]:
        yield Sleep(ITERATION_NS)
        self.loop_depth += 1
        try:
            return (yield from self._list(body, streams)), False
        except Jump as jump:
            return 0, jump.is_break
        finally:
            self.loop_depth -= 1

    def _expander(self, streams: Streams) -> Expander:
        def substitute(text: str) -> Generator[Wait, Any, str]:
            held: list[bytes] = []
            inner = replace(streams, out=held.append, is_tty=False)
            self.variables.last_code = yield from self.subshell().run(syntax.parse(text), inner)
            return b"".join(held).decode(errors="replace").rstrip("\n")

        return Expander(self.variables, substitute)

    def _simple(self, command: syntax.Simple, streams: Streams) -> Running:
        if command.is_literal:
            return (yield from self.execute(command.words, streams))
        expander = self._expander(streams)
        words: list[str] = []
        for word in command.words:
            words += yield from expander.fields(word)
        values: dict[str, str] = {}
        for assignment in command.assignments:
            name, _, value = assignment.partition("=")
            values[name] = yield from expander.text(value)
        streams, failed = yield from self._redirected(command.redirects, streams)
        if failed:
            return 1
        if not words:
            self.variables.values |= values
            return self.variables.last_code if values and any("$(" in text for text in command.assignments) else 0
        if not values:
            return (yield from self.execute(words, streams))
        inner = self.subshell()
        inner.variables.values |= values
        inner.variables.exported |= dict.fromkeys(values)
        return (yield from inner.execute(words, streams))

    def execute(self, words: Sequence[str], streams: Streams) -> Running:
        """One command by its words."""
        main = self.find(words[0])
        if main is None:
            what = "not found"
            if "/" in words[0] and self.machine.files.exists(self.path(words[0])):
                what = "Permission denied"
            streams.complain(f"sh: {words[0]}: {what}")
            return NOT_FOUND if what == "not found" else NOT_EXECUTABLE
        try:
            return (yield from main(self, words, streams))
        except OSError as error:
            streams.complain(f"{words[0]}: {error.filename}: {error.strerror}")
            return 1
        except (ValueError, OverflowError):
            streams.complain(f"{words[0]}: invalid number")
            return 2

    def find(self, word: str) -> Main | None:
        """The command of that name or path, or None."""
        folder, _, name = word.rpartition("/")
        if folder and folder not in self.machine.search_path:
            return None
        return self.commands.get(name)

    def _redirected(
        self, redirects: Sequence[syntax.Redirect], streams: Streams
    ) -> Generator[Wait, Any, tuple[Streams, bool]]:
        expander = self._expander(streams)
        for redirect in redirects:
            if redirect.target.startswith("&"):
                target = streams.out if redirect.target == "&1" else streams.err
                streams = replace(streams, out=target) if redirect.fd == 1 else replace(streams, err=target)
                continue
            name = yield from expander.text(redirect.target)
            try:
                streams = self._opened(redirect, self.path(name), streams)
            except OSError as error:
                what = "can't open" if redirect.mode == "<" else "can't create"
                streams.complain(f"sh: {what} {name}: {_reason(error)}")
                return streams, True
        return streams, False

    def _opened(self, redirect: syntax.Redirect, path: str, streams: Streams) -> Streams:
        files = self.machine.files
        if redirect.mode == "<":
            return replace(streams, stdin=Input(b"" if path == "/dev/null" else files.read(path)))
        standard = {"/dev/stdout": streams.out, "/dev/stderr": streams.err, "/proc/1/fd/1": self.machine.log}
        write = standard.get(path)
        if write is None:
            files.write(path, b"", redirect.mode == ">>")

            def write(content: bytes) -> None:
                files.write(path, content, is_appended=True)

        return replace(streams, out=write, is_tty=False) if redirect.fd == 1 else replace(streams, err=write)


def _reason(error: OSError) -> str:
    text = error.strerror or ""
    return "nonexistent directory" if text == "No such file or directory" else text
