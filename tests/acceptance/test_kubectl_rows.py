"""kubectl on the shop's cluster: each command that learners and instructors know, as it ships.

What is compared word by word with a recording is in `tests/golden`; the first commands of a session are in
`test_kubectl.py`. Here every row of commands is tried on one cluster, in a namespace of its own.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab_server import KUBECTL, LabServer, Printed

Run = Callable[..., Printed]
NAMESPACE = "rows"
WORKLOADS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: web, image: "example.com/web:1", volumeMounts: [{name: tmp, mountPath: /tmp}]}]
      volumes: [{name: tmp, emptyDir: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: db, image: "example.com/db:1", volumeMounts: [{name: data, mountPath: /data}]}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: ReplicationController
metadata: {name: old}
spec:
  replicas: 1
  template:
    metadata: {labels: {app: old}}
    spec: {containers: [{name: old, image: "example.com/old:1"}]}
"""
MAPS = """
{apiVersion: v1, kind: ConfigMap, metadata: {name: one, labels: {set: maps}}, data: {a: "1"}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: two, labels: {set: maps}}, data: {a: "1"}}
"""
ONE_MAP = MAPS.partition("---")[0]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with LabServer(tmp_path_factory.mktemp("lab"), "--manifests", "kubernetes/shop") as server:
        yield server


@pytest.fixture(scope="module")
def kubectl(server: LabServer) -> Run:
    """kubectl in a namespace where a Deployment, a StatefulSet and a ReplicationController are ready."""

    def run(command: str, code: int = 0, text: str | None = None) -> Printed:
        printed = server.kubectl("-n", NAMESPACE, *shlex.split(command), text=text)
        assert printed.code == code, printed.text
        return printed

    run(f"create namespace {NAMESPACE}")
    run("apply -f -", text=WORKLOADS)
    for workload in ("deploy/web", "sts/db"):
        run(f"rollout status {workload}")
    server.advance("60s")
    return run


READS = {
    "get all": "replicationcontroller/old",
    "get all -n shop": "horizontalpodautoscaler.autoscaling/frontend",
    "get pods -o wide": "NOMINATED NODE",
    "get deploy web -o yaml": "kind: Deployment",
    "get deploy web -o kyaml": 'kind: "Deployment"',
    "get pods -o custom-columns=N:.metadata.name,I:.spec.containers[*].image": "example.com/web:1",
    "get pods -o jsonpath-as-json={.items[*].status.podIP}": "[\n",
    "get pods --sort-by=.spec.nodeName --no-headers": "db-0",
    "get pods --show-labels": "app=web,pod-template-hash=",
    "get nodes -L topology.kubernetes.io/zone": "us-east-1a",
    "get nodes -l !karpenter.sh/nodepool -o name": "node/ip-10-0-0-4.ec2.internal",
    "get svc -A --field-selector=spec.type=ClusterIP": "frontend",
    "get pods -A --field-selector=status.phase=Running,spec.nodeName!=x": "kube-system",
    "get pvc,pv": "persistentvolume/pvc-",
    "get nodeclaims,nodepools,ec2nodeclasses": "nodepool.karpenter.sh/default",
    "get csidrivers": "ATTACHREQUIRED",
    "get pods.metrics.k8s.io": "WINDOW",
    "get --raw /readyz?verbose": "readyz check passed",
    "get --raw /livez/ping": "ok",
    "get --raw /apis/apps/v1/namespaces/shop/deployments/frontend/scale": '"kind":"Scale"',
    "top nodes": "CPU(cores)",
    "top pods -n shop --containers": "frontend",
    "top pods -A --sort-by=memory": "kube-system",
    "rollout history deploy/web": "REVISION",
    "rollout history sts/db --revision=1": "Image:\texample.com/db:1",
    "rollout status ds/kube-proxy -n kube-system": "successfully rolled out",
    "describe deploy web": "MinimumReplicasAvailable",
    "describe sts db": "Volume Claims:",
    "describe rc old": "1 Running / 0 Waiting",
    "describe pvc data-db-0": "ProvisioningSucceeded",
    "describe pv": "topology.kubernetes.io/zone in",
    "describe svc frontend -n shop": "Endpoints:",
    "describe ingress frontend -n shop": "frontend:http",
    "describe hpa frontend -n shop": "ScalingActive",
    "describe pdb frontend -n shop": "Allowed disruptions:",
    "describe node ip-10-0-0-4.ec2.internal": "HolderIdentity:",
    "describe endpointslices -n shop": "TargetRef:",
    "describe nodepool default": "Consolidate After:",
    "describe ec2nodeclass default": "Ami Selector Terms:",
    "describe storageclass": "IsDefaultClass:",
    "describe priorityclass system-node-critical": "PreemptionPolicy:",
    "describe clusterrole view": "PolicyRule:",
    "describe configmap kube-root-ca.crt": "ca.crt:",
    "events --types=Normal": "SuccessfulCreate",
    "events --for deploy/web": "ScalingReplicaSet",
    "get events --sort-by=.lastTimestamp -o wide": "SUBOBJECT",
    "api-resources --namespaced=false -o wide": "selfsubjectreviews",
    "api-versions": "metrics.k8s.io/v1beta1",
    "explain deploy.spec.strategy": "RollingUpdate",
    "explain pods.spec.containers.livenessProbe --recursive": "initialDelaySeconds\t<integer>",
    "explain nodepools": "NodePool is the Schema for the NodePools API",
    "explain nodepool.spec.disruption --recursive": "consolidateAfter\t<string> -required-",
    "explain ec2nodeclasses.metadata": "Standard object's metadata",
    "auth can-i create pods": "yes",
    "auth can-i --list": "*.*",
    "auth whoami": "system:masters",
    "auth whoami --as=jane --as-group=dev": "[dev system:authenticated]",
    "cluster-info": "Kubernetes control plane is running at",
    "cluster-info dump --namespaces rows": '"kind": "ReplicationControllerList"',
    "version": "Server Version: v1.37",
    "config view": "REDACTED",
    "config get-contexts": "chaos-crunch",
    "wait --for=condition=Available deploy/web --timeout=20s": "condition met",
    "wait --for=jsonpath={.status.phase}=Running pod -l app=web": "condition met",
    "wait --for=jsonpath={.status.loadBalancer.ingress} ing/frontend -n shop": "condition met",
    "wait --for=condition=Ready node --all": "condition met",
    "wait --for=delete pod/nobody": "",
    "set env deploy/web --list": "# Deployment web, container web",
    "logs deploy/web --tail=1": "",
}


