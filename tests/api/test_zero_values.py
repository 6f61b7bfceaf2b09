"""What an object shows that was created with less than its whole form, and who owns it."""

from __future__ import annotations

from typing import Any

from api.conftest import CONFIG_MAPS, DEPLOYMENTS, Server

CORE = "/api/v1/namespaces/shop"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"


def owned(made: Any) -> dict[str, Any]:
    """The fields of the one manager."""
    [entry] = made["metadata"]["managedFields"]
    fields: dict[str, Any] = entry["fieldsV1"]
    return fields


def test_go_shows_fields_that_nobody_set(server: Server) -> None:
    node = server.expect(201, "POST", "/api/v1/nodes", {"metadata": {"name": "n"}})
    assert node["status"]["daemonEndpoints"] == {"kubeletEndpoint": {"Port": 0}}
    assert set(node["status"]["nodeInfo"].values()) == {""}
    assert "managedFields" not in node["metadata"]
    about = {"kind": "Pod", "name": "p", "namespace": "shop"}
    event = server.expect(201, "POST", f"{CORE}/events", {"metadata": {"name": "e"}, "involvedObject": about})
    assert (event["source"], event["eventTime"], event["reportingInstance"]) == ({}, None, "")
    slices = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
    made = server.expect(201, "POST", slices, {"metadata": {"name": "s"}, "addressType": "IPv4"})
    assert (made["endpoints"], made["ports"]) == (None, None)
    assert owned(made) == {"f:addressType": {}}


def test_a_value_like_the_zero_value_has_no_owner(server: Server) -> None:
    policies = "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies"
    policy = server.expect(201, "POST", policies, {"metadata": {"name": "p"}, "spec": {"podSelector": {}}})
    assert owned(policy) == {"f:spec": {"f:policyTypes": {}}}
    classes = "/apis/scheduling.k8s.io/v1/priorityclasses"
    assert owned(server.expect(201, "POST", classes, {"metadata": {"name": "c"}, "value": 0})) == {
        "f:preemptionPolicy": {}
    }


def test_an_applied_name_is_no_owned_metadata(server: Server) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "1"}}
    made = server.expect(201, "PATCH", f"{CONFIG_MAPS}/a?fieldManager=one", body, media=APPLY)
    assert owned(made) == {"f:data": {"f:k": {}}}
    refused = server.expect(
        400, "PATCH", f"{CONFIG_MAPS}/a?fieldManager=one", {**body, "apiVersion": "v2"}, media=APPLY
    )
    text = "Incorrect version specified in apply patch. Specified patch version: v2, expected: v1"
    assert refused["message"] == text


def test_only_pods_are_given_the_ports_of_their_host(server: Server) -> None:
    spec = {"hostNetwork": True, "containers": [{"name": "c", "image": "x", "ports": [{"containerPort": 80}]}]}
    pod = server.expect(201, "POST", f"{CORE}/pods", {"metadata": {"name": "p"}, "spec": spec})
    assert pod["spec"]["containers"][0]["ports"][0]["hostPort"] == 80
    template = {"metadata": {"labels": {"a": "b"}}, "spec": spec}
    body = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}
    made = server.expect(201, "POST", DEPLOYMENTS, body)
    assert "hostPort" not in made["spec"]["template"]["spec"]["containers"][0]["ports"][0]


def test_services_get_what_their_type_needs_and_lose_it_with_it(server: Server) -> None:
    by_hand = server.expect(201, "POST", f"{CORE}/services", {"metadata": {"name": "h"}, "spec": {"clusterIP": "None"}})
    assert by_hand["spec"]["ipFamilies"] == ["IPv4", "IPv6"]
    assert by_hand["spec"]["ipFamilyPolicy"] == "RequireDualStack"
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": [{"port": 80}]}
    balanced = server.expect(201, "POST", f"{CORE}/services", {"metadata": {"name": "b"}, "spec": spec})
    assert 30000 <= balanced["spec"]["healthCheckNodePort"] <= 32767
    plain = server.expect(200, "PATCH", f"{CORE}/services/b", {"spec": {"type": "ClusterIP"}}, media=MERGE)["spec"]
    assert plain.keys().isdisjoint({"healthCheckNodePort", "externalTrafficPolicy", "allocateLoadBalancerNodePorts"})
    assert "nodePort" not in plain["ports"][0]


def test_bodies_that_cannot_be_read_are_told_in_gos_words(server: Server) -> None:
    for body, why in (
        (b"{bad", "invalid character 'b' looking for beginning of object key string ({bad)"),
        (b"hello", "invalid character 'h' looking for beginning of value (68656c6c6f)"),
    ):
        refused = server.expect(400, "POST", CONFIG_MAPS, body)
        assert refused["message"].endswith(f"json parse error: {why}")
    server.config_map("a")
    for body, why in (
        (b"[1]", "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"),
        (b'{"a":', "invalid JSON patch"),
    ):
        refused = server.expect(400, "PATCH", f"{CONFIG_MAPS}/a", body, media=MERGE)
        assert refused["message"] == why
    refused = server.expect(400, "POST", CONFIG_MAPS, {"metadata": {"name": "b"}, "data": {"k": 1}})
    assert refused["message"].endswith(
        "json: cannot unmarshal number into Go struct field ConfigMap.data of type string"
    )
    refused = server.expect(400, "POST", CONFIG_MAPS, {"kind": "Foo", "apiVersion": "v1"})
    assert 'no kind "Foo" is registered for version "v1" in scheme' in refused["message"]
    refused = server.expect(400, "PUT", f"{CONFIG_MAPS}/a", {})
    assert refused["message"] == "the name of the object (a based on URL) was undeterminable: name must be provided"
