# %% [markdown]
# # 4 · Meet a spike of 10,000 requests
#
# In this lab you send 10,000 extra requests at the shop, say beforehand how many pods and nodes that takes, and find
# out where each second of the autoscalers' answer goes.
#
# **You will be able to**
#
# 1. predict by arithmetic how many pods the autoscaler asks for, and how many nodes those pods need;
# 2. take the delay of an autoscaler apart, second by second, from what the API recorded;
# 3. account for every request of a load test, and say what one-minute averages hide;
# 4. write an autoscaling `behavior` policy, and say what such a policy can and cannot do.
#
# **Time:** about 35 minutes. **You need:** nothing; the lab starts its own cluster. Lab 03 is useful, but not required.
#
# **Cost:** nothing on the simulated cluster. On EKS about 0.65 US dollars an hour while it runs (an estimate:
# the control plane, two to four small nodes, a load balancer, a small database).

# %% tags=["parameters"]
seed = 7  # which cluster: the same seed gives the same answer each time
requests = 10000  # how many requests the spike consists of
connections = 5  # how many of them are under way at once
after_minutes = 14  # how long to watch after the spike
run_directory = ""  # where results go; empty: runs/04_spike_of_10000

# %%
import math
from datetime import timedelta
from pathlib import Path

import boto3
import pandas as pd
import yaml
from kubernetes import client
from kubernetes.utils import parse_quantity

import labs

_ = labs.check_parameters(
    globals(), seed=labs.Number(0, 1_000_000), requests=labs.Number(2_000, 20_000),
    connections=labs.Number(3, 8), after_minutes=labs.Number(10, 30, "minutes"), run_directory=labs.Text(),
)

# %% [markdown]
# ## The shop and its two autoscalers
#
# The shop runs on **Kubernetes**, which keeps programs running in **pods** (one copy of a program each) on **nodes**
# (machines). Two autoscalers work one after the other:
#
# - the **HorizontalPodAutoscaler** (HPA) decides how many *pods* there should be. It reads how much CPU the pods use,
#   in percent of what they **request** (the CPU that is set aside for them), and keeps that near a **target**;
# - **Karpenter** decides how many *nodes* there should be. It buys a machine when a pod fits nowhere, and gives one
#   back when its pods fit elsewhere.
#
# The next cell starts the cluster, puts the shop on it, and lets it run for six minutes, so that there is
# a normal state to compare with.

# %%
def is_shop_ready():
    found = client.AppsV1Api().list_namespaced_deployment("shop").items
    return all(each.status.ready_replicas == each.spec.replicas for each in found)


def start_shop(*manifests):
    lab = labs.connect(seed=seed)
    for manifest in manifests:
        lab.apply(manifest)
    lab.wait(until=is_shop_ready)
    lab.wait("6 min")
    return lab


lab = start_shop("kubernetes/shop")
print(f"The shop is ready; in the lab it is {lab.now():%H:%M:%S}.")

# %% [markdown]
# What does the HPA want? Its manifest says so, and the pods' template says what each pod requests.

# %%
frontend = client.AppsV1Api().read_namespaced_deployment("frontend", "shop").spec
resources = frontend.template.spec.containers[0].resources
request_m, limit_m = (int(parse_quantity(each["cpu"]) * 1000) for each in (resources.requests, resources.limits))
hpa = client.AutoscalingV2Api().read_namespaced_horizontal_pod_autoscaler("frontend", "shop")
target = hpa.spec.metrics[0].resource.target.average_utilization
reading = hpa.status.current_metrics[0].resource.current.average_utilization
print(f"each frontend requests {request_m}m and may use at most {limit_m}m of CPU (1000m is one core)")
print(f"HPA: {hpa.spec.min_replicas} to {hpa.spec.max_replicas} pods, target {target} % of the request")
print(f"now: {hpa.status.current_replicas} pods use {reading} %")

# %% [markdown]
# The users' side comes from **CloudWatch**, the service that keeps a shop's measurements on AWS: requests, their
# latency and their errors at the load balancer, one value for each minute. `p50` is the latency that half of the requests
# stay below, `p99` the one that 99 of 100 stay below. The error rate is computed by CloudWatch itself,
# with *metric math*; `FILL` stands in for minutes in which a counter was zero and therefore was not sent.