@pytest.mark.parametrize("command", READS)
def test_what_is_read(kubectl: Run, command: str) -> None:
    assert READS[command] in kubectl(command).out


REFUSALS = {
    "autoscale rc old --max=2 --cpu=50%": "apiVersion must specify API group",
    "wait --for=condition=Available=false deploy/web --timeout=1s": "timed out waiting for the condition",
    "wait --for=create deploy/nobody --timeout=1s": "timed out waiting for the condition",
    "rollout pause sts/db": "pausing is not supported",
    "rollout undo deploy/web --to-revision=9": "unable to find specified revision 9",
    "debug deploy/web --image=busybox": "not supported by debug",
    "get pods --as=jane": 'User "jane" cannot list resource "pods" in API group "" in the namespace "rows"',
    "get pods --token=wrong": "You must be logged in to the server",
    "auth can-i list nodes --as=system:serviceaccount:rows:default": "not namespace scoped",
    "set image deploy/web nobody=x": 'unable to find container named "nobody"',
    "autoscale deploy nobody --max=3": 'deployments.apps "nobody" not found',
    "create token nobody": 'serviceaccounts "nobody" not found',
    "create deployment bad --image=": "spec.template.spec.containers: Required value",
    "explain cats": 'the server doesn\'t have a resource type "cats"',
    "get --raw /livez/nothing": "the server could not find the requested resource",
    "top pod nobody": 'podmetrics.metrics.k8s.io "rows/nobody" not found',
}


@pytest.mark.parametrize("command", REFUSALS)
def test_what_is_refused(kubectl: Run, command: str) -> None:
    assert REFUSALS[command] in kubectl(command, code=1).error


WRITES = """
create quota made --hard=pods=100
create role made --verb=get,list --resource=pods,deployments.apps
create rolebinding made --role=made --user=jane
create clusterrole rows-made --verb=get --resource=nodes
create clusterrolebinding rows-made --clusterrole=rows-made --user=jane
create ingress made --class=alb --rule=example.com/shop=web:80 --default-backend=web:80
create serviceaccount made
create token made --duration=1h
create secret docker-registry made --docker-username=u --docker-password=p
create service nodeport made --tcp=80:80
create service externalname away --external-name=example.com
create cronjob made --image=busybox:1.36 --schedule="*/5 * * * *" -- echo
create job made --from=cronjob/made
create configmap made --from-literal=a=b
set selector service made app=web
set serviceaccount deploy/web default
set subject rolebinding made --user=joe
set env deploy/web --from=configmap/made
set env deploy/web MODE=fast
set resources deploy/web --requests=cpu=10m
expose deploy web --port=80 --target-port=8080
autoscale deploy web --min=3 --max=5 --memory=50Mi
scale rc/old --replicas=2
patch deploy web --subresource=scale --type=merge -p '{"spec":{"replicas":3}}'
label pods -l app=web seen=yes
label pods -l app=web seen-
annotate pods --all note=x --overwrite
get pods --as=jane
delete rolebinding,role,quota,ingress,cj,svc made
delete hpa --all
delete clusterrole,clusterrolebinding rows-made
"""


