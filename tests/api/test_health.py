"""/healthz, /livez, /readyz."""

from __future__ import annotations

import pytest
from api.conftest import Server


def ask(server: Server, target: str) -> tuple[int, str]:
    answer = server.ask("GET", target)
    return answer.status, answer.body.decode()


@pytest.mark.parametrize("target", ["/healthz", "/livez", "/readyz", "/livez/ping", "/readyz/informer-sync"])
def test_a_check_that_holds_says_ok(server: Server, target: str) -> None:
    assert ask(server, target) == (200, "ok")


@pytest.mark.parametrize("target", ["/livez/informer-sync", "/healthz/nothing"])
def test_a_check_that_there_is_not_is_not_found(server: Server, target: str) -> None:
    assert ask(server, target)[0] == 404


def test_verbose_lists_every_check(server: Server) -> None:
    _, body = ask(server, "/readyz?verbose")
    assert body.startswith("[+]ping ok\n[+]log ok\n[+]etcd ok\n[+]etcd-readiness ok\n")
    assert body.endswith("[+]shutdown ok\nreadyz check passed\n")


def test_excluded_checks_are_named_and_unknown_ones_warned_of(server: Server) -> None:
    _, body = ask(server, "/livez?verbose&exclude=etcd&exclude=nothing")
    assert "[+]etcd excluded: ok\n" in body
    assert 'warn: some health checks cannot be excluded: no matches for "nothing"\n' in body
