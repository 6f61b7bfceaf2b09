"""What the server says to objects that break a rule: one row for each rule, in upstream's words."""

from __future__ import annotations

from typing import Any

import pytest
from api.conftest import Server

CORE, APPS, BATCH = "/api/v1/namespaces/shop", "/apis/apps/v1/namespaces/shop", "/apis/batch/v1/namespaces/shop"
HPAS = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers"


def pod(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "image": "x", **(container or {})}], **spec}


def workload(**spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pod()}
    return {"selector": {"matchLabels": {"a": "b"}}, "template": template, **spec}


def job(**spec: Any) -> dict[str, Any]:
    return {"template": {"spec": {**pod(), "restartPolicy": "Never"}}, **spec}


def service(**spec: Any) -> dict[str, Any]:
    return {"ports": [{"port": 80}], **spec}


C = "spec.containers[0]"
POD_CASES = {
    "host port twice": (
        pod({"ports": [{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 80}]}),
        f'{C}.ports[1].hostPort: Duplicate value: "TCP//80"',
    ),
    "port of the host's network": (
        pod({"ports": [{"containerPort": 80, "hostPort": 90}]}, hostNetwork=True),
        f"{C}.ports[0].hostPort: Invalid value: 90: must match `containerPort` when `hostNetwork` is true",
    ),
    "unknown field of the pod": (
        pod({"env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.foo"}}}]}),
        f'{C}.env[0].valueFrom.fieldRef.fieldPath: Invalid value: "metadata.foo": '
        "error converting fieldPath: field label not supported: metadata.foo",
    ),
    "key of a config map": (
        pod({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c"}}}]}),
        f"{C}.env[0].valueFrom.configMapKeyRef.key: Required value",
    ),
    "probe's scheme": (
        pod({"livenessProbe": {"httpGet": {"port": 80, "scheme": "X"}}}),
        f'{C}.livenessProbe.httpGet.scheme: Unsupported value: "X": supported values: "HTTP", "HTTPS"',
    ),
    "hook without a handler": (
        pod({"lifecycle": {"preStop": {}}}),
        f"{C}.lifecycle.preStop: Required value: must specify a handler type",
    ),
    "probe of an init container": (
        pod(initContainers=[{"name": "i", "image": "x", "readinessProbe": {"tcpSocket": {"port": 1}}}]),
        "spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without "
        "restartPolicy=Always",
    ),
    "part of an extended resource": (
        pod({"resources": {"limits": {"example.com/gpu": "1500m"}}}),
        f'[{C}.resources.limits[example.com/gpu]: Invalid value: "1500m": must be an integer, '
        f'{C}.resources.requests[example.com/gpu]: Invalid value: "1500m": must be an integer]',
    ),
    "user": (
        pod({"securityContext": {"runAsUser": -1}}),
        f"{C}.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive",
    ),
    "type of a host path": (
        pod(volumes=[{"name": "v", "hostPath": {"path": "/x", "type": "Foo"}}]),
        'spec.volumes[0].hostPath.type: Unsupported value: "Foo": supported values: "", "BlockDevice", '
        '"CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"',
    ),
    "restart policy, in upstream's order": (
        pod(restartPolicy="X"),
        'spec.restartPolicy: Unsupported value: "X": supported values: "Always", "OnFailure", "Never"',
    ),
    "no name servers": (
        pod(dnsPolicy="None"),
        "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None",
    ),
    "toleration of any value": (
        pod(tolerations=[{"key": "k", "operator": "Exists", "value": "v"}]),
        "spec.tolerations[0].operator: Invalid value: \"v\": value must be empty when `operator` is 'Exists'",
    ),
    "spread twice": (
        pod(topologySpreadConstraints=[{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}] * 2),
        'spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: "{z, DoNotSchedule}"',
    ),
    "gated and bound": (
        pod(schedulingGates=[{"name": "g"}], nodeName="n"),
        "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been cleared",
    ),
}
SERVICE_CASES = {
    "node port of a cluster IP": (
        {"ports": [{"port": 80, "nodePort": 30000}]},
        "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
    ),
    "port twice, as Go's type": (
        {"ports": [{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]},
        'spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":80,"TargetPort":0,'
        '"NodePort":0}',
    ),
    "traffic policy inside": (
        service(externalTrafficPolicy="Local"),
        'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
    ),
    "address outside the range": (
        service(clusterIP="1.2.3.4"),
        'spec.clusterIPs: Invalid value: ["1.2.3.4"]: failed to allocate IP 1.2.3.4: '
        "the provided network does not match the current range",
    ),
    "two families": (
        service(ipFamilyPolicy="RequireDualStack"),
        'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": '
        "this cluster is not configured for dual-stack services",
    ),
    "loopback": (
        service(externalIPs=["127.0.0.1"]),
        'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
    ),
}
OTHERS = {
    "stateful set's strategy": (
        f"{APPS}/statefulsets",
        workload(updateStrategy={"type": "Y"}),
        'spec.updateStrategy: Invalid value: {"Type":"Y","RollingUpdate":null}: must be \'RollingUpdate\' or '
        "'OnDelete'",
    ),
    "daemon set's strategy": (
        f"{APPS}/daemonsets",
        workload(updateStrategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}),
        "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero",
    ),
    "label of a template": (
        f"{APPS}/deployments",
        workload(template={"metadata": {"labels": {"a": "b", "c": "-"}}, "spec": pod()}),
        'spec.template.labels: Invalid value: "-": a valid label must be an empty string or consist of '
        "alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
        "(e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
        "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    ),
    "limit of a job's index": (
        f"{BATCH}/jobs",
        job(backoffLimitPerIndex=1),
        "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode",
    ),
    "rule for failed pods": (
        f"{BATCH}/jobs",
        job(podFailurePolicy={"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [0]}}]}),
        "spec.podFailurePolicy.rules[0].onExitCodes.values[0]: Invalid value: 0: must not be 0 for the In operator",
    ),
    "target of an autoscaler": (
        HPAS,
        {"scaleTargetRef": {"apiVersion": "v1", "kind": "a/b", "name": "w"}, "maxReplicas": 1},
        "[spec.scaleTargetRef.kind: Invalid value: \"a/b\": may not contain '/', "
        'spec.scaleTargetRef.apiVersion: Invalid value: "v1": apiVersion must specify API group]',
    ),
    "ingress without a backend": (
        "/apis/networking.k8s.io/v1/namespaces/shop/ingresses",
        {"defaultBackend": {}},
        'spec.defaultBackend: Invalid value: "": resource or service backend is required',
    ),
}
CASES = (
    {f"pod: {name}": (f"{CORE}/pods", *case) for name, case in POD_CASES.items()}
    | {f"service: {name}": (f"{CORE}/services", *case) for name, case in SERVICE_CASES.items()}
    | OTHERS
)


@pytest.mark.parametrize(("path", "spec", "text"), CASES.values(), ids=CASES)
def test_a_broken_rule_is_told_in_upstreams_words(server: Server, path: str, spec: dict[str, Any], text: str) -> None:
    refused = server.expect(422, "POST", path, {"metadata": {"name": "x"}, "spec": spec})
    assert refused["message"].partition(" is invalid: ")[2] == text


def test_secrets_hold_what_their_type_asks_for(server: Server) -> None:
    body = {"metadata": {"name": "s"}, "type": "kubernetes.io/basic-auth"}
    refused = server.expect(422, "POST", f"{CORE}/secrets", body)
    assert refused["message"].endswith("[data[username]: Required value, data[password]: Required value]")
    refused = server.expect(400, "POST", f"{CORE}/secrets", {"metadata": {"name": "s"}, "data": {"a": "YQ=!"}})
    assert refused["message"].endswith("illegal base64 data at input byte 3")


def test_finalizers_are_standard_or_qualified(server: Server) -> None:
    refused = server.expect(422, "POST", f"{CORE}/configmaps", {"metadata": {"name": "a", "finalizers": ["x"]}})
    assert refused["details"]["causes"] == [
        {
            "reason": "FieldValueInvalid",
            "message": 'Invalid value: "x": name is neither a standard finalizer name nor is it fully qualified',
            "field": "metadata.finalizers[0]",
        }
    ]


def test_admission_refuses_what_it_would_have_to_change(server: Server) -> None:
    for spec, why in (
        (
            pod(preemptionPolicy="Never"),
            "the string value of PreemptionPolicy (Never) must not be provided in pod spec; priority admission "
            "controller computed PreemptLowerPriority from the given PriorityClass name",
        ),
        (pod(runtimeClassName="gvisor"), 'pod rejected: RuntimeClass "gvisor" not found'),
    ):
        refused = server.expect(403, "POST", f"{CORE}/pods", {"metadata": {"name": "x"}, "spec": spec})
        assert refused["message"] == f'pods "x" is forbidden: {why}'


def test_a_binding_without_a_node_is_an_error_without_a_reason(server: Server) -> None:
    server.pod("a")
    refused = server.expect(500, "POST", f"{CORE}/pods/a/binding", {"metadata": {"name": "a"}, "target": {}})
    assert refused["message"] == "target.name: Required value"
    assert "reason" not in refused


def test_a_service_may_begin_with_a_digit(server: Server) -> None:
    server.expect(201, "POST", f"{CORE}/services", {"metadata": {"name": "1web"}, "spec": service()})
    refused = server.expect(422, "POST", f"{CORE}/services", {"metadata": {"name": "Web"}, "spec": service()})
    assert "a lowercase RFC 1123 label must consist of" in refused["message"]


def test_a_field_manager_is_printable(server: Server) -> None:
    """Positions are in bytes."""
    target = f"{CORE}/configmaps?fieldManager=%C3%A9%07b%E2%80%A8c"
    refused = server.expect(422, "POST", target, {"metadata": {"name": "x"}})
    quoted = '"é\\ab\\u2028c"'
    assert [cause["message"] for cause in refused["details"]["causes"]] == [
        f"Invalid value: {quoted}: invalid character U+0007 (at position 2)",
        f"Invalid value: {quoted}: invalid character U+2028 (at position 4)",
    ]
