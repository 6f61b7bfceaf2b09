"""Load balancers of Ingresses: rules, names, target groups."""

from __future__ import annotations

from typing import Any

import pytest
from shop_rig import Shop, build_whole_shop

from labs.dataplane.balancers import Route
from labs.dataplane.process import Place
from labs.dataplane.service_views import ServicePort
from labs.dataplane.traffic.policy import Policy

INGRESSES, CLASSES = "ingresses.networking.k8s.io", "ingressclasses.networking.k8s.io"
CALLER = Place("", "us-east-1a", "")


def rule(path: str, service: str, kind: str = "Prefix") -> dict[str, Any]:
    return {"path": path, "pathType": kind, "backend": {"service": {"name": service, "port": {"number": 80}}}}


def ingress(*paths: dict[str, Any], host: str = "", class_name: str = "alb") -> dict[str, Any]:
    rules = [{"http": {"paths": list(paths)}} | ({"host": host} if host else {})]
    annotations = {"alb.ingress.kubernetes.io/healthcheck-interval-seconds": "5"}
    metadata = {"name": "shop", "namespace": "default", "annotations": annotations}
    return {"metadata": metadata, "spec": {"ingressClassName": class_name, "rules": rules}}


@pytest.fixture
def shop() -> Shop:
    shop = build_whole_shop()
    shop.client.create(CLASSES, {"metadata": {"name": "alb"}, "spec": {"controller": "ingress.k8s.aws/alb"}})
    return shop


def groups(shop: Shop) -> list[str]:
    return sorted(name for _, name in shop.dataplane.network.balancers if "/" in name)


def target(shop: Shop, url: str) -> str | None:
    """The service that a request for ``url`` goes to."""
    connection = shop.dataplane.network.connect(url, CALLER, "default", Policy(), "test")
    if connection is None:
        return None
    found = {group.target: group.key.service for group in shop.dataplane.network.balancers.values()}
    return found[connection.target]


def test_an_ingress_gets_one_name_and_a_group_for_each_service(shop: Shop) -> None:
    shop.client.create(INGRESSES, ingress(rule("/", "frontend"), rule("/api", "backend")))
    shop.run(30)
    assert groups(shop) == ["shop/backend:80", "shop/frontend:80"]
    balancers = shop.dataplane.network.balancers
    made = [balancers["default", name] for name in groups(shop)]
    assert len({group.hostname for group in made}) == 1
    assert len({group.target_group_arn_suffix for group in made}) == 2
    assert [len(group.routed()) for group in made] == [2, 5]
    status = shop.client.require(INGRESSES, "default", "shop")["status"]
    assert status == {"loadBalancer": {"ingress": [{"hostname": made[0].hostname}]}}


def test_the_longest_path_decides(shop: Shop) -> None:
    shop.client.create(INGRESSES, ingress(rule("/", "frontend"), rule("/api", "backend"), host="shop.example.org"))
    shop.run(1)
    assert target(shop, "http://shop.example.org/") == "frontend"
    assert target(shop, "http://shop.example.org/api/items") == "backend"
    assert target(shop, "http://shop.example.org/apify") == "frontend"
    assert target(shop, "http://other.example.org/") is None


def test_a_request_through_an_ingress_is_answered(shop: Shop) -> None:
    shop.client.create(INGRESSES, ingress(rule("/", "frontend"), host="shop.example.org"))
    shop.run(30)
    command = ["ab", "-n", "20", "-c", "2", "http://shop.example.org/"]
    shop.pod("ab-0", "httpd:2.4", container={"command": command}, restartPolicy="Never")
    shop.run(30)
    assert "Complete requests:      20" in shop.log("ab-0")
    assert "Failed requests:        0" in shop.log("ab-0")


def test_other_classes_are_left_alone_and_a_deleted_ingress_goes(shop: Shop) -> None:
    shop.client.create(INGRESSES, ingress(rule("/", "frontend"), class_name="nginx"))
    shop.run(1)
    assert groups(shop) == []
    shop.client.delete(INGRESSES, "default", "shop")
    shop.client.create(INGRESSES, ingress(rule("/", "frontend")))
    shop.run(1)
    assert groups(shop) == ["shop/frontend:80"]
    shop.client.delete(INGRESSES, "default", "shop")
    shop.run(1)
    assert groups(shop) == []


def test_a_changed_rule_makes_and_removes_groups(shop: Shop) -> None:
    made = shop.client.create(INGRESSES, ingress(rule("/", "frontend")))
    shop.run(1)
    made = shop.client.require(INGRESSES, "default", "shop")
    shop.client.update(INGRESSES, {**made, "spec": ingress(rule("/", "backend"))["spec"]})
    shop.run(1)
    assert groups(shop) == ["shop/backend:80"]


@pytest.mark.parametrize(
    ("route", "host", "path", "is_meant"),
    [
        (("", "/", False), "any", "/x", True),
        (("a.b", "/", False), "b", "/", False),
        (("*.b", "/", False), "a.b", "/", True),
        (("*.b", "/", False), "c.a.b", "/", False),
        (("", "/x", True), "any", "/x", True),
        (("", "/x", True), "any", "/x/y", False),
        (("", "/x/", False), "any", "/x", True),
    ],
)
def test_hosts_and_paths_match_as_ingresses_do(
    route: tuple[str, str, bool], host: str, path: str, is_meant: bool
) -> None:
    assert Route(*route, ServicePort("n", "s", 80)).matches(host, path) is is_meant
