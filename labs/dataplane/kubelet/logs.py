"""What containers printed."""

from __future__ import annotations

from collections import deque

from labs.units import rfc3339_micro

MAX_LINES = 10_000
"""Older lines are rotated away."""


class LogFile:
    """The lines of one run of one container."""

    __slots__ = ("_lines",)

    def __init__(self) -> None:
        self._lines: deque[tuple[int, str]] = deque(maxlen=MAX_LINES)

    def write(self, now_ns: int, text: str) -> None:
        """Add the lines of ``text``."""
        for line in text.split("\n"):
            self._lines.append((now_ns, line))

    def read(self, tail_lines: int | None = None, since_ns: int = 0, has_timestamps: bool = False) -> str:
        """The text, each line ended by a newline."""
        lines = [entry for entry in self._lines if entry[0] >= since_ns]
        if tail_lines is not None:
            lines = lines[len(lines) - tail_lines :] if tail_lines else []
        if has_timestamps:
            return "".join(f"{rfc3339_micro(at_ns)} {line}\n" for at_ns, line in lines)
        return "".join(f"{line}\n" for _, line in lines)


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
            self._files.pop((uid, container), None)
