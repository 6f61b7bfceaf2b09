"""NetworkPolicies: what they let through, and what a caller notices of one."""

from __future__ import annotations

import re
from typing import Any

from shop_rig import Shop, build_whole_shop

from labs.dataplane.policies import Enforcement, PodFacts, parse_policy

POLICIES = "networkpolicies.networking.k8s.io"
FRONT, BACK, DNS, DATABASE, OUTSIDE = "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.255.254", "8.8.8.8"
TEAM = {"team": "shop"}


def enforce(*specs: dict[str, Any]) -> Enforcement:
    pods = {
        FRONT: PodFacts("shop", {"app": "front"}, TEAM, {}),
        BACK: PodFacts("shop", {"app": "back"}, TEAM, {"http": 8080}),
        DNS: PodFacts("kube-system", {"k8s-app": "kube-dns"}, {}, {}),
    }
    policies = [parse_policy({"metadata": {"name": "p", "namespace": "shop"}, "spec": spec}) for spec in specs]
    return Enforcement(policies, pods)


def select(app: str) -> dict[str, Any]:
    return {"matchLabels": {"app": app}}


def test_without_a_policy_everything_passes() -> None:
    assert enforce().allows(OUTSIDE, BACK, 8080)


def test_a_selected_pod_takes_only_what_a_rule_names() -> None:
    rules = enforce({"podSelector": select("back"), "ingress": [{"from": [{"podSelector": select("front")}]}]})
    assert rules.allows(FRONT, BACK, 8080)
    assert not rules.allows(DNS, BACK, 8080)
    assert not rules.allows(OUTSIDE, BACK, 8080)
    assert rules.allows(BACK, FRONT, 8080)


def test_an_empty_list_denies_and_an_empty_rule_allows() -> None:
    assert not enforce({"podSelector": {}, "policyTypes": ["Ingress"]}).allows(FRONT, BACK, 8080)
    assert enforce({"podSelector": {}, "ingress": [{}]}).allows(OUTSIDE, BACK, 8080)


def test_policies_add_up() -> None:
    deny = {"podSelector": {}, "policyTypes": ["Ingress"]}
    allow = {"podSelector": select("back"), "ingress": [{"from": [{"namespaceSelector": {"matchLabels": TEAM}}]}]}
    rules = enforce(deny, allow)
    assert rules.allows(FRONT, BACK, 8080)
    assert not rules.allows(BACK, FRONT, 8080)
    assert not rules.allows(DNS, BACK, 8080)


def test_ports_are_numbers_ranges_and_names_of_the_pod_itself() -> None:
    def on(**port: Any) -> Enforcement:
        return enforce({"podSelector": select("back"), "ingress": [{"ports": [port]}]})

    assert on(port=8080).allows(FRONT, BACK, 8080)
    assert not on(port=80).allows(FRONT, BACK, 8080)
    assert on(port=8000, endPort=9000).allows(FRONT, BACK, 8080)
    assert on(port="http").allows(FRONT, BACK, 8080)
    assert not on(port="https").allows(FRONT, BACK, 8080)
    assert not on(port=8080, protocol="UDP").allows(FRONT, BACK, 8080)


def test_ranges_of_addresses_have_exceptions() -> None:
    block = {"cidr": "10.0.0.0/16", "except": ["10.0.0.0/24"]}
    rules = enforce({"podSelector": select("back"), "ingress": [{"from": [{"ipBlock": block}]}]})
    assert rules.allows(DATABASE, BACK, 8080)
    assert not rules.allows(FRONT, BACK, 8080)


def test_egress_forgets_dns_unless_it_is_named() -> None:
    to_back = {"to": [{"podSelector": select("back")}]}
    to_dns = {"to": [{"namespaceSelector": {}}], "ports": [{"port": 53, "protocol": "UDP"}]}
    spec = {"podSelector": select("front"), "policyTypes": ["Egress"], "egress": [to_back]}
    assert enforce(spec).allows(FRONT, BACK, 8080)
    assert not enforce(spec).resolves_names(FRONT)
    assert enforce({**spec, "egress": [to_back, to_dns]}).resolves_names(FRONT)
    assert not enforce(spec).allows(FRONT, DATABASE, 5432)


def failed(shop: Shop, name: str, url: str) -> int:
    """How many of 10 requests fail."""
    command = ["ab", "-n", "10", "-c", "2", "-s", "2", url]
    shop.pod(name, "httpd:2.4", container={"command": command}, restartPolicy="Never")
    shop.run(30)
    found = re.search(r"Failed requests: +(\d+)", shop.log(name))
    assert found is not None
    return int(found[1])


def policy(shop: Shop, app: str, *callers: str) -> None:
    peers = [{"podSelector": select(caller)} for caller in callers]
    spec = {"podSelector": select(app), "policyTypes": ["Ingress"], "ingress": [{"from": peers}]}
    metadata = {"name": f"only-{app}", "namespace": "default"}
    shop.client.create(POLICIES, {"metadata": metadata, "spec": spec})
    shop.run(3)


def test_a_forbidden_caller_times_out_until_the_policy_goes() -> None:
    shop = build_whole_shop()
    assert failed(shop, "ab-0", "http://backend/") == 0
    policy(shop, "backend", "frontend")
    assert failed(shop, "ab-1", "http://backend/") == 10
    assert failed(shop, "ab-2", "http://shop.example.com/") == 0
    shop.client.delete(POLICIES, "default", "only-backend")
    shop.run(3)
    assert failed(shop, "ab-3", "http://backend/") == 0


def test_a_load_balancer_needs_a_rule_of_its_own() -> None:
    shop = build_whole_shop()
    policy(shop, "frontend", "backend")
    assert failed(shop, "ab-0", "http://shop.example.com/") == 10


def test_a_new_caller_is_let_in_once_the_nodes_know_its_address() -> None:
    shop = build_whole_shop()
    policy(shop, "backend", "frontend", "cron")
    assert 0 < failed(shop, "cron-0", "http://backend/") < 10
