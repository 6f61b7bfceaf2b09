"""``curl``, ``wget`` and ``nslookup``: requests and look-ups that go through the simulated network.

Texts: curl 8, busybox 1.37.
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from labs.dataplane.shell.interpreter import Main, Shell
from labs.dataplane.shell.waits import Fetch, Reply, Resolution, Resolve, Running, Sleep, Streams
from labs.units import MILLISECOND_NS, SECOND_NS

_CONNECT_LIMIT_NS = 135 * SECOND_NS
"""How long Linux tries to connect (tcp_syn_retries 6) when the caller sets no limit."""
_DNS_LIMIT_NS = 10 * SECOND_NS
_VALUED = ("o", "w", "m", "X", "H", "d", "u", "A", "T", "O", "Y", "P")
_LONG = {
    "silent": "s",
    "output": "o",
    "write-out": "w",
    "max-time": "m",
    "connect-timeout": "m",
    "fail": "f",
    "include": "i",
    "head": "I",
    "verbose": "v",
    "quiet": "q",
    "timeout": "T",
    "output-document": "O",
    "request": "X",
    "header": "H",
    "data": "d",
}


def _read(words: Sequence[str], program: str) -> tuple[dict[str, str], list[str]]:
    found: dict[str, str] = {}
    rest: list[str] = []
    queue = list(words[1:])
    while queue:
        word = queue.pop(0)
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            letter = _LONG.get(name, name)
            found[letter] = value if equals or letter not in _VALUED else queue.pop(0) if queue else ""
        elif word.startswith("-") and len(word) > 1:
            for at, letter in enumerate(word[1:], 2):
                # In wget -q -O- the letters o and T differ from curl's.
                if letter in _VALUED and not (program == "curl" and letter in "OT"):
                    found[letter] = word[at:] or (queue.pop(0) if queue else "")
                    break
                found[letter] = ""
        else:
            rest.append(word)
    return found, rest


def _limit_ns(text: str | None) -> int:
    try:
        return round(float(text) * SECOND_NS) if text else _CONNECT_LIMIT_NS
    except ValueError:
        return _CONNECT_LIMIT_NS


def _curl(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    flags, urls = _read(words, "curl")
    if not urls:
        streams.complain("curl: (2) no URL specified")
        return 2
    code = 0
    for url in urls:
        limit_ns = _limit_ns(flags.get("m"))
        reply: Reply = yield Fetch(url if "//" in url else f"http://{url}", limit_ns)
        code = yield from _show(shell, url, flags, reply, limit_ns, streams)
    return code


def _show(shell: Shell, url: str, flags: dict[str, str], reply: Reply, limit_ns: int, streams: Streams) -> Running:
    code, message = _curl_end(url, reply, limit_ns, "f" in flags)
    if code and ("s" not in flags or "S" in flags):
        streams.complain(f"curl: ({code}) {message}")
    if reply.status:
        head = f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}\r\nContent-Length: {len(reply.body)}\r\n\r\n"
        body = b"" if "I" in flags or code == 22 else reply.body
        content = (head.encode() if "i" in flags or "I" in flags else b"") + body
        if "v" in flags:
            streams.err(f"* Connected to {urlsplit(url).hostname} ({reply.address})\n< {head}".encode())
        yield from _store(shell, flags.get("o", "-"), content, streams)
    if "w" in flags:
        known = {"http_code": f"{reply.status:03d}", "time_total": f"{reply.took_ns / SECOND_NS:.6f}"}
        known |= {
            "size_download": str(len(reply.body)),
            "remote_ip": reply.address,
            "response_code": known["http_code"],
        }
        text = flags["w"].replace("\\n", "\n").replace("\\t", "\t")
        for name, value in known.items():
            text = text.replace(f"%{{{name}}}", value)
        streams.out(text.encode())
    return code


def _curl_end(url: str, reply: Reply, limit_ns: int, is_failing: bool) -> tuple[int, str]:
    parts = urlsplit(url if "//" in url else f"http://{url}")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    took_ms = reply.took_ns // MILLISECOND_NS
    if reply.error == "unresolved":
        return 6, f"Could not resolve host: {parts.hostname}"
    if reply.error == "refused":
        return 7, f"Failed to connect to {parts.hostname} port {port} after {took_ms} ms: Could not connect to server"
    if reply.error == "timeout":
        return 28, f"Operation timed out after {limit_ns // MILLISECOND_NS} milliseconds with 0 bytes received"
    if reply.error:
        return 56, "Recv failure: Connection reset by peer"
    if is_failing and reply.status >= 400:
        return 22, f"The requested URL returned error: {reply.status}"
    return 0, ""


def _store(shell: Shell, path: str, content: bytes, streams: Streams) -> Running:
    if path == "-":
        streams.out(content)
        return 0
    try:
        shell.machine.files.write(shell.path(path), content)
    except OSError as error:
        streams.complain(f"can't open '{path}': {error.strerror}")
        return 1
    return 0
    yield Sleep(0)


def _wget(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    flags, urls = _read(words, "wget")
    if not urls:
        streams.complain("BusyBox v1.37.0 () multi-call binary.\n\nUsage: wget [-q] [-O FILE] [-T SEC] URL...")
        return 1
    url = urls[0] if "//" in urls[0] else f"http://{urls[0]}"
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    reply: Reply = yield Fetch(url, _limit_ns(flags.get("T")))
    if "q" not in flags and reply.error != "unresolved":
        streams.complain(f"Connecting to {parts.netloc} ({reply.address}:{port})")
    errors = {
        "unresolved": f"bad address '{parts.netloc}'",
        "refused": f"can't connect to remote host ({reply.address}): Connection refused",
        "reset": "error getting response: Connection reset by peer",
        "timeout": "download timed out" if "T" in flags else "can't connect to remote host: Operation timed out",
    }
    if reply.error or reply.status >= 400:
        phrase = HTTPStatus(reply.status).phrase if reply.status else ""
        streams.complain(
            f"wget: {errors.get(reply.error) or f'server returned error: HTTP/1.1 {reply.status} {phrase}'}"
        )
        return 1
    if "spider" in flags:
        return 0
    path = flags.get("O") or parts.path.rpartition("/")[2] or "index.html"
    return (yield from _store(shell, path, reply.body, streams))


def _nslookup(shell: Shell, words: Sequence[str], streams: Streams) -> Running:
    names = [word for word in words[1:] if not word.startswith("-")]
    if not names:
        streams.complain("BusyBox v1.37.0 () multi-call binary.\n\nUsage: nslookup HOST [DNS_SERVER]")
        return 1
    answer: Resolution = yield Resolve(names[0])
    if answer.is_timed_out:
        yield Sleep(_DNS_LIMIT_NS)
        streams.say(";; connection timed out; no servers could be reached\n")
        return 1
    streams.say(f"Server:\t\t{answer.server}\nAddress:\t{answer.server}:53\n")
    if not answer.addresses:
        streams.say(f"** server can't find {answer.name}: NXDOMAIN\n")
        return 1
    for address in answer.addresses:
        streams.say(f"Name:\t{answer.name}\nAddress: {address}")
    streams.say("")
    return 0


WEB_COMMANDS: dict[str, Main] = {"curl": _curl, "wget": _wget, "nslookup": _nslookup}
