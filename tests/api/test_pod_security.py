"""Pod Security admission, to the text."""

from __future__ import annotations

from typing import Any

import pytest
from api.conftest import CONTAINER, DEPLOYMENTS, PODS, Server, deployment

from labs.api.podsecurity.evaluate import evaluate, told
from labs.api.podsecurity.policy import PREFIX, Standard, policy_of
from labs.api.store import Object

NAMESPACE = "/api/v1/namespaces/shop"
MERGE = "application/merge-patch+json"
RESTRICTED = (
    'violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set '
    'securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set '
    'securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set '
    'securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set '
    'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
)
GOOD = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def label(server: Server, **modes: str) -> tuple[str, ...]:
    labels = {PREFIX + mode.replace("_", "-"): level for mode, level in modes.items()}
    answer = server.ask("PATCH", NAMESPACE, {"metadata": {"labels": labels}}, media=MERGE)
    assert answer.status == 200, answer.body
    return answer.warnings


def pod(name: str, context: Object | None = None, **spec: Any) -> Object:
    container = {**CONTAINER, **({"securityContext": context} if context is not None else {})}
    return {"metadata": {"name": name}, "spec": {"containers": [container], **spec}}


def test_a_pod_that_breaks_the_enforced_standard_is_refused(server: Server) -> None:
    label(server, enforce="restricted")
    refused = server.expect(403, "POST", PODS, pod("a"))
    assert refused["message"] == f'pods "a" is forbidden: {RESTRICTED}'
    assert server.expect(201, "POST", PODS, pod("b", GOOD))["metadata"]["name"] == "b"


def test_a_workload_is_only_warned_of(server: Server) -> None:
    label(server, enforce="restricted")
    answer = server.ask("POST", DEPLOYMENTS, deployment("web"))
    assert answer.status == 201
    assert answer.warnings == (f"would {RESTRICTED.replace('violates', 'violate', 1)}",)


def test_a_warned_pod_is_admitted(server: Server) -> None:
    label(server, warn="baseline", warn_version="v1.30")
    answer = server.ask("POST", PODS, pod("a", {"privileged": True}))
    assert answer.status == 201
    told_of = 'privileged (container "c" must not set securityContext.privileged=true)'
    assert answer.warnings == (f'would violate PodSecurity "baseline:v1.30": {told_of}',)


def test_a_change_that_does_not_matter_is_let_pass(server: Server) -> None:
    server.expect(201, "POST", PODS, pod("a"))
    label(server, enforce="restricted")
    server.expect(200, "PATCH", f"{PODS}/a", {"metadata": {"labels": {"a": "b"}}}, media=MERGE)
    image = {"spec": {"containers": [{"name": "c", "image": "nginx:1.28"}]}}
    server.expect(403, "PATCH", f"{PODS}/a", image, media="application/strategic-merge-patch+json")


def test_pods_that_are_there_are_told_of_when_the_standard_rises(server: Server) -> None:
    for name in ("b", "a", "c"):
        server.expect(201, "POST", PODS, pod(name))
    server.expect(201, "POST", PODS, pod("d", hostNetwork=True))
    reasons = "allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, seccompProfile"
    assert label(server, enforce="restricted") == (
        'existing pods in namespace "shop" violate the new PodSecurity enforce level "restricted:latest"',
        f"a (and 2 other pods): {reasons}",
        f"d: host namespaces, {reasons}",
    )
    assert label(server, enforce="baseline") == ()


def test_labels_must_name_a_standard(server: Server) -> None:
    labels = {f"{PREFIX}enforce": "strict", f"{PREFIX}warn-version": "1.30"}
    refused = server.expect(422, "POST", "/api/v1/namespaces", {"metadata": {"name": "x", "labels": labels}})
    assert {cause["field"]: cause["message"] for cause in refused["details"]["causes"]} == {
        f"metadata.labels[{PREFIX}enforce]": (
            'Invalid value: "strict": must be one of privileged, baseline, restricted'
        ),
        f"metadata.labels[{PREFIX}warn-version]": 'Invalid value: "1.30": must be "latest" or "v1.x"',
    }


def test_what_is_enforced_is_warned_of_unless_told() -> None:
    policy, _ = policy_of({f"{PREFIX}enforce": "baseline", f"{PREFIX}enforce-version": "v1.30"})
    assert policy.warn == Standard("baseline", "v1.30")
    policy, _ = policy_of({f"{PREFIX}enforce": "baseline", f"{PREFIX}warn": "privileged"})
    assert policy.warn.level == "privileged"


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"hostNetwork": True, "hostPID": True}, "host namespaces (hostNetwork=true, hostPID=true)"),
        ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, 'hostPath volumes (volume "v")'),
        ({"securityContext": {"sysctls": [{"name": "kernel.msgmax"}]}}, "forbidden sysctls (kernel.msgmax)"),
        (
            {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
            'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
        ),
        (
            {"securityContext": {"seLinuxOptions": {"type": "spc_t", "user": "root"}}},
            'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)',
        ),
        (
            {"securityContext": {"appArmorProfile": {"type": "Unconfined"}}},
            'forbidden AppArmor profile (pod must not set AppArmor profile type to "Unconfined")',
        ),
        (
            {"securityContext": {"windowsOptions": {"hostProcess": True}}},
            "hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)",
        ),
        (
            {"containers": [{"name": "c", "ports": [{"hostPort": 80}, {"hostPort": 443}]}]},
            'hostPort (container "c" uses hostPorts 443, 80)',
        ),
        (
            {"containers": [{"name": "c", "livenessProbe": {"httpGet": {"host": "x"}}}]},
            'probe or lifecycle host (container "c" uses probe or lifecycle host "x")',
        ),
        (
            {"containers": [{"name": "c", "securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}]},
            'non-default capabilities (container "c" must not include "SYS_ADMIN" in securityContext.capabilities.add)',
        ),
        (
            {"containers": [{"name": "c", "securityContext": {"procMount": "Unmasked"}}]},
            'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
        ),
    ],
)
def test_each_check_of_the_baseline(spec: Object, text: str) -> None:
    assert told(evaluate(Standard("baseline"), {"spec": {"containers": [{"name": "c"}], **spec}})) == text


@pytest.mark.parametrize(
    ("version", "change", "text"),
    [
        ("latest", {"volumes": [{"name": "v", "nfs": {}}]},
         'restricted volume types (volume "v" uses restricted volume type "nfs")'),
        ("latest", {"securityContext": {"runAsUser": 0}}, "runAsUser=0 (pod must not set runAsUser=0)"),
        ("v1.22", {"securityContext": {"runAsUser": 0}}, ""),
        ("latest", {"securityContext": {"runAsUser": 0}, "hostUsers": False}, ""),
        ("v1.34", {"hostUsers": False, "securityContext": {"runAsUser": 0}},
         "runAsUser=0 (pod must not set runAsUser=0)"),
    ],
)  # fmt: skip
def test_checks_hold_from_their_version_on(version: str, change: Object, text: str) -> None:
    template = {"spec": {"containers": [{"name": "c", "securityContext": GOOD}], **change}}
    assert told(evaluate(Standard("restricted", version), template)) == text
