"""The files of one container: its own folder, and the folders that are mounted into it.

Errors are OSError with the texts of the kernel, as the commands print them.
"""

from __future__ import annotations

import errno
import os
import posixpath
from collections.abc import Callable, Iterator, Mapping


def fault(number: int, path: str) -> OSError:
    """The kernel's error ``number`` for a path."""
    return OSError(number, os.strerror(number), path)


class Folder:
    """Files by their path below the folder; a path with None is a directory.

    ``source`` gives the whole content anew each time, for what the API holds (ConfigMaps, Secrets).
    """

    def __init__(self, source: Callable[[], Mapping[str, bytes]] | None = None, is_read_only: bool = False) -> None:
        self._own: dict[str, bytes | None] = {}
        self._source = source
        self.is_read_only = is_read_only or source is not None

    @property
    def entries(self) -> Mapping[str, bytes | None]:
        """Content by path; None for a directory."""
        return self._own if self._source is None else dict(self._source())

    def put(self, path: str, content: bytes | None) -> None:
        """Set a file, or with None make a directory."""
        self._own[path] = content

    def drop(self, path: str) -> None:
        """Remove one entry."""
        self._own.pop(path, None)


class View(Folder):
    """The part of another folder below ``prefix`` (a volume mounted by ``subPath``); it may be a single file."""

    def __init__(self, whole: Folder, prefix: str) -> None:
        super().__init__(is_read_only=whole.is_read_only)
        self._whole = whole
        self._prefix = prefix.strip("/")

    @property
    def entries(self) -> Mapping[str, bytes | None]:
        """Content by path below the prefix; the empty path is the prefix itself."""
        found = self._whole.entries
        start = f"{self._prefix}/" if self._prefix else ""
        below = {name[len(start) :]: content for name, content in found.items() if name.startswith(start)}
        return {"": found[self._prefix], **below} if self._prefix in found else below

    def put(self, path: str, content: bytes | None) -> None:
        """Set a file of the whole."""
        self._whole.put("/".join(filter(None, (self._prefix, path))), content)

    def drop(self, path: str) -> None:
        """Remove an entry of the whole."""
        self._whole.drop("/".join(filter(None, (self._prefix, path))))


class FileTree:
    """``root`` and what is mounted in it, by absolute path."""

    def __init__(self, root: Folder, mounts: Mapping[str, Folder] | None = None) -> None:
        self._root = root
        self._mounts = {posixpath.normpath(path): folder for path, folder in (mounts or {}).items()}

    def _locate(self, path: str) -> tuple[Folder, str]:
        best = max((at for at in self._mounts if path == at or path.startswith(f"{at}/")), key=len, default="")
        folder = self._mounts[best] if best else self._root
        return folder, path[len(best) :].strip("/")

    def _under(self, path: str) -> Iterator[str]:
        """Every absolute path below ``path`` that has a content or is a directory."""
        prefix = "/" if path == "/" else f"{path}/"
        for at in ("", *self._mounts):
            folder = self._mounts[at] if at else self._root
            for name in ("", *folder.entries):
                full = f"{at}/{name}".rstrip("/")
                if full.startswith(prefix) and self._locate(full)[0] is folder:
                    yield full

    def is_file(self, path: str) -> bool:
        """Whether a file is there."""
        folder, name = self._locate(path)
        return folder.entries.get(name) is not None

    def is_directory(self, path: str) -> bool:
        """Whether a directory is there, made or implied by what lies in it."""
        if path == "/":
            return True
        folder, name = self._locate(path)
        entries = folder.entries
        if path in self._mounts:
            return entries.get("") is None
        return (name in entries and entries[name] is None) or any(True for _ in self._under(path))

    def exists(self, path: str) -> bool:
        """Whether anything is there."""
        return self.is_file(path) or self.is_directory(path)

    def read(self, path: str) -> bytes:
        """The content of a file. Raises OSError."""
        folder, name = self._locate(path)
        content = folder.entries.get(name)
        if content is None:
            raise fault(errno.EISDIR if self.is_directory(path) else errno.ENOENT, path)
        return content

    def write(self, path: str, content: bytes, is_appended: bool = False) -> None:
        """Make or change a file. Raises OSError."""
        if path in ("/dev/null", "/dev/stdout", "/dev/stderr"):
            return
        if self.is_directory(path):
            raise fault(errno.EISDIR, path)
        if not self.is_directory(posixpath.dirname(path)):
            raise fault(errno.ENOENT, path)
        folder, name = self._writable(path)
        before = folder.entries.get(name) or b"" if is_appended else b""
        folder.put(name, before + content)

    def make_directory(self, path: str, has_parents: bool = False) -> None:
        """Make a directory, with ``has_parents`` also those above. Raises OSError."""
        if self.is_directory(path) and has_parents:
            return
        if self.exists(path):
            raise fault(errno.EEXIST, path)
        parent = posixpath.dirname(path)
        if not self.is_directory(parent):
            if not has_parents:
                raise fault(errno.ENOENT, path)
            self.make_directory(parent, has_parents=True)
        folder, name = self._writable(path)
        folder.put(name, None)

    def remove(self, path: str, is_recursive: bool = False) -> None:
        """Remove a file, or with ``is_recursive`` a directory. Raises OSError."""
        if not self.exists(path):
            raise fault(errno.ENOENT, path)
        if self.is_directory(path) and not is_recursive:
            raise fault(errno.EISDIR, path)
        if path == "/" or path in self._mounts:
            raise fault(errno.EBUSY, path)
        for each in [*self._under(path), path]:
            folder, name = self._writable(each)
            folder.drop(name)

    def names(self, path: str) -> list[str]:
        """What lies in a directory, in order. Raises OSError."""
        if not self.is_directory(path):
            raise fault(errno.ENOTDIR if self.is_file(path) else errno.ENOENT, path)
        start = 1 if path == "/" else len(path) + 1
        return sorted({each[start:].split("/", 1)[0] for each in self._under(path)})

    def walk(self, path: str) -> list[str]:
        """``path`` and everything below it, in order. Raises OSError."""
        if self.is_file(path):
            return [path]
        found = [path]
        for name in self.names(path):
            found += self.walk(posixpath.join(path, name))
        return found

    def _writable(self, path: str) -> tuple[Folder, str]:
        folder, name = self._locate(path)
        if folder.is_read_only:
            raise fault(errno.EROFS, path)
        return folder, name
