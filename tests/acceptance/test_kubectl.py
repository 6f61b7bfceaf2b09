"""kubectl's commands that the recordings of `tests/golden` do not have, each as it ships."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lab_server import KUBECTL, LabServer, Printed

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default, labels: {app: web}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "example.com/web:v1", resources: {requests: {cpu: 100m, memory: 64Mi}}}
"""

Run = Callable[..., Printed]


@pytest.fixture(scope="module")
def kubectl(server: LabServer) -> Run:
    """kubectl on a cluster with a running Deployment `web`; fails the test when the command does."""
    server.kubectl("apply", "-f", "-", text=WEB)
    server.kubectl("rollout", "status", "deploy/web")
    server.advance("60s")

    def run(*arguments: str, code: int = 0, text: str | None = None) -> Printed:
        printed = server.kubectl(*arguments, text=text)
        assert printed.code == code, printed.text
        return printed

    return run


@pytest.fixture
def pod(kubectl: Run) -> str:
    return kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}").out


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["-o", "json"], '"kind": "List"'),
        (["-o", "yaml"], "kind: List"),
        (["-o", "name"], "pod/web-"),
        (["-o", "wide"], "NOMINATED NODE"),
        (["-o", "custom-columns=NAME:.metadata.name,IP:.status.podIP"], "NAME"),
        (["-o", "go-template={{range .items}}{{.status.phase}} {{end}}"], "Running Running Running"),
        (["--sort-by=.metadata.creationTimestamp"], "web-"),
        (["--field-selector=status.phase=Running"], "web-"),
        (["--no-headers"], "web-"),
        (["-L", "app"], "APP"),
        (["--chunk-size=1"], "web-"),
        (["-A"], "kube-system"),
        (["--subresource=status"], None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_get_in_all_its_forms(kubectl: Run, options: list[str], found: str | None) -> None:
    if found is None:
        assert "status:" in kubectl("get", "deploy", "web", *options, "-o", "yaml").out
    else:
        assert found in kubectl("get", "pods", *options).out


def test_pages_are_one_list(kubectl: Run) -> None:
    assert (
        kubectl("get", "pods", "-A", "--chunk-size=2", "-o", "name").out
        == kubectl("get", "pods", "-A", "-o", "name").out
    )


def test_get_watch_prints_changes_as_they_come(server: LabServer, kubectl: Run) -> None:
    command = [str(KUBECTL), "get", "deploy", "web", "-w", "--request-timeout=20s"]
    with subprocess.Popen(command, env=server.environment, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        lines = [watching.stdout.readline() for _ in range(2)]
        kubectl("scale", "deploy/web", "--replicas=4")
        while "4/4" not in lines[-1]:
            lines.append(watching.stdout.readline())
        watching.terminate()
    assert lines[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert lines[1].split()[1] == "3/3"
    kubectl("scale", "deploy/web", "--replicas=3")
    kubectl("rollout", "status", "deploy/web")


def test_describe_pod_names_what_matters(kubectl: Run, pod: str) -> None:
    printed = kubectl("describe", "pod", pod).out
    for text in (
        "Controlled By:  ReplicaSet/web-",
        "Ready:          True",
        "QoS Class:",
        "Burstable",
        "Successfully assigned",
    ):
        assert text in printed


@pytest.mark.parametrize(
    "kind", ["node", "rs", "endpointslice -A", "sa", "lease -A", "ns default", "event", "pc", "ds -A"]
)
def test_describe_works_on_every_kind(kubectl: Run, kind: str) -> None:
    assert "Name:" in kubectl("describe", *kind.split()).out


def test_server_side_apply_owns_fields_and_says_who_else_does(kubectl: Run) -> None:
    body = "{apiVersion: v1, kind: ConfigMap, metadata: {name: owned}, data: {a: %s}}"
    apply = ("apply", "--server-side", "-f", "-")
    assert kubectl(*apply, text=body % "one").out == "configmap/owned serverside-applied\n"
    refused = kubectl(*apply, "--field-manager=other", text=body % "two", code=1)
    assert 'Apply failed with 1 conflict: conflict with "kubectl": .data.a' in refused.error
    kubectl(*apply, "--field-manager=other", "--force-conflicts", text=body % "two")
    assert kubectl("get", "cm", "owned", "-o", "jsonpath={.data.a}").out == "two"
    assert "manager: other" in kubectl("get", "cm", "owned", "-o", "yaml", "--show-managed-fields").out


def test_apply_that_was_client_side_migrates(kubectl: Run) -> None:
    body = "{apiVersion: v1, kind: ConfigMap, metadata: {name: migrated}, data: {a: one}}"
    kubectl("apply", "-f", "-", text=body)
    assert kubectl("apply", "--server-side", "-f", "-", text=body).out == "configmap/migrated serverside-applied\n"


def test_apply_prunes_and_diffs_and_dry_runs(kubectl: Run) -> None:
    body = "{apiVersion: v1, kind: ConfigMap, metadata: {name: diffed}, data: {a: one}}"
    assert (
        kubectl("apply", "-f", "-", "--dry-run=server", text=body).out == "configmap/diffed created (server dry run)\n"
    )
    assert "+  a: one" in kubectl("diff", "-f", "-", text=body, code=1).out
    kubectl("apply", "-f", "-", text=body)
    assert kubectl("diff", "-f", "-", text=body).out == ""
    assert kubectl("replace", "-f", "-", text=body.replace("one", "two")).out == "configmap/diffed replaced\n"
    assert kubectl("delete", "-f", "-", text=body).out == 'configmap "diffed" deleted from default namespace\n'


def test_scale_keeps_its_precondition(kubectl: Run) -> None:
    assert kubectl("scale", "deploy/web", "--current-replicas=3", "--replicas=3").out == "deployment.apps/web scaled\n"
    refused = kubectl("scale", "deploy/web", "--current-replicas=9", "--replicas=1", code=1)
    assert "Expected replicas to be 9, was 3" in refused.error


def test_rollout_history_grows(kubectl: Run) -> None:
    kubectl("annotate", "deploy/web", "kubernetes.io/change-cause=first")
    kubectl("set", "env", "deploy/web", "MODE=fast")
    kubectl("rollout", "status", "deploy/web")
    history = kubectl("rollout", "history", "deploy/web").out.splitlines()
    assert history[:2] == ["deployment.apps/web ", "REVISION  CHANGE-CAUSE"]
    assert [line.split()[0] for line in history[2:-1]] == ["1", "2"]


WRITES = """
create namespace made
create deployment made --image=example.com/a:1 --replicas=2
create configmap made --from-literal=a=b
create secret generic made --from-literal=a=b
create serviceaccount made
create service clusterip made --tcp=80:8080
create service loadbalancer made-lb --tcp=80
create pdb made --selector=app=made --min-available=1
create job made --image=busybox:1.36 -- true
create priorityclass made --value=10
run made --image=example.com/a:1
expose deployment made --port=80 --name=made-exposed
autoscale deployment made --max=3 --cpu=50%
set resources deploy/made --requests=cpu=50m
set image deploy/made a=example.com/a:2
label deploy made tier=x
annotate deploy made note=x
patch deploy made --type=merge -p {"spec":{"replicas":1}}
patch deploy made --type=json -p [{"op":"replace","path":"/spec/replicas","value":2}]
rollout pause deploy/made
rollout resume deploy/made
delete pod made --force --grace-period=0
delete deploy,svc,pdb,hpa -l app!=web
delete ns made
"""


@pytest.mark.parametrize("command", WRITES.strip().splitlines())
def test_commands_that_write(kubectl: Run, command: str) -> None:
    assert kubectl(*command.split()).out


def test_wait_knows_creation_and_deletion(kubectl: Run, server: LabServer) -> None:
    command = [str(KUBECTL), "wait", "--for=create", "cm/late", "--timeout=30s"]
    with subprocess.Popen(command, env=server.environment, stdout=subprocess.PIPE, text=True) as waiting:
        kubectl("create", "configmap", "late")
        assert waiting.communicate(timeout=40)[0] == "configmap/late condition met\n"
    kubectl("delete", "cm", "late")
    assert kubectl("wait", "--for=delete", "cm/late", "--timeout=30s").code == 0


def test_logs_of_a_job_are_what_it_printed(kubectl: Run) -> None:
    kubectl("create", "job", "echo", "--image=busybox:1.36", "--", "echo", "hello")
    kubectl("wait", "--for=condition=Complete", "job/echo", "--timeout=50s")
    assert kubectl("logs", "job/echo").out == "hello\n"
    assert kubectl("logs", "-l", "job-name=echo", "--tail=1", "--prefix").out.endswith("hello\n")
    assert "hello" in kubectl("logs", "job/echo", "--timestamps").out


def test_top_shows_containers(kubectl: Run) -> None:
    assert kubectl("top", "pods", "-A", "--containers").out.split()[:3] == ["NAMESPACE", "POD", "NAME"]
    assert kubectl("top", "pods", "-A", "--sort-by=cpu", "--sum").out


def test_events_are_listed_in_both_forms(kubectl: Run) -> None:
    assert "Scheduled" in kubectl("get", "events").out
    assert "Scheduled" in kubectl("events", "--types=Normal").out


def test_discovery_is_whole(kubectl: Run) -> None:
    assert "pods" in kubectl("api-resources", "--categories=all", "-o", "name").out
    assert "FIELDS:" in kubectl("explain", "deployment", "--recursive").out
    version = json.loads(kubectl("version", "-o", "json").out)
    assert version["serverVersion"]["minor"] == "37"
    assert kubectl("get", "--raw", "/readyz").out == "ok"


def test_kustomize_folders_apply(kubectl: Run, tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("resources: [map.yaml]\nnamePrefix: my-\n", encoding="utf-8")
    (tmp_path / "map.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: map}}", encoding="utf-8")
    assert kubectl("apply", "-k", str(tmp_path)).out == "configmap/my-map created\n"


REFUSALS = {
    "get cats": 'error: the server doesn\'t have a resource type "cats"',
    "get pods nope": 'Error from server (NotFound): pods "nope" not found',
    "get pods -l a=b=c": "found '=', expected: ',' or 'end of string'",
    "get pods --field-selector=spec.color=red": "field label not supported: spec.color",
    "create namespace Bad_Name": 'Namespace "Bad_Name" is invalid',
    "scale deploy/nope --replicas=2": 'deployments.apps "nope" not found',
    "delete ns kube-system": 'namespaces "kube-system" is forbidden: this namespace may not be deleted',
    "taint nodes --all bad=x:Never": "invalid taint effect",
    "logs nope": 'pods "nope" not found',
    "rollout undo deploy/nope": 'deployments.apps "nope" not found',
}


@pytest.mark.parametrize("command", REFUSALS)
def test_refusals_say_what_a_real_server_says(kubectl: Run, command: str) -> None:
    assert REFUSALS[command] in kubectl(*command.split(), code=1).error


def test_a_manifest_with_an_unknown_field_is_refused(kubectl: Run) -> None:
    refused = kubectl("apply", "-f", "-", text=WEB.replace("replicas:", "replicaz:"), code=1)
    assert 'strict decoding error: unknown field "spec.replicaz"' in refused.error


TABS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: tabs.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: tabs, singular: tab, kind: Tab, shortNames: [tb], categories: [all]}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}, scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size}}
      additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec: {type: object, description: what is wanted, properties: {size: {type: integer, default: 1}}}
            status: {type: object, properties: {size: {type: integer}}}