def test_what_is_written(kubectl: Run) -> None:
    for command in WRITES.strip().splitlines():
        assert kubectl(command).out, command


def test_apply_keeps_a_set_and_prunes_what_left_it(kubectl: Run) -> None:
    kubectl("apply -f -", text=MAPS)
    assert kubectl("apply -f - --prune -l set=maps", text=ONE_MAP).out.endswith("configmap/two pruned\n")
    assert kubectl("apply view-last-applied cm one").out.count("\n") > 5
    changed = ONE_MAP.replace('"1"', '"2"')
    assert "+  a: " in kubectl("diff -f -", code=1, text=changed).out
    refused = kubectl("apply --server-side -f -", code=1, text=changed)
    assert 'conflict with "kubectl-client-side-apply"' in refused.error
    assert kubectl("apply --server-side -f -", text=ONE_MAP).out == "configmap/one serverside-applied\n"
    assert kubectl("apply --server-side -f -", text=changed).out == "configmap/one serverside-applied\n"
    # kubectl hands over what client-side apply owned: nobody but itself is in its way now.
    refused = kubectl("apply --server-side --field-manager=other -f -", code=1, text=ONE_MAP)
    assert 'conflict with "kubectl": .data.a' in refused.error
    kubectl("apply --server-side --field-manager=other --force-conflicts -f -", text=ONE_MAP)
    assert kubectl("replace --force -f -", text=ONE_MAP).out.endswith("configmap/one replaced\n")
    assert kubectl("""patch cm one -p '{"data":{"b":"2"}}' --dry-run=server -o jsonpath={.data.b}""").out == "2"
    assert kubectl("delete cm -l set=maps").out == f'configmap "one" deleted from {NAMESPACE} namespace\n'


def test_an_apply_set_prunes_its_members(server: LabServer, kubectl: Run) -> None:
    apply = "apply --server-side --prune --applyset=members -f -"
    environment = {**server.environment, "KUBECTL_APPLYSET": "true"}

    def run(text: str) -> str:
        command = [str(KUBECTL), "-n", NAMESPACE, *apply.split()]
        return subprocess.run(command, env=environment, input=text, capture_output=True, text=True, check=True).stdout

    assert "configmap/two serverside-applied" in run(MAPS)
    assert "configmap/two pruned" in run(ONE_MAP)
    assert "applyset.kubernetes.io/part-of" in kubectl("get cm one --show-labels").out


def test_an_edit_is_saved(server: LabServer, kubectl: Run, tmp_path: Path) -> None:
    kubectl("create configmap edited --from-literal=a=before")
    editor = tmp_path / "editor.sh"
    editor.write_text('#!/bin/sh\nsed -i s/before/after/ "$1"\n', encoding="utf-8")
    editor.chmod(0o755)
    for name, said in ((str(editor), "configmap/edited edited\n"), ("true", "Edit cancelled, no changes made.\n")):
        command = [str(KUBECTL), "-n", NAMESPACE, "edit", "configmap", "edited"]
        environment = {**server.environment, "KUBE_EDITOR": name}
        edited = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert edited.stdout + edited.stderr == said
    assert kubectl("get cm edited -o jsonpath={.data.a}").out == "after"


def test_an_overlay_is_applied_and_leaves_no_difference(kubectl: Run, tmp_path: Path) -> None:
    base, overlay = tmp_path / "base", tmp_path / "overlay"
    for folder in (base, overlay):
        folder.mkdir()
    (base / "kustomization.yaml").write_text(
        "resources: [map.yaml]\nconfigMapGenerator:\n- {name: conf, literals: [a=b]}\n", encoding="utf-8"
    )
    (base / "map.yaml").write_text(ONE_MAP.replace("one", "based"), encoding="utf-8")
    (overlay / "kustomization.yaml").write_text(
        "resources: [../base]\nnamePrefix: prod-\nlabels: [{pairs: {env: prod}}]\n", encoding="utf-8"
    )
    assert re.search(r"name: prod-conf-\w+", kubectl(f"kustomize {overlay}").out)
    kubectl(f"apply -k {overlay}")
    assert kubectl(f"diff -k {overlay}").out == ""
    assert "prod-based" in kubectl(f"delete -k {overlay}").out


