"""``tar`` as ``kubectl cp`` uses it: an archive to standard output, and one from standard input unpacked."""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Sequence

from labs.dataplane.shell.filecommands import options
from labs.dataplane.shell.interpreter import Shell
from labs.dataplane.shell.waits import Running, Streams
from labs.units import SECOND_NS


def tar(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    """``tar c|x|t [f FILE] [-C DIR] [PATH...]``."""
    first = words[1] if len(words) > 1 else ""
    dashed = [words[0], first if first.startswith("-") else f"-{first}", *words[2:]]
    flags, paths = options(dashed, "fC")
    folder = shell.path(flags.get("C") or ".")
    archive = flags.get("f") or "-"
    if "c" in flags:
        return _create(shell, folder, archive, paths, streams)
    if "x" in flags or "t" in flags:
        content = b""
        if archive == "-":
            content = yield from streams.stdin.rest()
        else:
            try:
                content = shell.machine.files.read(shell.path(archive))
            except OSError as error:
                streams.complain(f"tar: can't open '{archive}': {error.strerror}")
                return 1
        return _extract(shell, folder, content, "t" in flags, streams)
    streams.complain("tar: must specify one of -c, -x, -t")
    return 1


def _create(shell: Shell, folder: str, archive: str, paths: list[str], streams: Streams) -> int:
    files = shell.machine.files
    buffer = io.BytesIO()
    code = 0
    is_noted = False
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as writer:
        for path in paths:
            full = posixpath.normpath(posixpath.join(folder, path))
            if not files.exists(full):
                streams.complain(f"tar: {path}: No such file or directory")
                code = 1
                continue
            if path.startswith("/") and not is_noted:
                is_noted = True
                streams.complain("tar: removing leading '/' from member names")
            for each in files.walk(full):
                name = path.rstrip("/") + each[len(full.rstrip("/")) :]
                member = tarfile.TarInfo(name.lstrip("/") or ".")
                member.mtime = shell.machine.now_ns() // SECOND_NS
                member.uname = member.gname = "root"
                if files.is_directory(each):
                    member.type, member.mode = tarfile.DIRTYPE, 0o755
                    writer.addfile(member)
                else:
                    content = files.read(each)
                    member.size = len(content)
                    writer.addfile(member, io.BytesIO(content))
    if code:
        streams.complain("tar: error exit delayed from previous errors")
    if archive == "-":
        streams.out(buffer.getvalue())
    else:
        files.write(shell.path(archive), buffer.getvalue())
    return code


def _extract(shell: Shell, folder: str, content: bytes, is_listing: bool, streams: Streams) -> int:
    files = shell.machine.files
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as reader:
            for member in reader:
                if is_listing:
                    streams.say(member.name)
                    continue
                path = posixpath.normpath(posixpath.join(folder, member.name.lstrip("/")))
                if member.isdir():
                    files.make_directory(path, has_parents=True)
                    continue
                held = reader.extractfile(member)
                if held is not None:
                    files.make_directory(posixpath.dirname(path), has_parents=True)
                    files.write(path, held.read())
    except tarfile.TarError:
        streams.complain("tar: invalid tar magic")
        return 1
    except OSError as error:
        streams.complain(f"tar: can't open '{error.filename}': {error.strerror}")
        return 1
    return 0