"""
TAB = "{apiVersion: example.com/v1, kind: Tab, metadata: {name: a, namespace: default}, spec: {}}"


def test_a_custom_kind_is_used_like_any_other(kubectl: Run) -> None:
    kubectl("apply", "-f", "-", text=TABS)
    kubectl("wait", "--for=condition=established", "crd/tabs.example.com")
    assert kubectl("apply", "-f", "-", text=TAB).out == "tab.example.com/a created\n"
    assert "what is wanted" in kubectl("explain", "tab.spec").out
    kubectl("scale", "tb/a", "--replicas=3")
    assert kubectl("get", "tb").out == "NAME   SIZE\na      3\n"
    refused = kubectl("patch", "tab", "a", "--type=merge", "-p", '{"spec":{"size":"x"}}', code=1)
    assert "spec.size in body must be of type integer" in refused.error
    refused = kubectl("apply", "--server-side", "-f", "-", text=TAB.replace("spec: {}", "spec: {colour: 1}"), code=1)
    assert ".spec.colour: field not declared in schema" in refused.error
    kubectl("delete", "crd", "tabs.example.com")
    assert kubectl("get", "tabs", code=1).error


def test_debug_joins_a_running_pod(kubectl: Run, pod: str) -> None:
    command = ("debug", "-i", pod, "--image=busybox:1.36", "--target=web", "--", "sh", "-c", "sleep 3; echo joined")
    assert "joined" in kubectl(*command).out
    names = kubectl("get", "pod", pod, "-o", "jsonpath={.spec.ephemeralContainers[*].targetContainerName}").out
    assert names == "web"
    assert "Ephemeral Containers:" in kubectl("describe", "pod", pod).out


def test_a_raw_request_goes_through_the_proxy(kubectl: Run, pod: str) -> None:
    path = f"/api/v1/namespaces/default/pods/{pod}:81/proxy/"
    assert "connect: connection refused" in kubectl("get", "--raw", path, code=1).error
    node = kubectl("get", "pod", pod, "-o", "jsonpath={.spec.nodeName}").out
    told = kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/pods").out
    assert pod in [item["metadata"]["name"] for item in json.loads(told)["items"]]


def test_a_certificate_is_asked_for_and_approved(kubectl: Run) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jane")])
    signed = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    encoded = base64.b64encode(signed.public_bytes(Encoding.PEM)).decode()
    spec = {"request": encoded, "signerName": "example.com/serving", "usages": ["client auth"]}
    body = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": "jane"}}
    kubectl("apply", "-f", "-", text=json.dumps({**body, "spec": spec}))
    assert "Pending" in kubectl("get", "csr", "jane").out
    kubectl("certificate", "approve", "jane")
    assert "Approved" in kubectl("get", "csr", "jane").out
