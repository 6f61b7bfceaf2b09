"""The shell that runs in containers: language, commands, files, archives."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

import pytest

from labs.dataplane.shell.files import FileTree, Folder, View
from labs.dataplane.shell.machine import Machine
from labs.dataplane.shell.session import Session, new_shell, script_of
from labs.dataplane.shell.syntax import parse
from labs.dataplane.shell.waits import Reply, Resolution
from labs.sim.loop import Loop
from labs.units import SECOND_NS, parse_rfc3339

START_NS = parse_rfc3339("2026-03-02T09:00:00Z")


class Box:
    """A container without a cluster; ``replies`` are what requests get, by URL."""

    def __init__(self) -> None:
        self.loop = Loop(START_NS)
        self.replies: dict[str, Reply] = {}
        self.asked: list[str] = []
        self.printed = b""
        self.root = Folder()
        for name in ("tmp", "etc", "data"):
            self.root.put(name, None)
        self.root.put("etc/hosts", b"127.0.0.1\tlocalhost\n10.0.0.9\tweb-0\n")
        self.settings = {"mode": b"fast\n"}
        mounts = {
            "/config": Folder(lambda: self.settings),
            "/etc/one.conf": View(Folder(lambda: self.settings), "mode"),
        }
        self.machine = Machine(
            make_files=lambda: FileTree(self.root, mounts),
            environment={"PATH": "/bin", "HOSTNAME": "web-0", "GREETING": "hello world"},
            hostname="web-0",
            now_ns=lambda: self.loop.now_ns,
            fetch=self._fetch,
            resolve=self._resolve,
            log=self._log,
            terminate=lambda: None,
        )

    def _log(self, content: bytes) -> None:
        self.printed += content

    def _fetch(self, url: str, timeout_ns: int | None, done: Callable[[Reply], None]) -> Callable[[], None]:
        self.asked.append(url)
        reply = self.replies.get(url, Reply(error="unresolved"))
        return self.loop.after(reply.took_ns, done, reply).cancel

    def _resolve(self, name: str) -> Resolution:
        known = {"frontend": ("10.100.7.7",)}
        return Resolution(f"{name}.default.svc.cluster.local", known.get(name, ()), "10.100.0.10")

    def session(self, has_stdin: bool = False) -> tuple[Session, list[bytes], list[bytes], list[int]]:
        out: list[bytes] = []
        err: list[bytes] = []
        codes: list[int] = []
        return (
            Session(self.loop, new_shell(self.machine), out.append, err.append, codes.append, has_stdin),
            out,
            err,
            codes,
        )

    def run(self, text: str, stdin: bytes | None = None, seconds: float = 3600) -> tuple[int, str, str]:
        session, out, err, codes = self.session(stdin is not None)
        session.begin_script(parse(text))
        if stdin is not None:
            session.feed(stdin)
            session.end_input()
        self.loop.run_until(self.loop.now_ns + round(seconds * SECOND_NS), lambda: bool(codes))
        return codes[0], b"".join(out).decode(), b"".join(err).decode()


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.mark.parametrize(
    ("text", "out", "code"),
    [
        ("echo one two", "one two\n", 0),
        ("echo -n x; echo y", "xy\n", 0),
        ("false || echo saved && echo on", "saved\non\n", 0),
        ("false && echo never; echo $?", "1\n", 0),
        ("! true", "", 1),
        ("X=1; Y=$X$X; echo $Y '$Y' \"$Y\"", "11 $Y 11\n", 0),
        ("for i in 1 2 3; do echo -n $i; done", "123", 0),
        ("for w in $GREETING; do echo $w; done", "hello\nworld\n", 0),
        ('for w in "$GREETING"; do echo $w; done', "hello world\n", 0),
        ("i=0; while [ $i -lt 3 ]; do i=$((i+1)); done; echo $i", "3\n", 0),
        ("until [ -f /tmp/x ]; do touch /tmp/x; done; ls /tmp", "x\n", 0),
        ("if [ -d /tmp ]; then echo dir; else echo none; fi", "dir\n", 0),
        ("if false; then echo a; elif true; then echo b; fi", "b\n", 0),
        ("while true; do break; done; echo out", "out\n", 0),
        ("echo a b | wc -w", "2\n", 0),
        ("printf 'b\\na\\n' | sort | head -n1", "a\n", 0),
        ("(cd /tmp; pwd); pwd", "/tmp\n/\n", 0),
        ("{ echo a; echo b; } | grep -c .", "2\n", 0),
        ("echo ${NAME:-none} ${GREETING:+set} ${#GREETING}", "none set 11\n", 0),
        ("exit 7", "", 7),
        ("echo hi > /dev/null; echo err >&2", "", 0),
        ("A=5 env | grep ^A", "A=5\n", 0),
        ("export B=2; sh -c 'echo $B'", "2\n", 0),
        ("sh -c 'echo $0 $1' name first", "name first\n", 0),
        ("date +%Y-%m-%dT%H:%M:%S", "2026-03-02T09:00:00\n", 0),
        ("date", "Mon Mar  2 09:00:00 UTC 2026\n", 0),
        ("hostname; hostname -i", "web-0\n10.0.0.9\n", 0),
        ("nosuch", "", 127),
        ("/tmp", "", 126),
        ("seq 2 2 6", "2\n4\n6\n", 0),
        ("printf '%s-%d\\n' a 1 b 2", "a-1\nb-2\n", 0),
        ("# only a comment", "", 0),
        ("echo a 2>&1 # and one", "a\n", 0),
        ("command -v curl && which nothing", "/bin/curl\n", 1),
    ],
)
def test_language(box: Box, text: str, out: str, code: int) -> None:
    assert box.run(text)[:2] == (code, out)


def test_script_that_cannot_be_read_ends_with_2(box: Box) -> None:
    code, _, err = box.run("sh -c 'if true; then echo x'")
    assert code == 2
    assert "syntax error" in err


def test_files_are_written_listed_and_removed(box: Box) -> None:
    assert box.run("echo a > /data/f; echo b >> /data/f; cat /data/f; ls /data")[1] == "a\nb\nf\n"
    assert box.run("mkdir -p /data/x/y && cp /data/f /data/x/y && mv /data/f /data/g; find /data")[1].split() == [
        "/data",
        "/data/g",
        "/data/x",
        "/data/x/y",
        "/data/x/y/f",
    ]
    code, _, err = box.run("rm /data/nothing")
    assert (code, err) == (
        1,
        "rm: /data/nothing: No such file or directory\n".replace("/data/nothing", "can't remove '/data/nothing'"),
    )
    assert box.run("rm -rf /data/x; ls /data; ls /nowhere")[0] == 1
    assert box.run("cat /data")[2] == "cat: read error: Is a directory\n"


def test_mounted_config_is_read_only_and_follows_the_cluster(box: Box) -> None:
    assert box.run("cat /config/mode /etc/one.conf; ls /config")[1] == "fast\nfast\nmode\n"
    box.settings = {"mode": b"slow\n"}
    assert box.run("cat /config/mode")[1] == "slow\n"
    code, _, err = box.run("echo x > /config/mode")
    assert (code, err) == (1, "sh: can't create /config/mode: Read-only file system\n")


def test_sleep_takes_virtual_time_and_a_loop_never_stands_still(box: Box) -> None:
    box.run("sleep 90")
    assert box.loop.now_ns - START_NS == 90 * SECOND_NS
    session, *_ = box.session()
    session.begin_script(parse("while true; do :; done"))
    box.loop.run_until(box.loop.now_ns + SECOND_NS)
    assert not session.is_over


def test_trap_runs_when_the_command_of_the_moment_is_over(box: Box) -> None:
    session, out, _, codes = box.session()
    session.begin_script(parse("trap 'echo bye; exit 3' TERM; while true; do sleep 2; done"))
    box.loop.run_until(box.loop.now_ns + 5 * SECOND_NS)
    session.shell.has_term = True
    box.loop.run_until(box.loop.now_ns + 2 * SECOND_NS)
    assert (b"".join(out), codes) == (b"bye\n", [3])


def test_input_comes_in_pieces(box: Box) -> None:
    session, out, _, codes = box.session(has_stdin=True)
    session.begin(["sh"])
    assert session.is_waiting_for_input
    session.feed(b"echo on")
    session.feed(b"e\necho two; exit 5\necho never\n")
    assert (b"".join(out), codes) == (b"one\ntwo\n", [5])


def test_web_commands_say_what_the_real_ones_do(box: Box) -> None:
    ok = Reply(200, "", "10.100.7.7", b"<h1>shop</h1>\n", 30_000_000)
    box.replies = {
        "http://frontend": ok,
        "http://frontend/": ok,
        "http://down": Reply(error="refused", address="10.100.7.8", took_ns=1_000_000),
        "http://slow": Reply(error="timeout", address="10.100.7.9", took_ns=2 * SECOND_NS),
        "http://sick": Reply(503, "", "10.100.7.7", b"no\n"),
    }
    assert box.run("wget -qO- http://frontend")[:2] == (0, "<h1>shop</h1>\n")
    assert box.run("curl -s -o /dev/null -w '%{http_code}\\n' http://frontend/")[:2] == (0, "200\n")
    assert (
        box.run("curl -m 2 slow")[2] == "curl: (28) Operation timed out after 2000 milliseconds with 0 bytes received\n"
    )
    code, _, err = box.run("curl http://down")
    assert (code, err) == (7, "curl: (7) Failed to connect to down port 80 after 1 ms: Could not connect to server\n")
    assert box.run("curl http://nobody")[2] == "curl: (6) Could not resolve host: nobody\n"
    assert box.run("curl -sf http://sick")[0] == 22
    assert box.run("wget -q -O- http://sick")[2] == "wget: server returned error: HTTP/1.1 503 Service Unavailable\n"
    assert box.run("wget -O- http://nobody")[2] == "wget: bad address 'nobody'\n"
    assert "Address: 10.100.7.7" in box.run("nslookup frontend")[1]
    code, out, _ = box.run("nslookup nobody")
    assert code == 1
    assert "** server can't find nobody.default.svc.cluster.local: NXDOMAIN" in out


def test_tar_goes_both_ways(box: Box) -> None:
    box.run("echo content > /data/a; mkdir /data/d; echo deep > /data/d/b")
    session, out, _, codes = box.session()
    session.begin(["tar", "cf", "-", "/data"])
    archive = b"".join(out)
    with tarfile.open(fileobj=io.BytesIO(archive)) as reader:
        assert reader.getnames() == ["data", "data/a", "data/d", "data/d/b"]
    session, _, _, more = box.session(has_stdin=True)
    session.begin(["tar", "-xmf", "-", "-C", "/tmp"])
    session.feed(archive)
    session.end_input()
    assert codes + more == [0, 0]
    assert box.run("cat /tmp/data/d/b")[1] == "deep\n"


def test_container_command_is_not_expanded_without_a_shell(box: Box) -> None:
    script = script_of(["echo", "$GREETING", "a;b"])
    assert script is not None
    session, out, _, _ = box.session()
    session.begin_script(script)
    assert b"".join(out) == b"$GREETING a;b\n"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("break; echo $?", 0),
        ("for i in 1 2; do (break); done; echo $?", 0),
        ("(" * 5000 + "true" + ")" * 5000, 2),
        ("echo $((" + "(" * 5000 + "1" + ")" * 5000 + "))", 2),
        ("exit " + "9" * 5000, 2),
        ("sleep " + "9" * 500, 2),
        ("f=x; printf '%9999999999d' 1", 0),
        ("printf '' a b", 0),
        ("seq 1 0 5", 1),
    ],
)
def test_what_nobody_means_harms_nobody(box: Box, text: str, code: int) -> None:
    session, _, _, codes = box.session()
    session.begin(["sh", "-c", text])
    box.loop.run_until(box.loop.now_ns + SECOND_NS)
    assert codes == [code]


def test_endless_output_takes_time(box: Box) -> None:
    session, out, _, _ = box.session()
    session.begin_script(parse("seq 1 1000000000"))
    box.loop.run_until(box.loop.now_ns + SECOND_NS // 10)
    assert not session.is_over
    assert len(out) <= 20_000
    session.abort()
