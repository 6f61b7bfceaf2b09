"""The live view: what its data says, that looking changes nothing, and who may look."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab_server import ROOT, LabServer

SHOP = ("--manifests", str(ROOT / "kubernetes/shop"))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with LabServer(tmp_path_factory.mktemp("shop"), *SHOP, "--proxied") as server:
        server.advance("5 min")
        yield server


def test_the_page_is_complete_in_itself(server: LabServer) -> None:
    page = server.send(server.ready["live"])
    assert page.status == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    text = page.body.decode()
    assert not re.search(r"(src|href)=\"(https?:)?//", text)
    assert "import(" not in text
    # The requests that its script makes lead below its own address.
    assert set(re.findall(r'fetch\("([^"]*)"', text)) == {"data", "advance"}


def test_the_data_are_what_kubectl_and_cloudwatch_show(shop: LabServer) -> None:
    seen = shop.send(shop.ready["live"] + "data").json()
    assert seen["now"] == shop.now()
    listed = shop.kubectl("get", "pods", "-A", "--no-headers").out.splitlines()
    printed = {(pod["namespace"], pod["name"], pod["ready"], pod["status"]) for pod in seen["pods"]}
    assert printed == {tuple(line.split()[:4]) for line in listed}
    assert {node["zone"] for node in seen["nodes"]} == {"us-east-1a", "us-east-1b"}
    frontend = next(each for each in seen["autoscalers"] if each["name"] == "frontend")
    assert (frontend["min"], frontend["max"]) == (5, 10)
    known = [value for value in seen["minutes"]["p99"] if value is not None]
    assert known
    assert len(seen["minutes"]["start"]) == len(seen["minutes"]["p99"]) == len(seen["minutes"]["errors"])
    assert seen["alarms"] == []


def test_looking_changes_nothing_and_its_button_moves_the_clock(shop: LabServer) -> None:
    url, before = shop.ready["live"], shop.now()
    first = shop.send(url + "data").body
    assert all(shop.send(url + "data").body == first for _ in range(5))
    moved = shop.send(url + "advance", "POST", b'{"advance": "10s"}').json()["now"]
    assert before < moved == shop.now()


def test_a_cluster_without_a_shop_has_a_view_too(server: LabServer) -> None:
    seen = server.send(server.ready["live"] + "data").json()
    assert len(seen["nodes"]) == 2
    assert "requests" not in seen["minutes"]


def test_only_the_right_token_sees_it(server: LabServer) -> None:
    address = server.ready["live"].replace(Path(server.ready["live"]).name, "wrong")
    assert address != server.ready["live"]
    for name in ("", "data"):
        assert server.send(address + name).status == 403
    assert server.send(address + "advance", "POST", b'{"advance": "1h"}').status == 403


def test_a_foreign_host_reaches_the_page_only_behind_a_proxy(server: LabServer, shop: LabServer) -> None:
    foreign = {"Host": "hub.example"}
    assert server.send(server.ready["live"], headers=foreign).status == 421
    assert shop.send(shop.ready["live"], headers=foreign).status == 200
    assert shop.send(shop.ready["control"], headers=foreign).status == 421