@pytest.mark.parametrize("workload", ["deploy/web", "sts/db", "ds/agent"])
def test_rollouts_restart_undo_and_are_watched(kubectl: Run, workload: str) -> None:
    if workload == "ds/agent":
        web = WORKLOADS.partition("---")[0].replace("  replicas: 3\n", "")
        kubectl("apply -f -", text=web.replace("Deployment", "DaemonSet").replace("web", "agent"))
    kubectl(f"rollout status {workload}")
    kubectl(f"rollout restart {workload}")
    assert "Waiting for" in kubectl(f"rollout status {workload} --timeout=60s").out
    assert kubectl(f"rollout undo {workload}").out.endswith("rolled back\n")
    kubectl(f"rollout status {workload}")
    revisions = kubectl(f"rollout history {workload}").out.splitlines()[2:-1]
    assert len(revisions) >= 2
    if workload == "deploy/web":
        kubectl(f"rollout pause {workload}")
        assert "already paused" in kubectl(f"rollout pause {workload}", code=1).error
        assert "can't restart paused" in kubectl(f"rollout restart {workload}", code=1).error
        kubectl(f"rollout resume {workload}")


def test_a_drain_is_blocked_by_a_budget_until_it_is_freed(kubectl: Run) -> None:
    node = kubectl("get pods -l app=web -o jsonpath={.items[0].spec.nodeName}").out
    kubectl("create pdb web --selector=app=web --min-available=3")
    drain = f"drain {node} --pod-selector=app=web --timeout"
    assert "--delete-emptydir-data" in kubectl(f"{drain}=1s", code=1).error
    refused = kubectl(f"{drain}=1s --delete-emptydir-data", code=1)
    assert "Cannot evict pod as it would violate the pod's disruption budget." in refused.error
    assert "SchedulingDisabled" in kubectl(f"get node {node}").out
    kubectl("""patch pdb web -p '{"spec":{"minAvailable":1}}'""")
    assert kubectl(f"{drain}=30s --delete-emptydir-data").out.endswith(f"node/{node} drained\n")
    assert "DaemonSet-managed" in kubectl(f"drain {node} --timeout=1s", code=1).error
    kubectl(f"uncordon {node}")
    kubectl("delete pdb web")


def test_nodes_are_marked_and_unmarked(kubectl: Run) -> None:
    node = kubectl("get nodes -o jsonpath={.items[0].metadata.name}").out
    for command, said in {
        f"cordon {node}": f"node/{node} cordoned\n",
        f"uncordon {node}": f"node/{node} uncordoned\n",
        f"taint node {node} team=shop:PreferNoSchedule": f"node/{node} tainted\n",
        f"taint node {node} team=other:PreferNoSchedule --overwrite": f"node/{node} modified\n",
        f"taint node {node} team-": f"node/{node} untainted\n",
        f"label node {node} team=shop": f"node/{node} labeled\n",
        f"label node {node} team-": f"node/{node} unlabeled\n",
        f"annotate node {node} team=shop": f"node/{node} annotated\n",
    }.items():
        assert kubectl(command).out == said


def test_deletion_cascades_as_it_is_told(kubectl: Run) -> None:
    for name in ("kept", "swept"):
        kubectl(f"create deployment {name} --image=example.com/a:1")
        kubectl(f"rollout status deploy/{name}")
    kubectl("delete deploy kept --cascade=orphan")
    assert "pod/kept-" in kubectl("get rs,pods -l app=kept").out
    kubectl("delete deploy swept --cascade=foreground")
    assert kubectl("get rs,pods -l app=swept -o name").out == ""
    kubectl("delete rs -l app=kept")
    assert "Immediate deletion" in kubectl("delete pod db-0 --force").error
    assert kubectl("delete pod db-1 --grace-period=1 --wait=false").out
    assert kubectl("delete deploy nobody --ignore-not-found").out == ""
    kubectl("create namespace rows-gone")
    assert kubectl("delete namespace rows-gone").out == 'namespace "rows-gone" deleted\n'


def test_a_pod_runs_for_one_answer(kubectl: Run) -> None:
    assert "hello" in kubectl("run once --image=busybox:1.36 --restart=Never --rm -i -- echo hello").out


def test_a_proxy_passes_requests_on(server: LabServer) -> None:
    command = [str(KUBECTL), "proxy", "--port=0"]
    with subprocess.Popen(command, env=server.environment, stdout=subprocess.PIPE, text=True) as proxy:
        assert proxy.stdout is not None
        address = proxy.stdout.readline().split()[-1]
        listed = server.send(f"http://{address}/api/v1/namespaces/{NAMESPACE}/pods")
        proxy.terminate()
    assert json.loads(listed.body)["kind"] == "PodList"
