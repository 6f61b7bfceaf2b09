"""Names, views and lags, seen from a client."""

from __future__ import annotations

import pytest
from shop_rig import build_shop, build_whole_shop

from labs.dataplane.cloud import ZONES
from labs.dataplane.load_balancer import BalancerSettings, Health, next_health, settings_of
from labs.dataplane.network import Latencies
from labs.dataplane.process import Place
from labs.dataplane.service_views import Endpoint, routable, slice_endpoints
from labs.dataplane.traffic.policy import Policy


def endpoint(ip: str, is_ready: bool = True, is_serving: bool = True, is_terminating: bool = False) -> Endpoint:
    return Endpoint(ip, 80, is_ready, is_serving, is_terminating)


def test_ready_endpoints_are_routed_to() -> None:
    ready, leaving = endpoint("10.0.0.1"), endpoint("10.0.0.2", False, True, True)
    assert routable([ready, leaving]) == (ready,)


def test_without_a_ready_one_those_that_serve_while_terminating_are() -> None:
    leaving, broken = endpoint("10.0.0.2", False, True, True), endpoint("10.0.0.3", False, False, True)
    assert routable([leaving, broken, endpoint("10.0.0.4", False, False)]) == (leaving,)


def test_slice_conditions_default_to_ready() -> None:
    each = {"ports": [{"name": "web", "port": 8080}], "endpoints": [{"addresses": ["10.0.0.1"]}]}
    assert slice_endpoints([each], "web") == (Endpoint("10.0.0.1", 8080, True, True, False),)
    assert slice_endpoints([each], "") == ()


@pytest.mark.parametrize(
    ("health", "run", "after"),
    [
        (Health.INITIAL, 1, Health.HEALTHY),
        (Health.INITIAL, -1, Health.INITIAL),
        (Health.INITIAL, -2, Health.UNHEALTHY),
        (Health.UNHEALTHY, 1, Health.UNHEALTHY),
        (Health.UNHEALTHY, 3, Health.HEALTHY),
        (Health.HEALTHY, -1, Health.HEALTHY),
        (Health.HEALTHY, -2, Health.UNHEALTHY),
    ],
)
def test_target_health_needs_a_run_of_results(health: Health, run: int, after: Health) -> None:
    assert next_health(health, run, BalancerSettings(healthy_threshold=3)) is after


def test_settings_come_from_annotations() -> None:
    annotations = {
        "alb.ingress.kubernetes.io/healthcheck-interval-seconds": "7",
        "alb.ingress.kubernetes.io/unhealthy-threshold-count": "4",
        "alb.ingress.kubernetes.io/target-group-attributes": "deregistration_delay.timeout_seconds=30,"
        "load_balancing.algorithm.type=least_outstanding_requests",
        "alb.ingress.kubernetes.io/load-balancer-attributes": "idle_timeout.timeout_seconds=5",
    }
    settings = settings_of({"metadata": {"annotations": annotations}})
    assert settings.interval_ns == 7_000_000_000
    assert settings.unhealthy_threshold == 4
    assert settings.deregistration_delay_ns == 30_000_000_000
    assert settings.idle_timeout_ns == 5_000_000_000
    assert settings.uses_least_outstanding


def test_annotation_that_is_no_number_leaves_the_default() -> None:
    prefix = "service.beta.kubernetes.io/aws-load-balancer-"
    annotations = {f"{prefix}healthcheck-interval": "soon", f"{prefix}healthcheck-healthy-threshold": "-3"}
    assert settings_of({"metadata": {"annotations": annotations}}) == BalancerSettings()


def test_latency_grows_with_distance() -> None:
    here, beside = Place("n1", ZONES[0], "10.0.0.1"), Place("n2", ZONES[0], "10.0.0.2")
    far = Place("n3", ZONES[1], "10.0.64.1")
    latencies = Latencies()
    assert latencies.between(here, here) < latencies.between(here, beside) < latencies.between(here, far)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://frontend", "default/frontend"),
        ("http://frontend.default.svc.cluster.local:80/x", "default/frontend"),
        ("http://shop.example.com/", "k8s-default-frontend-b1bb45d1b9"),
        ("postgres://shop-db", "shop-db.{account}.us-east-1.rds.amazonaws.com"),
        ("http://nowhere.example.com/", None),
    ],
)
def test_names_lead_to_services_balancers_and_hosts(url: str, target: str | None) -> None:
    shop = build_whole_shop(frontends=1)
    caller = Place(shop.nodes[0], ZONES[0], "10.0.0.99")
    connection = shop.dataplane.network.connect(url, caller, "default", Policy(), "test")
    if target is None:
        assert connection is None
        return
    assert connection is not None
    account = shop.dataplane.databases["shop-db"].host.split(".")[1]
    assert connection.target == target.format(account=account)
    assert len(connection.client.endpoints) == 1
    connection.close()
    assert connection.client not in shop.dataplane.network.connections


