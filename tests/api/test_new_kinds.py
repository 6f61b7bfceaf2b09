"""What the server refuses of stateful sets, cron jobs, volumes and network objects, to the text."""

from __future__ import annotations

from typing import Any

import pytest
from stand_ins import Cluster, pod_template

from labs.api.cron import ScheduleError, parse_schedule
from labs.api.store import Object
from labs.errors import ApiError


def refusal(resource: str, obj: Object) -> str:
    cluster = Cluster()
    with pytest.raises(ApiError) as caught:
        cluster.create(resource, obj)
    assert caught.value.code == 422
    return caught.value.message.partition(" is invalid: ")[2]


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        ("", "empty spec string"),
        ("* * *", "expected exactly 5 fields, found 3: [* * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-2 * * * *", "beginning of range (5) beyond end of range (2): 5-2"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("@noon", "unrecognized descriptor: @noon"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
    ],
)
def test_a_bad_schedule_is_refused_with_the_parsers_text(schedule: str, text: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse_schedule(schedule)
    assert str(caught.value) == text


def cron_job(**spec: Any) -> Object:
    template = pod_template("tick")
    template["spec"]["restartPolicy"] = "Never"
    wanted = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": template}}, **spec}
    return {"metadata": {"name": "tick"}, "spec": wanted}


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"schedule": ""}, "spec.schedule: Required value"),
        (
            {"schedule": "1 2"},
            'spec.schedule: Invalid value: "1 2": expected exactly 5 fields, found 2: [1 2]',
        ),
        ({"timeZone": "Mars/Base"}, 'spec.timeZone: Invalid value: "Mars/Base": unknown time zone Mars/Base'),
        (
            {"concurrencyPolicy": "Maybe"},
            'spec.concurrencyPolicy: Unsupported value: "Maybe": supported values: "Allow", "Forbid", "Replace"',
        ),
    ],
)
def test_a_cronjob_is_refused_for_what_cannot_be(spec: dict[str, Any], text: str) -> None:
    assert refusal("cronjobs.batch", cron_job(**spec)) == text


def test_most_of_a_statefulset_may_not_change() -> None:
    cluster = Cluster()
    spec = {"selector": {"matchLabels": {"app": "db"}}, "template": pod_template("db"), "serviceName": "db"}
    cluster.create("statefulsets.apps", {"metadata": {"name": "db"}, "spec": spec})
    cluster.patch("statefulsets.apps", "db", lambda spec: {**spec, "replicas": 3})
    with pytest.raises(ApiError, match=r'spec\.serviceName: Invalid value: "other": field is immutable'):
        cluster.patch("statefulsets.apps", "db", lambda spec: {**spec, "serviceName": "other"})


def test_a_statefulset_may_mount_its_claim_templates() -> None:
    template = pod_template("db")
    template["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    spec = {"selector": {"matchLabels": {"app": "db"}}, "template": template, "volumeClaimTemplates": [claim]}
    Cluster().create("statefulsets.apps", {"metadata": {"name": "db"}, "spec": spec})


def test_a_claim_needs_an_access_mode_and_a_size() -> None:
    text = refusal("persistentvolumeclaims", {"metadata": {"name": "data"}, "spec": {}})
    assert text == (
        "[spec.accessModes: Required value: at least 1 access mode is required, "
        "spec.resources[storage]: Required value]"
    )


def test_an_ingress_needs_rules_and_whole_backends() -> None:
    text = refusal("ingresses.networking.k8s.io", {"metadata": {"name": "web"}, "spec": {}})
    assert text == "spec: Invalid value: null: either `defaultBackend` or `rules` must be specified"
    paths = [{"path": "shop", "pathType": "Prefix", "backend": {"service": {"name": "web"}}}]
    text = refusal(
        "ingresses.networking.k8s.io", {"metadata": {"name": "web"}, "spec": {"rules": [{"http": {"paths": paths}}]}}
    )
    assert text == (
        '[spec.rules[0].http.paths[0].path: Invalid value: "shop": must be an absolute path, '
        "spec.rules[0].http.paths[0].backend: Required value: port name or number is required]"
    )


def test_a_network_policy_peer_is_one_kind_of_thing() -> None:
    peers = [{}, {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}, "podSelector": {}}]
    text = refusal(
        "networkpolicies.networking.k8s.io",
        {"metadata": {"name": "web"}, "spec": {"podSelector": {}, "ingress": [{"from": peers}]}},
    )
    assert text == (
        "[spec.ingress[0].from[0]: Required value: must specify a peer, "
        'spec.ingress[0].from[1].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`, '
        "spec.ingress[0].from[1]: Forbidden: may not specify both ipBlock and another peer]"
    )


def test_a_storage_class_is_fixed() -> None:
    cluster = Cluster()
    made = cluster.client.create("storageclasses.storage.k8s.io", {"metadata": {"name": "x"}, "provisioner": "a.b/c"})
    assert (made["reclaimPolicy"], made["volumeBindingMode"]) == ("Delete", "Immediate")
    with pytest.raises(ApiError, match="updates to provisioner are forbidden"):
        cluster.client.update("storageclasses.storage.k8s.io", {**made, "provisioner": "d.e/f"})