# %%
ALB, POD = "AWS/ApplicationELB", {"ClusterName": "chaos-crunch", "Namespace": "shop", "PodName": "frontend"}


def balancer():
    found = boto3.client("cloudwatch").list_metrics(Namespace=ALB, MetricName="RequestCount")["Metrics"]
    return next({d["Name"]: d["Value"] for d in m["Dimensions"]} for m in found if len(m["Dimensions"]) == 1)


def measure(start, end):
    counters = {"r": "RequestCount", "t5": "HTTPCode_Target_5XX_Count", "e5": "HTTPCode_ELB_5XX_Count"}
    queries = [labs.metric_query(id, ALB, name, balancer(), "Sum") for id, name in counters.items()]
    for id, stat in {"mean": "Average", "p50": "p50", "p99": "p99", "slowest": "Maximum"}.items():
        queries.append(labs.metric_query(id, ALB, "TargetResponseTime", balancer(), stat))
    queries.append({"Id": "failed", "Expression": "FILL(t5,0)+FILL(e5,0)"})
    queries.append({"Id": "errors", "Expression": "100*(FILL(t5,0)+FILL(e5,0))/(r+FILL(e5,0))"})
    return labs.metric_frame(boto3.client("cloudwatch"), queries, start, end)


steady = measure(lab.now() - timedelta(minutes=5), lab.now() - timedelta(minutes=1))
normal = steady[["r", "mean", "p50", "p99"]].mean()
print(f"{normal['r'] / 60:.1f} requests/s, p50 {normal['p50'] * 1000:.0f} ms, p99 {normal['p99'] * 1000:.0f} ms")

# %% [markdown]
# That is the **steady state**. The shop promises (its **service level objective**, SLO) that 99.9 % of requests succeed, and
# that in every minute the p99 is below one second.
#
# ## Arithmetic first: how many pods?
#
# The spike is made by ApacheBench, `ab -n 10000 -c 5`: 5 connections, each of which sends its next request as soon
# as the last one is answered, until 10,000 are done. Each connection therefore sends `1 / latency` requests
# a second. With the latency of the steady state, and the CPU that one request costs (measured: CPU of all frontends
# divided by requests per second), we know what the spike needs at most. At most, because when the shop gets
# slower, such a load generator gets slower with it.
#
# The HPA's rule is one line: **pods = ceil(pods now × use / target)**.

# %%
found = client.CustomObjectsApi().list_namespaced_custom_object(
    "metrics.k8s.io", "v1beta1", "shop", "pods", label_selector="app=frontend")["items"]
pods_now = len(found)
used_m = 1000 * float(sum(parse_quantity(c["usage"]["cpu"]) for pod in found for c in pod["containers"]))
rate_now = normal["r"] / 60
request_cpu_ms = used_m / rate_now
rate_spike = rate_now + connections / normal["mean"]
need_m = rate_spike * request_cpu_ms
print(f"one request costs {request_cpu_ms:.0f} ms of CPU; at most {rate_spike:.0f} requests/s come; they need {need_m:.0f}m")
print(f"by hand: ceil({need_m:.0f} / ({target / 100:g} x {request_m})) = {math.ceil(need_m / (target / 100 * request_m))}")

# %% [markdown]
# The same number from the rule as the cluster itself computes it. It is a plain function, so you can feed it your own
# numbers. The HPA then holds its answer between `minReplicas` and `maxReplicas`.

# %%
from labs.controlplane.hpa.replicas import desired_replicas

asked = desired_replicas(pods_now, need_m / pods_now, request_m, target)
expected_pods = min(max(asked, hpa.spec.min_replicas), hpa.spec.max_replicas)
print(f"the rule asks for {asked} pods, the limits make it {expected_pods}")

# %% [markdown]
# ## Arithmetic again: how many nodes?
#
# A pod fits on a node when its request fits into what is left of the node's **allocatable** CPU (the machine's CPU
# less what the operating system and the kubelet, Kubernetes' agent on the node, keep for themselves). A new
# node is not empty either: **DaemonSets** put one pod on every node, for the network and for monitoring.