def test_nodes_learn_of_an_endpoint_within_a_second_and_not_all_at_once() -> None:
    shop = build_shop(nodes=6)
    shop.service("web")
    connections = []
    for number, node in enumerate(shop.nodes):
        caller = Place(node, ZONES[0], f"10.0.0.{200 + number}")
        connection = shop.dataplane.network.connect("http://web", caller, "default", Policy(), str(number))
        assert connection is not None
        connections.append(connection)
    shop.pod("web-0", "nginx:1.29")
    known_at: dict[int, float] = {}
    appeared = 0.0
    for _ in range(1000):
        shop.run(0.01)
        slices = shop.client.list("endpointslices.discovery.k8s.io")
        if not appeared and any(item["conditions"]["ready"] for item in slices[0]["endpoints"]):
            appeared = shop.seconds
        for number, connection in enumerate(connections):
            if connection.client.endpoints:
                known_at.setdefault(number, shop.seconds)
    lags = sorted(at - appeared for at in known_at.values())
    assert len(lags) == 6
    assert 0 <= lags[0] < lags[-1] <= 1.02


def test_balancer_tells_its_address_and_checks_its_targets() -> None:
    shop = build_whole_shop(frontends=2)
    status = shop.client.require("services", "default", "frontend")["status"]
    balancer = shop.dataplane.network.balancers["default", "frontend"]
    assert status["loadBalancer"]["ingress"] == [{"hostname": balancer.hostname}]
    assert [target.health for target in balancer.targets.values()] == [Health.HEALTHY, Health.HEALTHY]
    shop.delete("frontend-0")
    shop.run(6)
    assert sorted(target.health.value for target in balancer.targets.values()) == ["draining", "healthy"]


def test_deleted_pod_costs_errors_until_the_balancer_knows() -> None:
    shop = build_whole_shop()
    shop.shoppers(100)
    shop.run(30)
    assert set(shop.outcomes()) == {"OK"}
    before = len(shop.dataplane.ledger)
    for number in range(3):
        shop.delete(f"frontend-{number}")
    shop.run(30)
    found = shop.outcomes(before)
    assert found["GATEWAY_502"] > 20
    after = len(shop.dataplane.ledger)
    shop.run(20)
    assert set(shop.outcomes(after)) == {"OK"}
    assert shop.dataplane.ledger.conservation().holds


def test_pre_stop_sleep_gives_the_balancer_time() -> None:
    shop = build_whole_shop(lifecycle={"preStop": {"sleep": {"seconds": 10}}})
    shop.shoppers(100)
    shop.run(30)
    for number in range(3):
        shop.delete(f"frontend-{number}")
    shop.run(60)
    assert set(shop.outcomes()) == {"OK"}


def test_grace_zero_cuts_the_pre_stop_hook_short() -> None:
    shop = build_whole_shop(lifecycle={"preStop": {"sleep": {"seconds": 10}}})
    shop.shoppers(100)
    shop.run(30)
    for number in range(3):
        shop.delete(f"frontend-{number}", 0)
    shop.run(60)
    assert shop.outcomes()["GATEWAY_502"] > 0


def test_without_targets_the_balancer_answers_503() -> None:
    shop = build_whole_shop(frontends=1)
    shop.shoppers(50)
    shop.run(20)
    shop.delete("frontend-0")
    shop.run(20)
    before = len(shop.dataplane.ledger)
    shop.run(5)
    assert set(shop.outcomes(before)) == {"GATEWAY_503"}


def test_dead_machine_lets_callers_wait() -> None:
    shop = build_whole_shop()
    shop.shoppers(50)
    shop.run(20)
    before = len(shop.dataplane.ledger)
    shop.dataplane.cloud.fail_zone(ZONES[1])
    shop.run(14)
    assert "TIMEOUT" in shop.outcomes(before)
    assert "GATEWAY_502" not in shop.outcomes(before)


def test_failover_of_the_database_heals_by_itself() -> None:
    shop = build_whole_shop()
    shop.shoppers(20)
    shop.run(20)
    database = shop.dataplane.databases["shop-db"]
    before = len(shop.dataplane.ledger)
    database.failover()
    shop.run(58)
    assert "OK" not in shop.outcomes(before)
    shop.run(10)
    after = len(shop.dataplane.ledger)
    shop.run(20)
    assert set(shop.outcomes(after)) == {"OK"}
    assert database.zone == ZONES[1]


def test_same_seed_gives_the_same_requests_and_objects() -> None:
    def digests(seed: int) -> tuple[str, str]:
        shop = build_whole_shop(seed)
        shop.shoppers(50)
        shop.run(15)
        shop.delete("frontend-1")
        shop.run(15)
        return shop.trace.digest(), shop.dataplane.ledger.digest()

    assert digests(5) == digests(5)
    assert digests(5) != digests(6)
