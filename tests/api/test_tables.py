"""Tables: the shape around the cells, and custom resources."""

from typing import Any

from labs.api.tables.custom import find_values, render_crd_table
from labs.api.tables.render import render_table
from labs.units import MINUTE_NS, parse_rfc3339

CREATED = "2026-03-02T09:00:00Z"
NOW_NS = parse_rfc3339(CREATED) + 5 * MINUTE_NS

NODE_CLAIM: dict[str, Any] = {
    "metadata": {
        "name": "c-1",
        "creationTimestamp": CREATED,
        "labels": {"node.kubernetes.io/instance-type": "m6i.large"},
    },
    "spec": {"weight": 7, "paused": False},
    "status": {"conditions": [{"type": "Launched", "status": "True"}, {"type": "Ready", "status": "Unknown"}]},
}


def test_a_table_has_the_shape_that_kubectl_asks_for() -> None:
    table = render_table(("", "v1", "Namespace"), [{"metadata": {"name": "n", "creationTimestamp": CREATED}}], NOW_NS)

    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Status", "Age"]
    assert table["columnDefinitions"][0]["description"].startswith("Name must be unique within a namespace.")
    assert table["rows"] == [{"cells": ["n", "", "5m"]}]


def test_a_kind_without_a_printer_shows_when_it_was_created() -> None:
    table = render_table(("x.io", "v1", "Odd"), [{"metadata": {"name": "o", "creationTimestamp": CREATED}}], NOW_NS)

    assert table["rows"] == [{"cells": ["o", CREATED]}]


def test_a_completed_container_beside_a_failed_one_shows_the_failure() -> None:
    def ended(name: str, reason: str, code: int) -> dict[str, Any]:
        return {"name": name, "restartCount": 0, "state": {"terminated": {"reason": reason, "exitCode": code}}}

    pod = {
        "metadata": {"name": "p", "creationTimestamp": CREATED},
        "spec": {"containers": [{"name": "a"}, {"name": "b"}]},
        "status": {"phase": "Failed", "containerStatuses": [ended("a", "Completed", 0), ended("b", "Error", 1)]},
    }

    assert render_table(("", "v1", "Pod"), [pod], NOW_NS)["rows"][0]["cells"][2] == "Error"


def test_custom_columns_read_their_paths() -> None:
    columns = [
        {"name": "Type", "type": "string", "jsonPath": r".metadata.labels.node\.kubernetes\.io/instance-type"},
        {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {"name": "Weight", "type": "integer", "jsonPath": ".spec.weight", "priority": 1},
        {"name": "Paused", "type": "boolean", "jsonPath": ".spec.paused"},
        {"name": "None", "type": "string", "jsonPath": ".spec.none"},
    ]

    table = render_crd_table(columns, [NODE_CLAIM], NOW_NS)

    assert table["rows"] == [{"cells": ["c-1", "m6i.large", "Unknown", "5m", 7, False, None]}]
    assert [column["priority"] for column in table["columnDefinitions"]] == [0, 0, 0, 0, 1, 0, 0]


def test_custom_resources_show_their_age_when_nothing_else_is_asked() -> None:
    assert render_crd_table(None, [NODE_CLAIM], NOW_NS)["rows"] == [{"cells": ["c-1", "5m"]}]


def test_paths_find_every_element_and_count_from_the_end() -> None:
    assert find_values(".status.conditions[*].type", NODE_CLAIM) == ["Launched", "Ready"]
    assert find_values(".status.conditions[-1]['status']", NODE_CLAIM) == ["Unknown"]
    assert find_values(".status.conditions[5]", NODE_CLAIM) == []


def test_usage_is_shown_as_metrics_server_shows_it() -> None:
    containers = [{"name": name, "usage": {"cpu": "1500000n", "memory": "2048Ki"}} for name in ("a", "b")]
    pod = {"metadata": {"name": "p", "creationTimestamp": CREATED}, "window": "15s", "containers": containers}

    table = render_table(("metrics.k8s.io", "v1beta1", "PodMetrics"), [pod], NOW_NS)

    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "cpu", "memory", "Window"]
    assert table["rows"] == [{"cells": ["p", "3m", "4Mi", "15s"]}]


def test_a_csi_driver_shows_what_it_asks_for() -> None:
    spec = {"attachRequired": True, "tokenRequests": [{"audience": "sts"}], "volumeLifecycleModes": ["Persistent"]}
    driver = {"metadata": {"name": "d", "creationTimestamp": CREATED}, "spec": spec}

    table = render_table(("storage.k8s.io", "v1", "CSIDriver"), [driver], NOW_NS)

    assert table["rows"] == [{"cells": ["d", True, False, False, "sts", False, "Persistent", "5m"]}]
