"""The commands of the shell itself, and those that only compute.

Source: POSIX.1-2017, Utilities; busybox 1.37 for the texts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from labs.dataplane.shell.interpreter import ITERATION_NS, Jump, Leave, Main, Shell
from labs.dataplane.shell.waits import Running, Sleep, Streams, Variables
from labs.units import SECOND_NS

_LENGTH = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([smhd]?)")
_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_LINES_PER_TURN = 100
"""What prints without an end takes time, so that nothing stands still."""
_FORMAT = re.compile(r"%%|%-?[0-9]{0,3}[sdi]")
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", "r": "\r", "a": "\a", "b": "\b"}


def done(code: int = 0) -> Running:
    """A command that ends at once; it waits for nothing."""
    return code
    yield Sleep(0)


def _true(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    return done(0)


def _false(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    return done(1)


def _exit(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    text = words[1] if len(words) > 1 else str(shell.variables.last_code)
    if not text.isdecimal():
        streams.complain(f"sh: exit: Illegal number: {text}")
        raise Leave(2)
    raise Leave(int(text) % 256)


def _break(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    if shell.loop_depth:
        raise Jump(words[0] == "break")
    return done(0)


def _echo(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    rest = list(words[1:])
    flags = ""
    while rest and re.fullmatch(r"-[neE]+", rest[0]):
        flags += rest.pop(0)[1:]
    text = " ".join(rest)
    if "e" in flags:
        text = unescaped(text)
    streams.out((text if "n" in flags else f"{text}\n").encode())
    return done()


def unescaped(text: str) -> str:
    """Backslash escapes as ``echo -e`` and ``printf`` read them."""
    return re.sub(r"\\([nt\\rab])", lambda match: _ESCAPES[match.group(1)], text)


def _printf(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    if len(words) < 2:
        streams.complain("printf: usage: printf FORMAT [ARG]...")
        return done(1)
    arguments = list(words[2:])

    def value(match: re.Match[str]) -> str:
        if match.group() == "%%":
            return "%"
        text = arguments.pop(0) if arguments else ""
        if match.group()[-1] in "di":
            number = int(text) if re.fullmatch(r"-?[0-9]+", text) else 0
            return str(match.group()[:-1] + "d") % number
        return match.group() % text

    pattern = unescaped(words[1])
    left = len(arguments)
    out = re.sub(_FORMAT, value, pattern)
    while arguments and len(arguments) < left:  # the format is used again as long as it takes arguments
        left = len(arguments)
        out += re.sub(_FORMAT, value, pattern)
    streams.out(out.encode())
    return done()


def _sleep(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    total_s = 0.0
    for word in words[1:]:
        match = _LENGTH.fullmatch(word)
        if word in ("infinity", "inf"):
            yield Sleep(None)
        elif match is None:
            streams.complain(f"sleep: invalid number '{word}'")
            return 1
        else:
            total_s += float(match.group(1)) * _UNITS_S[match.group(2)]
    if len(words) < 2:
        streams.complain("BusyBox v1.37.0 () multi-call binary.\n\nUsage: sleep [N]...")
        return 1
    yield Sleep(round(total_s * SECOND_NS))
    return 0


def _date(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    now_ns = shell.machine.now_ns()
    moment = datetime.fromtimestamp(now_ns // SECOND_NS, UTC)
    pattern = next((word[1:] for word in words[1:] if word.startswith("+")), "")
    if "-Iseconds" in words:
        pattern = "%Y-%m-%dT%H:%M:%S+00:00"
    text = (pattern or "%a %b %e %H:%M:%S UTC %Y").replace("%s", str(now_ns // SECOND_NS))
    streams.say(moment.strftime(text.replace("%N", f"{now_ns % SECOND_NS:09d}")))
    return done()


def _env(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    rest = list(words[1:])
    values = shell.environment
    while rest and "=" in rest[0]:
        name, _, value = rest.pop(0).partition("=")
        values[name] = value
    if rest:
        inner = shell.subshell()
        inner.variables.values |= values
        inner.variables.exported |= dict.fromkeys(values)
        return (yield from inner.execute(rest, streams))
    for name, value in values.items():
        streams.say(f"{name}={value}")
    return 0


def _printenv(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    if len(words) == 1:
        return (yield from _env(shell, words, streams))
    values = shell.environment
    for name in words[1:]:
        if name in values:
            streams.say(values[name])
    return int(any(name not in values for name in words[1:]))


def _export(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if equals:
            shell.variables.values[name] = value
        shell.variables.exported[name] = None
    return done()


def _unset(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    for name in words[1:]:
        shell.variables.values.pop(name, None)
        shell.variables.exported.pop(name, None)
    return done()


def _trap(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    if len(words) > 2 and {word.removeprefix("SIG") for word in words[2:]} & {"TERM", "15"}:
        shell.trap = None if words[1] == "-" else words[1]
    return done()


def _test(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    rest = list(words[1:])
    if words[0] == "[" and (not rest or rest.pop() != "]"):
        streams.complain("sh: [: missing ]")
        return done(2)
    is_negated = False
    while rest and rest[0] == "!":
        is_negated = not is_negated
        rest.pop(0)
    holds = _holds(shell, rest)
    if holds is None:
        streams.complain(f"sh: {rest[-1] if rest else ''}: unknown operand")
        return done(2)
    return done(int(holds == is_negated))


def _holds(shell: Shell, words: list[str]) -> bool | None:
    files = shell.machine.files
    if len(words) < 2:
        return bool(words and words[0])
    if len(words) == 2:
        path = shell.path(words[1])
        tests = {"-n": bool(words[1]), "-z": not words[1], "-e": files.exists(path), "-f": files.is_file(path)}
        tests |= {"-d": files.is_directory(path), "-r": files.exists(path), "-w": files.exists(path)}
        tests |= {"-s": files.is_file(path) and bool(files.read(path)), "-x": shell.find(words[1]) is not None}
        return tests.get(words[0])
    if len(words) > 3:
        joined = next((word for word in words if word in ("-a", "-o")), "")
        if not joined:
            return None
        at = words.index(joined)
        left, right = _holds(shell, words[:at]), _holds(shell, words[at + 1 :])
        if left is None or right is None:
            return None
        return left and right if joined == "-a" else left or right
    left_text, how, right_text = words
    if how in ("=", "==", "!="):
        return (left_text == right_text) == (how != "!=")
    try:
        left_number, right_number = int(left_text), int(right_text)
    except ValueError:
        return None
    order = (left_number > right_number) - (left_number < right_number)
    allowed = {"-eq": (0,), "-ne": (-1, 1), "-lt": (-1,), "-le": (-1, 0), "-gt": (1,), "-ge": (0, 1)}.get(how)
    return None if allowed is None else order in allowed


def _seq(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    numbers = [int(word) for word in words[1:] if re.fullmatch(r"-?[0-9]+", word)]
    if len(numbers) != len(words) - 1 or not 1 <= len(numbers) <= 3:
        streams.complain("seq: invalid number")
        return 1
    first, step = (numbers[0] if len(numbers) > 1 else 1), (numbers[1] if len(numbers) == 3 else 1)
    if not step:
        streams.complain("seq: increment must not be 0")
        return 1
    for count, number in enumerate(range(first, numbers[-1] + (1 if step > 0 else -1), step), 1):
        streams.say(str(number))
        if not count % _LINES_PER_TURN:
            yield Sleep(ITERATION_NS)
    return 0


def _sh(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    inner = shell.subshell()
    rest = list(words[1:])
    flags = ""
    while rest and re.fullmatch(r"[-+][a-z]+", rest[0]):
        flags += rest.pop(0)[1:]
    if "c" in flags:
        if not rest:
            streams.complain("sh: -c requires an argument")
            return 2
        inner.variables.arguments = tuple(rest[1:]) or ("sh",)
        return (yield from inner.run_text(rest[0], streams))
    if rest:
        path = shell.path(rest[0])
        if not shell.machine.files.is_file(path):
            streams.complain(f"sh: can't open '{rest[0]}': No such file or directory")
            return 2
        inner.variables.arguments = tuple(rest)
        return (yield from inner.run_text(shell.machine.files.read(path).decode(errors="replace"), streams))
    return (yield from inner.interact(streams, streams.is_tty))


def _exec(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    if len(words) > 1:
        raise Leave((yield from shell.execute(words[1:], streams)))
    return 0


def _cd(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    path = shell.path(words[1] if len(words) > 1 else shell.variables.values.get("HOME", "/"))
    if not shell.machine.files.is_directory(path):
        streams.complain(f"sh: cd: can't cd to {words[1]}: No such file or directory")
        return done(2)
    shell.directory = path
    return done()


def _pwd(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    streams.say(shell.directory)
    return done()


def _read(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    line = yield from streams.stdin.line()
    names = [word for word in words[1:] if not word.startswith("-")] or ["REPLY"]
    parts = (line or "").split(None, len(names) - 1)
    for number, name in enumerate(names):
        shell.variables.values[name] = parts[number].strip() if number < len(parts) else ""
    return int(line is None)


def _which(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    names = [word for word in words[1:] if not word.startswith("-")]
    found = [name for name in names if shell.find(name) is not None]
    for name in found:
        streams.say(name if "/" in name else f"/bin/{name}")
    return done(int(len(found) < len(names)))


def _wait(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    return done()


def new_variables(environment: dict[str, str]) -> Variables:
    """The variables of a shell that is started with an environment."""
    return Variables(dict(environment), dict.fromkeys(environment), arguments=("sh",))


BUILTINS: dict[str, Main] = {
    ":": _true,
    "true": _true,
    "false": _false,
    "exit": _exit,
    "break": _break,
    "continue": _break,
    "echo": _echo,
    "printf": _printf,
    "sleep": _sleep,
    "date": _date,
    "env": _env,
    "printenv": _printenv,
    "export": _export,
    "unset": _unset,
    "set": _true,
    "trap": _trap,
    "test": _test,
    "[": _test,
    "seq": _seq,
    "sh": _sh,
    "ash": _sh,
    "bash": _sh,
    "exec": _exec,
    "cd": _cd,
    "pwd": _pwd,
    "read": _read,
    "which": _which,
    "command": _which,
    "wait": _wait,
}
