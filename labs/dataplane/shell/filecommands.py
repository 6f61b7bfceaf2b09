"""Commands on files and on the machine: cat, ls, head, grep, cp, ps and their kin; busybox' texts."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Generator, Sequence
from datetime import UTC, datetime
from typing import Any

from labs.dataplane.shell.builtins import done
from labs.dataplane.shell.interpreter import Main, Shell
from labs.dataplane.shell.waits import Running, Sleep, Streams, Wait
from labs.units import SECOND_NS


def options(words: Sequence[str], valued: str = "") -> tuple[dict[str, str], list[str]]:
    """Short options and the rest; those in ``valued`` take the next word or what follows the letter."""
    found: dict[str, str] = {}
    rest: list[str] = []
    queue = list(words[1:])
    while queue:
        word = queue.pop(0)
        if word == "--":
            return found, rest + queue
        if not re.match(r"-[A-Za-z0-9]", word):
            rest.append(word)
            continue
        for at, letter in enumerate(word[1:], 2):
            if letter in valued:
                found[letter] = word[at:] or (queue.pop(0) if queue else "")
                break
            found[letter] = ""
    return found, rest


def _contents(
    shell: Shell, name: str, paths: Sequence[str], streams: Streams
) -> Generator[Wait, Any, tuple[list[tuple[str, bytes]], int]]:
    """Each file that can be read, with its name; standard input for none and for ``-``."""
    found: list[tuple[str, bytes]] = []
    code = 0
    for path in paths or ("-",):
        if path == "-":
            found.append((path, (yield from streams.stdin.rest())))
            continue
        try:
            found.append((path, shell.machine.files.read(shell.path(path))))
        except OSError as error:
            verb = "read error" if error.strerror == "Is a directory" else f"can't open '{path}'"
            streams.complain(f"{name}: {verb}: {error.strerror}")
            code = 1
    return found, code


def _cat(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    _, paths = options(words)
    found, code = yield from _contents(shell, "cat", paths, streams)
    for _, content in found:
        streams.out(content)
    return code


def _lines(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


def _head(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    is_tail = words[0].endswith("tail")
    flags, paths = options([re.sub(r"^-([0-9]+)$", r"-n\1", word) for word in words], "nc")
    if is_tail and "f" in flags:
        yield Sleep(None)
    found, code = yield from _contents(shell, words[0], paths, streams)
    text = flags.get("c", flags.get("n", "10"))
    count = int(text.lstrip("+-") or 0) if text.lstrip("+-").isdecimal() else 10
    for _, content in found:
        parts: Sequence[bytes] = [bytes([byte]) for byte in content] if "c" in flags else _lines(content)
        if is_tail:
            chosen = parts[count - 1 :] if text.startswith("+") else parts[max(0, len(parts) - count) :]
        else:
            chosen = parts[:count]
        streams.out(b"".join(chosen))
    return code


def _grep(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    flags, rest = options(words, "em")
    pattern = flags.get("e") or (rest.pop(0) if rest else "")
    try:
        wanted = re.compile(
            re.escape(pattern) if "F" in flags else pattern, re.IGNORECASE if "i" in flags else re.NOFLAG
        )
    except re.error:
        streams.complain("grep: bad regex '" + pattern + "': Invalid regexp")
        return 2
    found, code = yield from _contents(shell, "grep", rest, streams)
    hits = 0
    for path, content in found:
        for line in content.decode(errors="replace").splitlines():
            if bool(wanted.search(line)) == ("v" not in flags):
                hits += 1
                if "q" not in flags and "c" not in flags:
                    streams.say(f"{path}:{line}" if len(rest) > 1 else line)
    if "c" in flags:
        streams.say(str(hits))
    return 2 if code else int(not hits)


def _wc(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    flags, paths = options(words)
    found, code = yield from _contents(shell, "wc", paths, streams)
    for path, content in found:
        counts = {"l": content.count(b"\n"), "w": len(content.split()), "c": len(content)}
        chosen = [str(counts[key]) for key in "lwc" if not flags or key in flags]
        streams.say(" ".join([*chosen, *([path] if path != "-" else [])]))
    return code


def _sort(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    flags, paths = options(words, "kt")
    found, code = yield from _contents(shell, words[0], paths, streams)
    lines = [line for _, content in found for line in content.decode(errors="replace").splitlines()]
    if words[0] == "sort":
        lines.sort(key=_number if "n" in flags else str, reverse="r" in flags)
    if words[0] == "uniq" or "u" in flags:
        lines = [line for at, line in enumerate(lines) if not at or line != lines[at - 1]]
    for line in lines:
        streams.say(line)
    return code


def _number(line: str) -> float:
    match = re.match(r"\s*-?[0-9.]+", line)
    return float(match.group()) if match else 0.0


def _ls(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    flags, paths = options(words)
    files = shell.machine.files
    code = 0
    for path in paths or ("",):
        full = shell.path(path)
        if not files.exists(full):
            streams.complain(f"ls: {path}: No such file or directory")
            code = 1
            continue
        if files.is_file(full) or "d" in flags:
            _print_names(shell, posixpath.dirname(full), [path], flags, streams)
            continue
        if len(paths) > 1:
            streams.say(f"{path}:")
        names = files.names(full)
        shown = [name for name in names if "a" in flags or "A" in flags or not name.startswith(".")]
        _print_names(shell, full, [".", "..", *shown] if "a" in flags else shown, flags, streams)
    return done(code)


def _print_names(shell: Shell, folder: str, names: list[str], flags: dict[str, str], streams: Streams) -> None:
    if "l" not in flags:
        if streams.is_tty and "1" not in flags:
            if names:
                streams.say("  ".join(names))
            return
        for name in names:
            streams.say(name)
        return
    files = shell.machine.files
    moment = datetime.fromtimestamp(shell.machine.now_ns() // SECOND_NS, UTC).strftime("%b %e %H:%M")
    if len(names) > 1:
        streams.say(f"total {4 * len(names)}")
    for name in names:
        path = posixpath.normpath(posixpath.join(folder, name))
        is_directory = files.is_directory(path)
        size = 4096 if is_directory else len(files.read(path))
        mode = "drwxr-xr-x" if is_directory else "-rw-r--r--"
        streams.say(f"{mode}    {2 if is_directory else 1} root     root     {size:9d} {moment} {name}")


def _change(name: str, act: Callable[[Shell, str, dict[str, str]], None]) -> Main:
    def main(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
        flags, paths = options(words, "m")
        code = 0
        for path in paths:
            try:
                act(shell, shell.path(path), flags)
            except OSError as error:
                if not ("f" in flags and isinstance(error, FileNotFoundError)):
                    text = f"can't create directory '{path}'" if name == "mkdir" else f"can't remove '{path}'"
                    streams.complain(f"{name}: {path if name == 'touch' else text}: {error.strerror}")
                    code = 1
        return done(code)

    return main


def _touch(shell: Shell, path: str, flags: dict[str, str]) -> None:
    if not shell.machine.files.exists(path):
        shell.machine.files.write(path, b"")


def _mkdir(shell: Shell, path: str, flags: dict[str, str]) -> None:
    shell.machine.files.make_directory(path, "p" in flags)


def _rm(shell: Shell, path: str, flags: dict[str, str]) -> None:
    shell.machine.files.remove(path, bool({"r", "R"} & flags.keys()))


def _cp(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    flags, paths = options(words)
    files = shell.machine.files
    if len(paths) < 2:
        streams.complain(f"{words[0]}: missing file operand")
        return done(1)
    *sources, target = paths
    for source in sources:
        origin, end = shell.path(source), shell.path(target)
        if files.is_directory(end):
            end = posixpath.join(end, posixpath.basename(origin))
        try:
            if files.is_directory(origin) and not {"r", "R", "a"} & flags.keys() and words[0] == "cp":
                streams.complain(f"cp: omitting directory '{source}'")
                return done(1)
            for each in files.walk(origin):
                copied = end + each[len(origin) :]
                if files.is_directory(each):
                    files.make_directory(copied, has_parents=True)
                else:
                    files.write(copied, files.read(each))
            if words[0] == "mv":
                files.remove(origin, is_recursive=True)
        except OSError as error:
            where = target if error.filename and error.filename != origin else source
            streams.complain(f"{words[0]}: can't stat '{where}': {error.strerror}")
            return done(1)
    return done()


def _tee(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    flags, paths = options(words)
    content = yield from streams.stdin.rest()
    streams.out(content)
    code = 0
    for path in paths:
        try:
            shell.machine.files.write(shell.path(path), content, "a" in flags)
        except OSError as error:
            streams.complain(f"tee: {path}: {error.strerror}")
            code = 1
    return code


def _find(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    start = words[1] if len(words) > 1 and not words[1].startswith("-") else "."
    full = shell.path(start)
    if not shell.machine.files.exists(full):
        streams.complain(f"find: {start}: No such file or directory")
        return done(1)
    for path in shell.machine.files.walk(full):
        streams.say(start.rstrip("/") + path[len(full.rstrip("/")) :] if path != full else start)
    return done()


def _hostname(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    hosts = shell.machine.files.read("/etc/hosts").decode().split()
    name = shell.machine.hostname
    streams.say(hosts[hosts.index(name) - 1] if "-i" in words and name in hosts else name)
    return done()


def _uname(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    machine = shell.machine
    whole = f"Linux {machine.hostname} 6.12.37-61.105.amzn2023.{machine.architecture} #1 SMP {machine.architecture}"
    parts = {"-a": f"{whole} GNU/Linux", "-n": machine.hostname, "-m": machine.architecture}
    streams.say(parts.get(words[1] if len(words) > 1 else "", "Linux"))
    return done()


def _whoami(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    full = "uid=0(root) gid=0(root) groups=0(root)"
    streams.say("root" if words[0] == "whoami" else "0" if "-u" in words else full)
    return done()


def _ps(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    streams.say("PID   USER     TIME  COMMAND")
    streams.say(f"    1 root      0:00 {shell.machine.main_command}")
    streams.say(f"   17 root      0:00 {' '.join(words)}")
    return done()


def _kill(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    signal = next((word[1:].removeprefix("SIG") for word in words[1:] if word.startswith("-")), "TERM")
    targets = [word for word in words[1:] if not word.startswith("-") and word not in ("TERM", "KILL")]
    if targets != ["1"]:
        streams.complain(f"sh: can't kill pid {' '.join(targets)}: No such process")
        return done(1)
    if signal in ("TERM", "15", "s"):
        shell.machine.terminate()
    return done()


def _basename(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    path = words[1] if len(words) > 1 else ""
    part = posixpath.basename(path.rstrip("/")) if words[0] == "basename" else posixpath.dirname(path) or "."
    streams.say(part.removesuffix(words[2]) if len(words) > 2 else part)
    return done()


FILE_COMMANDS: dict[str, Main] = {
    "cat": _cat,
    "head": _head,
    "tail": _head,
    "grep": _grep,
    "wc": _wc,
    "sort": _sort,
    "uniq": _sort,
    "ls": _ls,
    "touch": _change("touch", _touch),
    "mkdir": _change("mkdir", _mkdir),
    "rm": _change("rm", _rm),
    "cp": _cp,
    "mv": _cp,
    "tee": _tee,
    "find": _find,
    "hostname": _hostname,
    "uname": _uname,
    "whoami": _whoami,
    "id": _whoami,
    "ps": _ps,
    "kill": _kill,
    "basename": _basename,
    "dirname": _basename,
}
