"""The AWS door: who may, in which protocols, and what a malformed request gets."""

from __future__ import annotations

import gzip
import json
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from lab_server import Answer, LabServer

XMLNS = "{http://monitoring.amazonaws.com/doc/2010-08-01/}"
JSON_TYPE = "application/x-amz-json-1.0"
LISTED_AFTER = "15m"
TARGET = "GraniteServiceVersion20100801"


def authorization(server: LabServer, service: str = "monitoring", key: str | None = None) -> str:
    scope = f"20260302/us-east-1/{service}/aws4_request"
    key = server.ready["aws_access_key_id"] if key is None else key
    return f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders=host, Signature=00"


def query(server: LabServer, **form: str) -> Answer:
    """An awsQuery request, as the `aws` command sends it."""
    headers = {"Authorization": authorization(server), "Content-Type": "application/x-www-form-urlencoded"}
    return server.send(server.ready["aws"], "POST", urlencode(form).encode(), headers)


def call(server: LabServer, action: str, body: Any, **headers: str) -> Answer:
    """An awsJson request."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Authorization": authorization(server), "X-Amz-Target": f"{TARGET}.{action}", "Content-Type": JSON_TYPE}
    return server.send(server.ready["aws"], "POST", raw, given | headers)


def metric(name: str, count: int = 1) -> dict[str, Any]:
    data = [{"MetricName": f"{name}{number}", "Value": 1.5, "Unit": "Count"} for number in range(count)]
    return {"Namespace": "Shop", "MetricData": data}


@pytest.mark.parametrize(
    ("key", "code"), [("", "MissingAuthenticationToken"), ("AKIAIOSFODNN7EXAMPLE", "InvalidClientTokenId")]
)
def test_without_this_labs_access_key_nothing_is_said(server: LabServer, key: str, code: str) -> None:
    answer = call(server, "ListMetrics", {}, Authorization=authorization(server, key=key))
    assert (answer.status, answer.json()["__type"]) == (403, code)


def test_without_any_authorization_nothing_is_said(server: LabServer) -> None:
    answer = server.send(server.ready["aws"], "POST", b"Action=ListMetrics&Version=2010-08-01")
    assert answer.status == 403
    assert ElementTree.fromstring(answer.body).findtext("Error/Code") == "MissingAuthenticationToken"


def test_a_service_that_is_not_served_is_named(server: LabServer) -> None:
    answer = call(server, "ListClusters", {}, Authorization=authorization(server, "eks"))
    assert (answer.status, answer.json()["__type"]) == (400, "InvalidAction")
    assert "eks" in answer.json()["message"]
    assert "cloudwatch" in answer.json()["message"]


def test_a_metric_goes_round_in_both_protocols(server: LabServer) -> None:
    form = {"Action": "PutMetricData", "Version": "2010-08-01", "Namespace": "Query"}
    datum = {
        "MetricName": "Carts",
        "Value": "3",
        "Dimensions.member.1.Name": "Shop",
        "Dimensions.member.1.Value": "a&b",
    }
    put = query(server, **form, **{f"MetricData.member.1.{key}": value for key, value in datum.items()})
    assert put.status == 200
    server.advance(LISTED_AFTER)
    listed = query(server, Action="ListMetrics", Version="2010-08-01", Namespace="Query")
    root = ElementTree.fromstring(listed.body)
    assert root.tag == f"{XMLNS}ListMetricsResponse"
    member = root.find(f"{XMLNS}ListMetricsResult/{XMLNS}Metrics/{XMLNS}member")
    assert member is not None
    assert member.findtext(f"{XMLNS}MetricName") == "Carts"
    assert member.findtext(f"{XMLNS}Dimensions/{XMLNS}member/{XMLNS}Value") == "a&b"
    same = call(server, "ListMetrics", {"Namespace": "Query"}).json()["Metrics"]
    assert same == [{"Namespace": "Query", "MetricName": "Carts", "Dimensions": [{"Name": "Shop", "Value": "a&b"}]}]


def test_a_zipped_body_is_read(server: LabServer) -> None:
    body = gzip.compress(json.dumps(metric("zipped", 200)).encode())
    assert call(server, "PutMetricData", body, **{"Content-Encoding": "gzip"}).status == 200
    server.advance(LISTED_AFTER)
    names = call(server, "ListMetrics", {"Namespace": "Shop"}).json()["Metrics"]
    assert len([item for item in names if item["MetricName"].startswith("zipped")]) == 200


@pytest.mark.parametrize("body", [b"no gzip", b"\x1f\x8b", gzip.compress(b"{}", mtime=0)[:-4]], ids=repr)
def test_a_body_that_is_not_gzip_is_refused(server: LabServer, body: bytes) -> None:
    answer = call(server, "PutMetricData", body, **{"Content-Encoding": "gzip"})
    assert (answer.status, answer.json()["__type"]) == (400, "SerializationException")


def test_a_small_body_does_not_unpack_to_a_large_one(server: LabServer) -> None:
    bomb = gzip.compress(b" " * 100_000_000)
    assert len(bomb) < 200_000
    answer = call(server, "PutMetricData", bomb, **{"Content-Encoding": "gzip"})
    assert (answer.status, answer.json()["__type"]) == (413, "RequestEntityTooLarge")


def test_a_large_body_is_refused(server: LabServer) -> None:
    answer = call(server, "PutMetricData", b" " * 4_000_000)
    assert (answer.status, answer.json()["__type"]) == (413, "RequestEntityTooLarge")


@pytest.mark.parametrize(
    "body",
    [b"{", b"\xff", b"[" * 100_000, b"[]", b"7", b'{"Namespace": []}', b'{"MetricData": {}}', b'{"MetricData": [7]}'],
    ids=lambda body: repr(body[:24]),
)
def test_a_malformed_body_is_a_sentence(server: LabServer, body: bytes) -> None:
    answer = call(server, "PutMetricData", body)
    assert answer.status == 400, answer.body
    assert answer.json()["message"]


def test_a_query_without_or_with_an_unknown_action_is_refused(server: LabServer) -> None:
    for form, code in (({}, "MissingAction"), ({"Action": "Explode"}, "InvalidAction")):
        answer = query(server, **form)
        assert answer.status == 400
        assert ElementTree.fromstring(answer.body).findtext("Error/Code") == code


def test_a_foreign_host_header_is_refused(server: LabServer) -> None:
    assert call(server, "ListMetrics", {}, Host="evil.example").status == 421
