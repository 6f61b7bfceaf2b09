"""What a shell needs of the container that it runs in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from labs.dataplane.shell.files import FileTree
from labs.dataplane.shell.waits import Reply, Resolution

SEARCH_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


@dataclass(slots=True)
class Machine:
    """A container from inside: its files, environment and name, the clock, and its way to the network."""

    make_files: Callable[[], FileTree]
    """Makes the files when somebody looks at them first: most containers are never looked into."""
    environment: dict[str, str]
    hostname: str
    now_ns: Callable[[], int]
    fetch: Callable[[str, int | None, Callable[[Reply], None]], Callable[[], None]]
    """Begin a request: URL, time-out and whom to tell; returns what abandons it."""
    resolve: Callable[[str], Resolution]
    log: Callable[[bytes], None]
    """The container's own standard output."""
    terminate: Callable[[], None]
    """TERM to process 1."""
    main_command: str = ""
    """What ``ps`` shows for process 1."""
    architecture: str = "x86_64"
    directory: str = "/"
    search_path: tuple[str, ...] = field(default=SEARCH_PATH)
    _files: FileTree | None = None

    @property
    def files(self) -> FileTree:
        """The files of the container."""
        if self._files is None:
            self._files = self.make_files()
        return self._files

    @property
    def has_been_looked_into(self) -> bool:
        """Whether anything can have been written to the files."""
        return self._files is not None
