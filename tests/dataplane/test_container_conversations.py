"""exec, attach, port-forward and followed logs, as the data plane holds them."""

from __future__ import annotations

from typing import Any

import pytest
from shop_rig import Shop, build_shop

from labs.api.rest.connects import Channel, Conversation
from labs.dataplane.logs import LogOptions
from labs.errors import ApiError


class Talk:
    """One conversation and what came of it."""

    def __init__(self, shop: Shop, kind: str, pod: str, *command: str, **fields: Any) -> None:
        self.shop = shop
        self.output: dict[int, bytes] = {1: b"", 2: b""}
        self.ends: list[dict[str, Any]] = []
        port = fields.pop("port", None)
        conversation = Conversation(kind, "default", pod, fields.pop("container", "main"), command, **fields)
        attendant = shop.dataplane.attendant
        if port is None:
            self.channel: Channel = attendant.start(conversation, self._hear, self.ends.append)
        else:
            self.channel = attendant.forward(conversation, port, self._hear, self.ends.append)

    def _hear(self, channel: int, content: bytes) -> None:
        self.output[channel] += content

    def type(self, text: str) -> bytes:
        """What the terminal shows from now on after ``text`` was typed."""
        before = len(self.output[1])
        self.channel.feed(text.encode())
        return self.output[1][before:]


@pytest.fixture(scope="module")
def shop() -> Shop:
    """A server, a job that is done, and a container that reads what is typed."""
    shop = build_shop()
    shop.service("web")
    shop.pod("web-0", "nginx:1.29")
    shop.pod("done-0", "busybox:1.36", restartPolicy="Never", container={"command": ["true"]})
    shop.pod("typed-0", "busybox:1.36", container={"command": ["sh"], "stdin": True, "tty": True})
    shop.pod("ticker-0", "busybox:1.36", container={"command": ["sh", "-c", "while sleep 1; do date +%S; done"]})
    shop.run(30)
    return shop


