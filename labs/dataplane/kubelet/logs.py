"""What containers printed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from labs.units import rfc3339_nano

MAX_LINES = 10_000
"""Older lines are rotated away."""

Line = tuple[int, str]


def line_text(line: Line, has_timestamps: bool) -> str:
    """A line as it is sent, its newline included."""
    at_ns, text = line
    return f"{rfc3339_nano(at_ns)} {text}\n" if has_timestamps else f"{text}\n"


class LogFile:
    """The lines of one run of one container. ``is_ended``: the run is over, and no line will follow."""

    __slots__ = ("_lines", "_watchers", "is_ended")

    def __init__(self) -> None:
        self._lines: deque[Line] | None = None
        """Made with the first line: an empty one takes more room than all else of a container that says nothing."""
        self._watchers: list[Callable[[Line | None], None]] = []
        self.is_ended = False

    def write(self, now_ns: int, text: str) -> None:
        """Add the lines of ``text``."""
        if self._lines is None:
            self._lines = deque(maxlen=MAX_LINES)
        for part in text.split("\n"):
            self._lines.append((now_ns, part))
            self._tell((now_ns, part))

    def end(self) -> None:
        """The run is over."""
        self.is_ended = True
        self._tell(None)
        self._watchers.clear()

    def _tell(self, line: Line | None) -> None:
        for watcher in list(self._watchers):
            watcher(line)

    def watch(self, watcher: Callable[[Line | None], None]) -> Callable[[], None]:
        """Call ``watcher`` with each later line, and with None at the end; returns what stops that."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher) if watcher in self._watchers else None

    def lines(self, tail_lines: int | None = None, since_ns: int = 0) -> list[Line]:
        """The last lines since a moment."""
        lines = [entry for entry in self._lines or () if entry[0] >= since_ns]
        if tail_lines is not None:
            lines = lines[max(0, len(lines) - tail_lines) :] if tail_lines else []
        return lines

    def read(self, tail_lines: int | None = None, since_ns: int = 0, has_timestamps: bool = False) -> str:
        """The text, each line ended by a newline."""
        return "".join(line_text(line, has_timestamps) for line in self.lines(tail_lines, since_ns))


class LogStore:
    """The present and the previous run of each container, by pod uid and container."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, str], tuple[LogFile, LogFile | None]] = {}

    def begin(self, uid: str, container: str) -> LogFile:
        """A new file for a new run."""
        known = self._files.get((uid, container))
        file = LogFile()
        self._files[uid, container] = (file, known[0] if known else None)
        return file

    def get(self, uid: str, container: str, previous: bool = False) -> LogFile | None:
        """The file of the present or the previous run, or None."""
        known = self._files.get((uid, container))
        if known is None:
            return None
        return known[1] if previous else known[0]

    def forget(self, uid: str, containers: list[str]) -> None:
        """The pod is gone, and its files with it."""
        for container in containers:
            known = self._files.pop((uid, container), None)
            if known is not None:
                known[0].end()