# %%
def millicores(containers):
    asked = [(c.resources.requests or {}).get("cpu", "0") for c in containers if c.resources]
    return int(sum(parse_quantity(each) for each in asked) * 1000)


core = client.CoreV1Api()
running = [p for p in core.list_pod_for_all_namespaces().items if p.status.phase in ("Pending", "Running")]
nodes = pd.DataFrame([{
    "zone": node.metadata.labels["topology.kubernetes.io/zone"],
    "type": node.metadata.labels["node.kubernetes.io/instance-type"],
    "allocatable": int(parse_quantity(node.status.allocatable["cpu"]) * 1000),
    "requested": sum(millicores(p.spec.containers) for p in running if p.spec.node_name == node.metadata.name),
} for node in core.list_node().items])
nodes["free"] = nodes["allocatable"] - nodes["requested"]
nodes

# %% [markdown]
# All numbers are thousandths of a core. Now: how many frontends still fit here, how many fit on one new
# node of the same size, and how many such nodes do the others need?

# %%
daemon_sets = client.AppsV1Api().list_daemon_set_for_all_namespaces().items
daemons_m = sum(millicores(each.spec.template.spec.containers) for each in daemon_sets)
fit_here = sum(int(free) // request_m for free in nodes["free"])
fit_on_new = (int(nodes["allocatable"].max()) - daemons_m) // request_m
without_room = max(0, expected_pods - pods_now - fit_here)
expected_nodes = len(nodes) + math.ceil(without_room / fit_on_new)
print(f"room for {fit_here} more frontends on the nodes that are there")
print(f"a new node: ({nodes['allocatable'].max()}m - {daemons_m}m for daemons) / {request_m}m = {fit_on_new} frontends")
print(f"{without_room} pods without room: ceil({without_room} / {fit_on_new}) more nodes, {expected_nodes} in all")

# %% [markdown]
# ## The hypothesis, before anything happens
#
# Write yours down too: how many pods, how many nodes, how many seconds until the last new pod serves, and how many of the
# requests will fail? Most people expect the failures, if any, at the beginning of the spike.

# %%
hypothesis = {"recorded at": f"{lab.now():%H:%M:%S}", "frontend pods": expected_pods, "nodes": expected_nodes,
              "seconds until all pods are ready": 60, "failed requests": 0}
print(hypothesis)

# %% [markdown]
# Three **alarms** watch, as they would in production; each looks at every full minute: p99 above one second, error rate above 5 %,
# and one that says *the HPA ought to do something*. The HPA does nothing while use is within 10 % of its target
# (its **tolerance**). CloudWatch measures CPU against the pods' limit, so the threshold has to be converted.

# %%
def set_alarms():
    cloudwatch = boto3.client("cloudwatch")
    common = {"EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching"}
    p99 = labs.metric_query("p99", ALB, "TargetResponseTime", balancer(), "p99")
    cpu = labs.metric_query("cpu", "ContainerInsights", "pod_cpu_utilization_over_pod_limit", POD, "Average")
    failed = [labs.metric_query(id, ALB, name, balancer(), "Sum") | {"ReturnData": False} for id, name in
              {"r": "RequestCount", "t5": "HTTPCode_Target_5XX_Count", "e5": "HTTPCode_ELB_5XX_Count"}.items()]
    rate = {"Id": "errors", "Expression": "100*(FILL(t5,0)+FILL(e5,0))/(r+FILL(e5,0))"}
    for name, threshold, metrics in (("p99", 1.0, [p99]), ("errors", 5.0, [*failed, rate]), ("cpu", cpu_limit, [cpu])):
        cloudwatch.put_metric_alarm(AlarmName=name, Threshold=threshold, Metrics=metrics, **common)


cpu_limit = target * 1.1 * request_m / limit_m
set_alarms()
print(f"{target} % of the request, and 10 % of that: {cpu_limit:.0f} % of the limit")

# %% [markdown]
# ## Inject: 10,000 requests from a Job
#
# A **Job** runs a pod until its program has finished. Ours is in `kubernetes/load/spike.yaml`; the cell fills
# in your parameters and creates it through the official client, then watches until the Job has succeeded.
# Every five seconds it notes the pods, the nodes, and what the HPA says.

# %%
def send_spike():
    job = yaml.safe_load((Path(labs.__file__).parents[1] / "kubernetes/load/spike.yaml").read_text())
    words = f"ab -n {requests} -c {connections} -s 30 http://shop.example.com/"
    job["spec"]["template"]["spec"]["containers"][0]["command"] = words.split()
    client.BatchV1Api().create_namespaced_job("shop", job)


def read_hpa(lab):
    status = client.AutoscalingV2Api().read_namespaced_horizontal_pod_autoscaler("frontend", "shop").status
    limited = next(c for c in status.conditions if c.type == "ScalingLimited")
    return {"time": lab.now(), "pods": status.current_replicas, "desired": status.desired_replicas,
            "percent": status.current_metrics[0].resource.current.average_utilization, "limited": limited.reason}


def is_spike_over():
    return bool(client.BatchV1Api().read_namespaced_job("spike", "shop").status.succeeded)


# %%
started = lab.now()
send_spike()
looks, readings = labs.Observer(lab, "shop", "app=frontend"), []


def note_and_ask():
    readings.append(read_hpa(lab))
    return is_spike_over()


looks.watch(3600, until=note_and_ask)
ended = lab.now()
print(f"The spike lasted about {(ended - started).total_seconds():.0f} s.")

# %% [markdown]
# Pods and nodes that are no longer needed will be gone soon, and the record of them too. So we copy it
# now: pods, nodes, Karpenter's **NodeClaims** (its orders for machines), and **events**, the short notes in which each part of the cluster
# says what it did. Then we go on watching, because a spike has an aftermath.

# %%
def copy_records():
    core, custom = client.CoreV1Api(), client.CustomObjectsApi()
    return {
        "pods": core.list_namespaced_pod("shop", label_selector="app=frontend").items,
        "nodes": core.list_node().items,
        "claims": custom.list_cluster_custom_object("karpenter.sh", "v1", "nodeclaims")["items"],
        "events": core.list_namespaced_event("shop").items,
    }


records = copy_records()
looks.watch(after_minutes * 60, until=lambda: readings.append(read_hpa(lab)))
lab.wait("3 min")
print(f"Watched until {lab.now():%H:%M:%S}; CloudWatch has the last minutes too now.")

# %% [markdown]
# ## Are all requests accounted for?
#
# `ab` prints a report when it is done; it is in the pod's log. Complete and failed requests must add up to what we sent.

# %%
def read_report():
    core = client.CoreV1Api()
    pod = core.list_namespaced_pod("shop", label_selector="app=spike").items[0].metadata.name
    return core.read_namespaced_pod_log(pod, "shop")


report = read_report()
numbers = dict(line.split(":", 1) for line in report.splitlines() if ":" in line)
complete, failed = (int(numbers[f"{name} requests"]) for name in ("Complete", "Failed"))
print(f"sent {requests}, complete {complete}, of these failed {failed}")
assert complete == requests
print("\n".join(report.splitlines()[-10:]))

# %% [markdown]
# `ab` counts a failed request as complete as well: complete means that it is over. Now the other side. The load balancer counted all
# requests of the same minutes: the spike's and those of the steady shoppers. The shoppers come at random, at a rate that we
# measured before, so their number in so many minutes is known up to a **standard deviation** of about
# its square root. Take them off, and what is left must be the spike.

# %%
minutes = measure(started - timedelta(minutes=4), lab.now() - timedelta(minutes=1))
during = minutes[(minutes.index > started - timedelta(minutes=1)) & (minutes.index < ended)]
shoppers = normal["r"] * len(during)
counted = during["r"].sum()
print(f"CloudWatch: {counted:.0f} requests in {len(during)} minutes, less about {shoppers:.0f} of the shoppers:")
print(f"{counted - shoppers:.0f} for the spike, give or take {2 * math.sqrt(shoppers + shoppers / 4 * len(during)):.0f}")

# %% [markdown]
# CloudWatch cannot prove the number to the last request, `ab` can: measure at the client when you need exact numbers.
# The percentiles differ as well: `ab` reports on all its requests at once; CloudWatch on each minute, spike and shoppers
# together, without the way from the client to the load balancer.
#
# ## What happened