def test_exit_code_is_carried_as_a_cause(shop: Shop) -> None:
    talk = Talk(shop, "exec", "web-0", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert talk.output == {1: b"out\n", 2: b"err\n"}
    assert talk.ends[0]["reason"] == "NonZeroExitCode"
    assert talk.ends[0]["details"] == {"causes": [{"reason": "ExitCode", "message": "3"}]}
    assert Talk(shop, "exec", "web-0", "true").ends == [{"metadata": {}, "status": "Success"}]


@pytest.mark.parametrize(
    ("command", "text", "code"),
    [
        ("nosuch", 'exec: "nosuch": executable file not found in $PATH: unknown', "127"),
        ("/app/nosuch", 'exec: "/app/nosuch": stat /app/nosuch: no such file or directory: unknown', "127"),
        ("/etc/hosts", 'exec: "/etc/hosts": stat /etc/hosts: permission denied: unknown', "126"),
    ],
)
def test_unknown_command_is_refused_as_runc_does(shop: Shop, command: str, text: str, code: str) -> None:
    talk = Talk(shop, "exec", "web-0", command)
    assert text in talk.output[2].decode()
    assert talk.ends[0]["details"]["causes"][0]["message"] == code


def test_container_that_does_not_run_cannot_be_talked_to(shop: Shop) -> None:
    talk = Talk(shop, "exec", "done-0", "ls")
    assert talk.ends[0]["message"] == (
        'Internal error occurred: unable to upgrade connection: container not found ("main")'
    )


def test_request_of_a_command_takes_time_and_is_in_the_ledger(shop: Shop) -> None:
    before = shop.dataplane.ledger.conservation().arrived
    talk = Talk(shop, "exec", "web-0", "curl", "-s", "http://web")
    assert not talk.ends
    shop.run(1)
    assert b"Served by web-0" in talk.output[1]
    assert shop.dataplane.ledger.conservation().arrived == before + 1
    assert shop.dataplane.ledger.conservation().holds


def test_terminal_echoes_edits_and_interrupts(shop: Shop) -> None:
    talk = Talk(shop, "exec", "web-0", "sh", has_stdin=True, is_tty=True)
    assert talk.output[1] == b"/ # "
    assert talk.type("echo ax\x7f\r") == b"echo ax\x08 \x08\r\na\r\n/ # "
    talk.type("sleep 1000\r")
    assert not talk.channel.is_waiting_for_input
    assert talk.type("\x03") == b"^C\r\n/ # "
    assert talk.type("echo $?\r").endswith(b"130\r\n/ # ")
    talk.type("\x04")
    assert len(talk.ends) == 1


def test_client_that_goes_ends_its_command(shop: Shop) -> None:
    talk = Talk(shop, "exec", "web-0", "sleep", "1000")
    talk.channel.close()
    shop.run(1)
    assert not talk.ends


def test_attached_client_types_to_process_1(shop: Shop) -> None:
    talk = Talk(shop, "attach", "typed-0", has_stdin=True, is_tty=True)
    assert talk.type("hostname\r") == b"hostname\r\ntyped-0\r\n/ # "
    talk.type("exit 2\r")
    shop.run(1)
    assert talk.ends[0]["details"]["causes"][0]["message"] == "2"


def test_forwarded_connection_answers_request_by_request(shop: Shop) -> None:
    talk = Talk(shop, "portforward", "web-0", port=8080)
    talk.channel.feed(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nContent-Le")
    shop.run(1)
    assert talk.output[1].startswith(b"HTTP/1.1 200 OK\r\n")
    talk.channel.feed(b"ngth: 2\r\n\r\nhi")
    shop.run(1)
    assert talk.output[1].count(b"HTTP/1.1 200 OK\r\n") == 2
    closed = Talk(shop, "portforward", "web-0", port=9999)
    closed.channel.feed(b"GET / HTTP/1.1\r\n\r\n")
    shop.run(1)
    assert "connect: connection refused" in closed.ends[0]["message"]


def test_killed_container_ends_its_conversations(shop: Shop) -> None:
    shop.pod("victim-0", "nginx:1.29")
    shop.run(10)
    talk = Talk(shop, "exec", "victim-0", "sleep", "1000")
    pod = shop.client.require("pods", "default", "victim-0")
    kubelet = shop.dataplane.kubelets.get(pod["spec"]["nodeName"])
    assert kubelet is not None
    kubelet.kill_container(pod["metadata"]["uid"], "main")
    assert talk.ends[0]["details"]["causes"][0]["message"] == "137"


def test_followed_log_comes_line_by_line_to_the_end_of_the_run(shop: Shop) -> None:
    logs = shop.dataplane.logs
    tail = logs.open("default", "ticker-0", options=LogOptions(tail_lines=1), follows=True)
    assert tail is not None
    assert len(tail.pull()) == 1
    calls: list[int] = []
    tail.on_ready = lambda: calls.append(1)
    shop.run(3)
    assert len(tail.pull()) == len(calls) == 3
    limited = logs.open("default", "ticker-0", options=LogOptions(limit_bytes=4), follows=True)
    assert limited is not None
    assert limited.is_closed
    assert b"".join(limited.pull()).count(b"\n") == 1
    shop.delete("ticker-0", 1)
    shop.run(4)
    assert tail.is_closed


def test_log_of_a_pod_that_waits_says_why(shop: Shop) -> None:
    shop.pod("typo-0", "nginx:1.161")
    shop.run(8)
    with pytest.raises(ApiError, match="is waiting to start: trying and failing to pull image"):
        shop.dataplane.logs.read("default", "typo-0")


def test_network_policy_holds_for_commands(shop: Shop) -> None:
    policy = {
        "metadata": {"name": "closed", "namespace": "default"},
        "spec": {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"], "ingress": []},
    }
    shop.client.create("networkpolicies.networking.k8s.io", policy)
    shop.pod("other-0", "busybox:1.36", container={"command": ["sleep", "100000"]})
    shop.run(10)
    talk = Talk(shop, "exec", "other-0", "wget", "-q", "-T", "3", "-O-", "http://web")
    shop.run(2)
    assert not talk.ends
    shop.run(2)
    assert talk.output[2] == b"wget: download timed out\n"
