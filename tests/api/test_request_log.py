"""The log of requests."""

from __future__ import annotations

from api.conftest import CONFIG_MAPS, Server

from labs.api.rest.message import Request
from labs.api.rest.request_log import CAPACITY, RequestLog


def test_each_request_is_told_with_its_answer(server: Server) -> None:
    server.config_map("a")
    server.ask("GET", f"{CONFIG_MAPS}/b")
    server.ask("GET", "/healthz")
    made, missing, health = server.rest.requests.rows(3)
    assert made == {
        "time": "2026-03-02T09:00:00.000000Z",
        "verb": "create",
        "user": "admin",
        "userAgent": "tester/1",
        "resource": "configmaps",
        "namespace": "shop",
        "name": "",
        "subresource": "",
        "code": 201,
    }
    assert (missing["verb"], missing["name"], missing["code"]) == ("get", "b", 404)
    assert (health["verb"], health["resource"], health["code"]) == ("get", "/healthz", 200)


def test_who_is_impersonated_is_who_asks(server: Server) -> None:
    server.rest.handle(Request.to("GET", CONFIG_MAPS, headers={"Impersonate-User": "jane"}))
    row = server.rest.requests.rows(1)[0]
    assert (row["user"], row["verb"], row["code"]) == ("jane", "list", 403)


def test_the_log_keeps_a_bounded_number() -> None:
    log = RequestLog()
    for _ in range(CAPACITY + 5):
        log.begin(0, Request.to("GET", "/" + "x" * 9999))
    rows = log.rows()
    assert len(rows) == CAPACITY
    assert len(rows[0]["resource"]) == 256
