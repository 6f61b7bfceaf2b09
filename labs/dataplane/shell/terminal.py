"""The terminal between a person and a session: echo, line editing, Ctrl-C and Ctrl-D (termios, canonical mode)."""

from __future__ import annotations

from collections.abc import Callable

from labs.dataplane.shell.session import Session

INTERRUPT, END, ERASE, KILL_LINE = 0x03, 0x04, 0x7F, 0x15


class Terminal:
    """Takes what is typed, shows it, and gives whole lines to the session."""

    def __init__(self, session: Session, show: Callable[[bytes], None]) -> None:
        self._session = session
        self._show = show
        self._line = b""

    def feed(self, content: bytes) -> None:
        """What was typed."""
        for byte in content:
            if byte == INTERRUPT:
                self._line = b""
                self._show(b"^C\r\n")
                self._session.interrupt()
            elif byte == END:
                if self._line:
                    self._give(b"")
                else:
                    self._session.end_input()
            elif byte in (ERASE, 0x08):
                if self._line:
                    self._line = self._line[:-1]
                    self._show(b"\b \b")
            elif byte == KILL_LINE:
                self._show(b"\b \b" * len(self._line))
                self._line = b""
            elif byte in b"\r\n":
                self._show(b"\r\n")
                self._give(b"\n")
            elif byte >= 0x20 or byte == 0x09:
                self._line += bytes([byte])
                self._show(bytes([byte]))

    def _give(self, ending: bytes) -> None:
        line, self._line = self._line, b""
        self._session.feed(line + ending)


def to_terminal(show: Callable[[bytes], None]) -> Callable[[bytes], None]:
    """Output as a terminal gets it: a newline also returns to the first column."""
    return lambda content: show(content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
