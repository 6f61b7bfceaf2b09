"""Lists: pages, tokens, resource versions, selectors."""

from __future__ import annotations

from typing import Any

import pytest
from api.conftest import CONFIG_MAPS, PODS, Server

from labs.api.rest.lists import decode_continue, encode_continue


def names(listing: dict[str, Any]) -> list[str]:
    return [item["metadata"]["name"] for item in listing["items"]]


def test_pages_go_through_the_list_as_it_was_at_the_first_page(server: Server) -> None:
    for name in "abcde":
        server.config_map(name)
    first = server.expect(200, "GET", f"{CONFIG_MAPS}?limit=2")
    assert (names(first), first["metadata"]["remainingItemCount"]) == (["a", "b"], 3)
    server.config_map("bb")
    server.client.delete("configmaps", "shop", "d")
    second = server.expect(200, "GET", f"{CONFIG_MAPS}?limit=2&continue={first['metadata']['continue']}")
    assert names(second) == ["c", "d"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    third = server.expect(200, "GET", f"{CONFIG_MAPS}?limit=2&continue={second['metadata']['continue']}")
    assert names(third) == ["e"]
    assert "continue" not in third["metadata"]


def test_pages_of_a_selection_do_not_say_how_many_are_left(server: Server) -> None:
    for name in "abc":
        server.config_map(name, tier="x")
    page = server.expect(200, "GET", f"{CONFIG_MAPS}?limit=1&labelSelector=tier%3Dx")
    assert "continue" in page["metadata"]
    assert "remainingItemCount" not in page["metadata"]


def test_pages_of_a_selection_hold_all_of_it_once(server: Server) -> None:
    for number, name in enumerate("abcdefg"):
        server.config_map(name, tier="xy"[number % 2])
    found, token = [], ""
    while True:
        page = server.expect(200, "GET", f"{CONFIG_MAPS}?limit=2&labelSelector=tier%3Dx&continue={token}")
        found.append(names(page))
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert found == [["a", "c"], ["e", "g"]]


def test_an_old_token_is_expired_and_brings_one_that_goes_on(server: Server) -> None:
    for name in "abc":
        server.config_map(name)
    first = server.expect(200, "GET", f"{CONFIG_MAPS}?limit=1")
    server.config_map("aa")
    server.run(601)
    server.config_map("late")
    server.run(301)
    server.config_map("later")
    refused = server.expect(410, "GET", f"{CONFIG_MAPS}?limit=1&continue={first['metadata']['continue']}")
    goes_on = server.expect(200, "GET", f"{CONFIG_MAPS}?limit=1&continue={refused['metadata']['continue']}")
    assert names(goes_on) == ["aa"]


def test_a_list_at_an_exact_version_shows_the_past(server: Server) -> None:
    version = server.config_map("a")["metadata"]["resourceVersion"]
    server.config_map("b")
    server.client.delete("configmaps", "shop", "a")
    path = f"{CONFIG_MAPS}?resourceVersion={version}&resourceVersionMatch=Exact"
    assert names(server.expect(200, "GET", path)) == ["a"]
    assert names(server.expect(200, "GET", f"{CONFIG_MAPS}?resourceVersion={version}")) == ["b"]


def test_a_version_of_the_future_times_out(server: Server) -> None:
    refused = server.ask("GET", f"{CONFIG_MAPS}?resourceVersion=99999")
    assert (refused.status, refused.headers["Retry-After"]) == (504, "1")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("labelSelector=tier%3Dfront", ["a", "b"]),
        ("labelSelector=tier%3Dfront,zone!%3Dx", ["b"]),
        ("labelSelector=tier+in+(front,back)", ["a", "b", "c"]),
        ("labelSelector=!tier", ["d"]),
        ("fieldSelector=metadata.name%3Da", ["a"]),
        ("fieldSelector=metadata.name!%3Da,metadata.namespace%3Dshop", ["b", "c", "d"]),
        ("fieldSelector=metadata.name%3Da&labelSelector=tier%3Dback", []),
    ],
)
def test_selectors_select(server: Server, query: str, expected: list[str]) -> None:
    server.config_map("a", tier="front", zone="x")
    server.config_map("b", tier="front")
    server.config_map("c", tier="back")
    server.config_map("d")
    assert names(server.expect(200, "GET", f"{CONFIG_MAPS}?{query}")) == expected


def test_pods_are_found_by_node_and_phase(server: Server) -> None:
    server.pod("a", node="n1")
    server.pod("b", node="n2")
    server.pod("c")
    assert names(server.expect(200, "GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dn1")) == ["a"]
    assert names(server.expect(200, "GET", f"{PODS}?fieldSelector=spec.nodeName!%3Dn1,status.phase%3DPending")) == [
        "b",
        "c",
    ]


def test_a_list_of_all_namespaces_is_in_order_of_its_keys(server: Server) -> None:
    for namespace in ("a-b", "a"):
        server.client.create("namespaces", {"metadata": {"name": namespace}})
        server.client.create("configmaps", {"metadata": {"name": "x", "namespace": namespace}})
    listing = server.expect(200, "GET", "/api/v1/configmaps")
    assert [item["metadata"]["namespace"] for item in listing["items"]] == ["a-b", "a", "kube-system"]


def test_deletecollection_deletes_what_is_selected(server: Server) -> None:
    server.config_map("a", tier="front")
    server.config_map("b")
    deleted = server.expect(200, "DELETE", f"{CONFIG_MAPS}?labelSelector=tier%3Dfront")
    assert names(deleted) == ["a"]
    assert names(server.expect(200, "GET", CONFIG_MAPS)) == ["b"]


def test_a_token_says_where_and_when() -> None:
    assert decode_continue(encode_continue("a\0", 7)) == ("a\0", 7)
