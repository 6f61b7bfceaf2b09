from __future__ import annotations

import json

import pytest
from lab_server import LabServer


def test_it_tells_the_time_and_moves_it(server: LabServer) -> None:
    start = server.now()
    assert server.now() == start
    assert server.advance("90s")[:19] == "2026-03-02T09:01:30"
    assert server.advance("1h30m")[:19] == "2026-03-02T10:31:30"
    assert server.control(b'{"advance": 0.5}').json() == {"now": "2026-03-02T10:31:30.500000Z"}
    assert server.control(b'{"advance": 0}').json() == {"now": "2026-03-02T10:31:30.500000Z"}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b"7", b'"90s"', b"{}", b"\xff", b"[" * 100_000, b'{"advance": null}',
     b'{"advance": "soon"}', b'{"advance": ""}', b'{"advance": -1}', b'{"advance": true}', b'{"advance": NaN}',
     b'{"advance": {}}', b'{"advance": "99999999h"}'],
    ids=lambda body: repr(body[:24]),
)  # fmt: skip
def test_a_bad_body_is_one_sentence(server: LabServer, body: bytes) -> None:
    before = server.now()
    answer = server.control(body)
    assert answer.status == 400
    assert answer.json()["error"].endswith(".")
    assert server.now() == before


def test_a_wrong_token_moves_nothing(server: LabServer) -> None:
    before = server.now()
    for token in ("wrong", "", "%00", "\u00e9", server.token):
        url = server.ready["aws"] + "/control/" + "".join(f"%{byte:02x}" for byte in token.encode())
        for method, body in (("GET", None), ("POST", json.dumps({"advance": "1h"}).encode())):
            answer = server.send(url, method, body)
            assert answer.status in (403, 404, 405), (token, method)
            assert b"now" not in answer.body
    assert server.now() == before


def test_other_methods_are_refused(server: LabServer) -> None:
    for method in ("PUT", "DELETE", "PATCH"):
        assert server.send(server.ready["control"], method).status == 405


def test_a_foreign_host_header_is_refused(server: LabServer) -> None:
    assert server.send(server.ready["control"], headers={"Host": "evil.example"}).status == 421


def test_it_tells_who_asked_what(server: LabServer) -> None:
    server.api("GET", "/api/v1/namespaces/shop/pods/a")
    server.send(server.ready["kubernetes"] + "/api/v1/pods", headers={"Authorization": "Bearer nobody"})
    url = server.ready["control"] + "/requests"
    known, unknown = server.send(f"{url}?last=2").json()["requests"]
    assert (known["verb"], known["resource"], known["name"], known["code"]) == ("get", "pods", "a", 404)
    assert (unknown["user"], unknown["resource"], unknown["code"]) == ("system:anonymous", "/api/v1/pods", 401)
    assert len(server.send(url).json()["requests"]) >= 2
    assert server.send(f"{url}?last=all").status == 400
    assert server.send(server.ready["aws"] + "/control/wrong/requests").status == 403
