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
# **Time:** about 45 minutes, 15 of them for the three exercises. **You need:** nothing; the lab starts its own
# cluster. Lab 03 is useful, but not required.
#
# **Cost:** nothing on the simulated cluster. On EKS about 0.65 US dollars an hour while it runs (an estimate: the
# control plane, two to four small nodes, a load balancer, a small database).

# %% tags=["parameters"]
seed = 7  # which cluster: the same seed gives the same answer each time
requests = 10000  # how many requests the spike consists of
connections = 5  # how many of them are under way at once
after_minutes = 14  # how long to watch after the spike
run_directory = ""  # where results go; empty: runs/04_spike_of_10000

# %% [markdown]
# The next cell loads what the lab uses, and stops if a parameter cannot be used.

# %%
import math
from datetime import datetime, timedelta
from pathlib import Path

import boto3
import pandas as pd
import yaml
from kubernetes.utils import parse_quantity

import labs
from kubernetes import client
from labs.controlplane.hpa.replicas import desired_replicas
from labs.course.lag import copy_records, draw_steps, scaling_steps
from labs.course.moments import draw_moments

ranges = {"requests": labs.Number(2_000, 20_000), "connections": labs.Number(3, 8)}
ranges |= {"after_minutes": labs.Number(10, 30, "minutes"), "run_directory": labs.Text()}
_ = labs.check_parameters(globals(), seed=labs.Number(0, 1_000_000), **ranges)

# %% [markdown]
# ## The shop and its two autoscalers
#
# The shop runs on **Kubernetes**, which keeps programs running in **pods** (one copy of a program each) on **nodes**
# (machines). A **Deployment** holds the wanted number of pods of one program, from a template. Visitors come through a
# **load balancer**, which passes each request to one of the pods of the **frontend**, the program that makes the pages.
# Two autoscalers work one after the other:
#
# - the **HorizontalPodAutoscaler** (HPA) decides how many *pods* there should be. It reads how much CPU the pods use,
#   in percent of what they **request** (the CPU that is set aside for them), and keeps that near a **target**;
# - **Karpenter** decides how many *nodes* there should be. It buys a machine when a pod fits nowhere, and gives one
#   back when its pods fit elsewhere.
#
# The next cell starts the cluster, puts the shop on it, and lets it run for six minutes, so that there is a normal
# state to compare with.

# %%
def is_shop_ready():
    found = client.AppsV1Api().list_namespaced_deployment("shop").items
    return all(each.status.ready_replicas == each.spec.replicas for each in found)


def start_shop(*manifests):
    lab = labs.connect(seed=seed)
    client.ApiClient.set_default(client.ApiClient())  # one connection for all calls
    for manifest in manifests:
        lab.apply(manifest)
    lab.wait(until=is_shop_ready)
    lab.wait("6 min")
    return lab


lab = start_shop("kubernetes/shop")
print(f"The shop is ready; in the lab it is {lab.now():%H:%M:%S}.")

# %% [markdown]
# If you like to see what follows as it happens, run `lab.live_view()` in a cell of its own: it shows a link to a page with
# the nodes, the pods, the autoscalers and the alarms.
#
# What does the HPA want? Its manifest (the file that was applied) says so, and the Deployment's template says what each
# frontend requests.

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
# The users' side comes from **CloudWatch**, which keeps measurements on AWS: requests, their latency and their errors
# at the load balancer, one value for each minute. `p50` is the latency that half of the requests stay below, `p99`
# the one that 99 of 100 stay below. CloudWatch computes the error rate itself, with *metric math*; `FILL` stands in
# for minutes in which a counter was zero and therefore was not sent.

# %%
ALB, INSIGHTS = "AWS/ApplicationELB", "ContainerInsights"
POD = {"ClusterName": "chaos-crunch", "Namespace": "shop", "PodName": "frontend"}
COUNTERS = {"r": "RequestCount", "t5": "HTTPCode_Target_5XX_Count", "e5": "HTTPCode_ELB_5XX_Count"}
FAILED = {"Id": "failed", "Expression": "FILL(t5,0)+FILL(e5,0)"}
RATE = {"Id": "errors", "Expression": "100*(FILL(t5,0)+FILL(e5,0))/(r+FILL(e5,0))"}


def alb_query(name, metric, stat):
    found = boto3.client("cloudwatch").list_metrics(Namespace=ALB, MetricName="RequestCount")["Metrics"]
    balancer = next(each["Dimensions"][0] for each in found if len(each["Dimensions"]) == 1)
    return labs.metric_query(name, ALB, metric, {balancer["Name"]: balancer["Value"]}, stat)


def measure(start, end):
    queries = [alb_query(name, metric, "Sum") for name, metric in COUNTERS.items()]
    for name, stat in {"mean": "Average", "p50": "p50", "p99": "p99", "slowest": "Maximum"}.items():
        queries.append(alb_query(name, "TargetResponseTime", stat))
    queries.append(labs.metric_query("cpu_m", INSIGHTS, "pod_cpu_usage_total", POD, "Average"))
    return labs.metric_frame(boto3.client("cloudwatch"), [*queries, FAILED, RATE], start, end)


# %% [markdown]
# Four quiet minutes, measured with it, are the steady state to compare with.

# %%
steady = measure(lab.now() - timedelta(minutes=5), lab.now() - timedelta(minutes=1))
normal = steady.mean()
print(f"{normal['r'] / 60:.1f} requests/s, p50 {normal['p50'] * 1000:.0f} ms, p99 {normal['p99'] * 1000:.0f} ms")

# %% [markdown]
# That is the **steady state**. The shop promises (its **service level objective**, SLO) that 99.9 % of requests
# succeed, and that in every minute the p99 is below one second.
#
# ## Arithmetic first: how many pods?
#
# The spike is made by ApacheBench, `ab -n 10000 -c 5`: 5 connections, each of which sends its next request as soon as
# the last one is answered, until 10,000 are done. So each connection sends `1 / latency` requests a second. With the
# latency of the steady state, and the CPU that one request costs (the CPU of all frontends divided by the requests
# per second), we know what the spike needs at most. At most, because such a load generator slows down when the
# shop does (a **closed loop**).
#
# The HPA's rule is one line: **pods = ceil(pods now × use / target)**, held between `minReplicas` and `maxReplicas`.
# We compute it by hand and with the function that the cluster itself uses.

# %%
pods_now, rate_now = hpa.status.current_replicas, normal["r"] / 60
request_cpu_ms = pods_now * normal["cpu_m"] / rate_now
rate_spike = rate_now + connections / normal["mean"]
need_m = rate_spike * request_cpu_ms
by_hand = math.ceil(pods_now * (need_m / pods_now) / (target / 100 * request_m))
by_rule = desired_replicas(pods_now, need_m / pods_now, request_m, target)
expected_pods = min(max(by_rule, hpa.spec.min_replicas), hpa.spec.max_replicas)
print(f"a request costs {request_cpu_ms:.0f} ms; at most {rate_spike:.0f} come a second and need {need_m:.0f}m of CPU")
print(f"ceil({need_m:.0f}m / ({target} % of {request_m}m)) = {by_hand}")
print(f"the function says {by_rule}, with the limits {expected_pods}")

# %% [markdown]
# ## Arithmetic again: how many nodes?
#
# A pod fits on a node when its request fits into what is left of the node's **allocatable** CPU (the machine's CPU
# less what the operating system and Kubernetes' own agent, the **kubelet**, keep for themselves).

# %%
def millicores(containers):
    amounts = [(each.resources.requests or {}).get("cpu", "0") for each in containers if each.resources]
    return int(sum(parse_quantity(amount) for amount in amounts) * 1000)


core = client.CoreV1Api()
running = [pod for pod in core.list_pod_for_all_namespaces().items if pod.status.phase in ("Pending", "Running")]
nodes = pd.DataFrame([{
    "zone": node.metadata.labels["topology.kubernetes.io/zone"],
    "type": node.metadata.labels["node.kubernetes.io/instance-type"],
    "allocatable": int(parse_quantity(node.status.allocatable["cpu"]) * 1000),
    "requested": sum(millicores(pod.spec.containers) for pod in running if pod.spec.node_name == node.metadata.name),
} for node in core.list_node().items])
nodes.assign(free=nodes["allocatable"] - nodes["requested"])

# %% [markdown]
# All numbers are thousandths of a core. A new node is not empty either: **DaemonSets** put one pod on every node, for
# the network and for monitoring. How many frontends still fit here, how many on one new node of that size, and how
# many such nodes do the rest need?

# %%
daemon_sets = client.AppsV1Api().list_daemon_set_for_all_namespaces().items
daemons_m = sum(millicores(each.spec.template.spec.containers) for each in daemon_sets)
size_m = int(nodes["allocatable"].max())
fit_here = int(((nodes["allocatable"] - nodes["requested"]) // request_m).sum())
fit_on_new = (size_m - daemons_m) // request_m
without_room = max(0, expected_pods - pods_now - fit_here)
expected_nodes = len(nodes) + math.ceil(without_room / fit_on_new)
print(f"the nodes that are there have room for {fit_here} more frontends")
print(f"a new node: ({size_m}m - {daemons_m}m for daemons) / {request_m}m = {fit_on_new} frontends")
print(f"{without_room} pods without room: ceil({without_room} / {fit_on_new}) more nodes, {expected_nodes} in all")

# %% [markdown]
# ## The hypothesis, before anything happens
#
# Three **alarms** watch, as in production, and look at each full minute: p99 above one second; error rate above 5 %;
# and `cpu`, which means *the HPA ought to do something*. The HPA does nothing while the use is within 10 % of its
# target (its **tolerance**). CloudWatch measures CPU against the pods' limit, so that number has to be converted.

# %%
def set_alarms():
    cpu = labs.metric_query("cpu", INSIGHTS, "pod_cpu_utilization_over_pod_limit", POD, "Average")
    counters = [alb_query(name, metric, "Sum") | {"ReturnData": False} for name, metric in COUNTERS.items()]
    watched = {"cpu": (cpu_limit, [cpu]), "p99": (1.0, [alb_query("p99", "TargetResponseTime", "p99")])}
    common = {"EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching"}
    for name, (threshold, metrics) in (watched | {"errors": (5.0, [*counters, RATE])}).items():
        boto3.client("cloudwatch").put_metric_alarm(AlarmName=name, Threshold=threshold, Metrics=metrics, **common)


cpu_limit = target * 1.1 * request_m / limit_m
set_alarms()
print(f"alarm cpu: {target} % of the request and a tenth more are {cpu_limit:.0f} % of the limit")

# %% [markdown]
# Now write down what you expect, and why, before anything happens: how many pods and nodes at most, how many seconds
# until the last new pod serves, how many requests fail, and whether they fail during the spike (`True`) or not
# (`False`). The lab records it with its time; when you change a number later, it will say so.

# %%
# blank
guess = labs.predict(lab, because=..., pods=..., nodes=..., seconds_until_ready=..., failed_requests=...,
                     most_fail_during_the_spike=...)
# solution
guess = labs.predict(
    lab, because="the arithmetic above; a machine starts within a minute; the queue is short enough to lose nobody",
    pods=expected_pods, nodes=expected_nodes, seconds_until_ready=60, failed_requests=0,
    most_fail_during_the_spike=True,
)

# %% [markdown]
# ## Inject: 10,000 requests from a Job
#
# A **Job** runs a pod until its program has finished. Ours is in `kubernetes/load/spike.yaml`; we fill in the
# parameters and create it through the official client, and watch until the Job has succeeded. Every five seconds we
# note the pods, the nodes, what the HPA says, and up to when the CPU was measured.

# %%
def measured_until():
    kind = ("metrics.k8s.io", "v1beta1", "shop", "pods")
    found = client.CustomObjectsApi().list_namespaced_custom_object(*kind, label_selector="app=frontend")
    return max(datetime.fromisoformat(each["timestamp"]) for each in found["items"])


def send_spike():
    job = yaml.safe_load((Path(labs.__file__).parents[1] / "kubernetes/load/spike.yaml").read_text())
    command = f"ab -n {requests} -c {connections} -s 30 http://shop.example.com/"
    job["spec"]["template"]["spec"]["containers"][0]["command"] = command.split()
    client.BatchV1Api().create_namespaced_job("shop", job)


def read_hpa(lab):
    status = client.AutoscalingV2Api().read_namespaced_horizontal_pod_autoscaler("frontend", "shop").status
    limited = next(each.reason for each in status.conditions if each.type == "ScalingLimited")
    use = status.current_metrics[0].resource.current.average_utilization
    return {"time": lab.now(), "measured": measured_until(), "pods": status.current_replicas, "percent": use,
            "desired": status.desired_replicas, "limited": limited}


# %% [markdown]
# Two small functions send the spike and look at pods, nodes and autoscaler every few seconds until it is over.

# %%
def read_job():
    return client.BatchV1Api().read_namespaced_job("spike", "shop").status


def watch_spike(lab, readings):
    looks = labs.Observer(lab, "shop", "app=frontend")
    looks.watch(60)
    started = lab.wait("5 s")
    send_spike()
    looks.watch(3600, until=lambda: readings.append(read_hpa(lab)) or read_job().succeeded)
    lab.wait("5 s")
    return looks, started, read_job().completion_time


readings = []
looks, started, ended = watch_spike(lab, readings)
print(f"The spike lasted {(ended - started).total_seconds():.0f} s.")

# %% [markdown]
# Pods and nodes that are no longer needed will soon be gone, and the record of them too. So we copy it now: pods,
# nodes, Karpenter's **NodeClaims** (its orders for machines), and **events**, the short notes in which each part of
# the cluster says what it did. Then we go on watching, because a spike has an aftermath.

# %%
records = copy_records("shop", "frontend")
looks.watch(after_minutes * 60, every_s=10, until=lambda: readings.append(read_hpa(lab)))
lab.wait("3 min")
minutes = measure(started - timedelta(minutes=4), lab.now() - timedelta(minutes=1))
print(f"Watched until {lab.now():%H:%M:%S}; CloudWatch has the last minutes too.")

# %% [markdown]
# ## Are all requests accounted for?
#
# `ab` prints a report when it is done; it is in the pod's log. The load balancer counted the same minutes: the
# spike's requests and those of the steady shoppers. Shoppers come at random at a rate that we measured, so their
# number in so many minutes is known up to about two times its square root.

# %%
pod = client.CoreV1Api().list_namespaced_pod("shop", label_selector="app=spike").items[0].metadata.name
report = client.CoreV1Api().read_namespaced_pod_log(pod, "shop")
numbers = dict(line.split(":", 1) for line in report.splitlines() if ":" in line)
complete, failed = (int(numbers[f"{name} requests"]) for name in ("Complete", "Failed"))
assert complete == requests
print(f"ab: sent {requests}, complete {complete} (answered {complete - failed} + failed {failed})")
during = minutes[(minutes.index > started - timedelta(minutes=1)) & (minutes.index < ended)]
shoppers = normal["r"] * len(during)
error = 2 * math.sqrt(shoppers + shoppers * len(during) / len(steady))
print(f"CloudWatch: {during['r'].sum():.0f} in {len(during)} minutes, less about {shoppers:.0f} shoppers' requests")
print(f"leaves {during['r'].sum() - shoppers:.0f} for the spike, give or take {error:.0f}")
print("\n".join(report.splitlines()[-10:]))

# %% [markdown]
# In `ab`'s words *complete* means that a request is over, failed ones included. CloudWatch cannot prove the number to
# the last request: when you need exact numbers, count at the client.
#
# ## What happened

# %%
figures, place = labs.figures, labs.run_directory("04_spike_of_10000", run_directory)


def ready_counts(looks):
    pods = looks.pods["state"].eq("ready").groupby(looks.pods["time"]).sum()
    return pods, looks.nodes.groupby("time")["ready"].sum()


def shade_spike(axes):
    for ax in axes:
        figures.shade(ax, 0, (ended - started).total_seconds() / 60, "spike" if ax is axes[0] else "")
    figures.label_minutes(axes, "minutes since the spike began")


ready, alive = ready_counts(looks)
is_aftermath = minutes.index >= ended
failures = [minutes.loc[part, "failed"].sum() for part in (~is_aftermath, is_aftermath)]
finding = (f"{requests:,} requests: {ready.iloc[0]} to {ready.max()} pods, {alive.iloc[0]} to {alive.max()} nodes; "
           f"{failures[0]:.0f} requests failed during the spike, {failures[1]:.0f} after it")

# %% [markdown]
# One figure for all of it: pods by node, requests, latency and errors over the same minutes. The legend names each
# node's **zone**, the data centre that it stands in.

# %%
fig, axes = figures.figure(4, finding, row_height=1.75)
figures.draw_pods_by_node(axes[0], looks.pods, started)
figures.draw_minutes(axes[1], minutes, {"r": ("requests", "#00477A", "-")}, started, factor=1 / 60)
figures.name_panel(axes[1], "Requests at the load balancer, mean of each minute", "per second")
figures.draw_latency(axes[2], minutes[["p50", "p99"]], started)
figures.limit_line(axes[2], 1, "SLO: p99 below 1 s")
figures.draw_error_rate(axes[3], minutes["errors"], started)
figures.limit_line(axes[3], 5, "alarm: 5 %")
shade_spike(axes)
worst_minute = figures.minutes_since([minutes["errors"].idxmax()], started)[0]
figures.point_at(axes[3], worst_minute, minutes["errors"].max(), "what happened here?", beside=(-24, 4))
worst = f"Highest p99 of a minute {minutes['p99'].max():.2f} s, highest error rate {minutes['errors'].max():.1f} %."
figures.show(fig, f"{finding}. {worst} Four panels over time: pods by node, requests, latency, error rate.",
             name="spike", directory=place)

# %% [markdown]
# Look at the lowest panel before you read on: *when* did requests fail? We come back to it. First the pods.
#
# ## Each decision of the HPA, checked by hand
#
# Each row is a moment at which the HPA wanted another number of pods than there was; `rule` is our function on the
# same reading, `in limits` the same after `minReplicas` and `maxReplicas`. On the way up pods that are not ready yet
# count with a use of zero, so that the HPA does not ask twice for the same thing; `counted` are the others.

# %%
seen = pd.DataFrame(readings).drop_duplicates(["pods", "desired", "limited"])
seen = seen[seen["desired"] != seen["pods"]]
seen["second"] = [round((time - started).total_seconds()) for time in seen["time"]]
seen["ready"] = [min(int(ready.asof(time)), pods) for time, pods in zip(seen["time"], seen["pods"], strict=True)]
seen["counted"] = seen["ready"].where(seen["percent"] > target, seen["pods"])
seen["rule"] = [desired_replicas(row.pods, [row.percent * request_m / 100] * row.counted, request_m, target)
                for row in seen.itertuples()]
seen["in limits"] = seen["rule"].clip(hpa.spec.min_replicas, hpa.spec.max_replicas)
last = [row for row in readings if row["time"] <= ended][-1]
print(f"when the spike ended: {last['pods']} pods at {last['percent']} %, target {target} %")
seen.set_index("second")[["pods", "counted", "percent", "rule", "in limits", "desired", "limited"]]

# %% [markdown]
# On the way up the rule and the HPA agree. Why is there more than one step, when our arithmetic gave the final number
# at once? Because the HPA knows only the past, and the past was held back: busy pods answer slowly, so a closed loop of
# a few connections cannot show how much more it would send to more pods. Each step lets more requests through, and only
# the next reading can ask for more. `DesiredWithinRange` means that no limit held the step back.
#
# The same in pictures: the cluster at the start, five seconds after each decision, and when its pods were ready. A box
# is a pod, a column is a node with its zone; `starting` pods without a node wait for a machine.

# %%
def seconds_of(decision):
    done = ready.index[(ready.index >= decision.time) & (ready == decision.desired)]
    return [decision.second + 5, *[round((time - started).total_seconds()) for time in done[:1]]]


moments = sorted({0}.union(*(seconds_of(row) for row in seen.itertuples())))[:6]
steps_text = ", then ".join(f"{row.pods} to {row.desired}" for row in seen.itertuples())
title = f"Pods wait for machines: the HPA goes from {steps_text}"
fig, _ = draw_moments(looks.pods, looks.nodes, moments, started, title)
alt = f"{title}. The cluster at {', '.join(map(str, moments))} seconds, pods by node, zone and state."
figures.show(fig, alt, name="moments", directory=place)

# %% [markdown]
# On the way down the rule alone would have gone as soon as the spike was over: the HPA takes the highest number that
# it wanted during the last 300 seconds (the **stabilisation window**), so that a short lull does not cost capacity.
#
# ## Where each second went
#
# From the copied records we can put a time on each step, for the last pod of each decision to become ready. All of
# these are fields of the API: event times, `creationTimestamp`, conditions' `lastTransitionTime`, the container's
# `startedAt`.

# %%
steps = scaling_steps(records, started, {row["time"]: row["measured"] for row in readings})
table = steps.pivot(index="step", columns="decision", values="length_s").reindex(steps["step"].unique()).fillna(0)
longest = table.sum(axis=1).sort_values(ascending=False, kind="stable")[:2]
share = f"{longest.sum():.0f} of {table.sum().sum():.0f} s until all were ready: “{'” and “'.join(longest.index)}”"
fig, (ax,) = figures.figure(1, share, row_height=3.6)
draw_steps(ax, steps)
alt = f"Bars over time, from the start of the spike to the last new pod. {share}."
figures.show(fig, alt, name="lag", directory=place)
table.rename(columns="decision {}".format).round().astype(int)

# %% [markdown]
# - **Metrics window ends.** The kubelet measures CPU every ten seconds or so; **metrics-server** collects it every 15
#   seconds and gives the mean since the collection before. A new pod counts only after a whole window in which it was
#   ready: that is why a second decision waits until the first one has been measured.
# - **HPA decides.** It looks every 15 seconds, and the windows have to reach it first. A window that was only partly
#   in the spike may lie within the tolerance: then nothing happens for another 15 seconds. The Deployment, which makes
#   the pods, and the **scheduler**, which picks a node for each, take no second.
# - **Karpenter orders a node.** It gathers pending pods until none has come for one second, at most ten, so that one
#   order serves them all.
# - **Machine boots; network starts.** The same on your own account. No autoscaler setting shortens it; a smaller
#   machine image, or spare room that is already there, does.
# - **Image is pulled.** An image is the packed program. A new node has none, and its pods wait in line for theirs.
# - **Pod Ready.** A readiness probe would ask the pod before it gets requests; this shop has none yet (lab 03), so a
#   started container counts as ready.
#
# ## Who noticed, and what the minutes hide
#
# The alarms' history says when each went off, and the table shows the busy minutes with the slowest request of each.

# %%
def raised_after_s(name):
    changes = labs.alarm_changes(boto3.client("cloudwatch"), name, started)
    found = changes[changes["summary"].str.endswith("to ALARM")]
    return None if found.empty else (found["time"].iloc[0] - started).total_seconds()


raised = {name: raised_after_s(name) for name in ("cpu", "p99", "errors")}
print("alarms:", {name: "never" if after is None else f"after {after:.0f} s" for name, after in raised.items()})
view = minutes[["r", "p50", "p99", "slowest", "failed"]].rename_axis("minute").set_axis(minutes.index.strftime("%H:%M"))
view[(minutes["r"] > 1.5 * normal["r"]).to_numpy() | (minutes["failed"] > 0).to_numpy()].round(2)

# %% [markdown]
# CloudWatch has a minute's data about a minute after its end, so an alarm on it speaks one to two minutes late, when
# autoscalers are far ahead: it is for what does *not* heal by itself. And one slow request in a hundred is more than
# a few thousand requests a minute need to hide a bad half minute: compare p99 with the slowest. The slowest met pods
# that had just started: a **cold** pod computes its first requests for longer (empty caches). More pods help, but not
# in their first second.
#
# ## Your prediction against the data
#
# Pods and nodes must be exact to be a hit; the seconds may be 15 off, one look of the HPA.

# %%
lag_s = (ready.idxmax() - started).total_seconds()
guess.verdict(
    started, {"pods": 0, "nodes": 0, "seconds_until_ready": 15}, pods=int(ready.max()), nodes=int(alive.max()),
    seconds_until_ready=round(lag_s), failed_requests=int(sum(failures)),
    most_fail_during_the_spike=bool(failures[0] > failures[1]),
)

# %% [markdown]
# The arithmetic is good at *how many*. It says nothing of *when*, since two autoscalers and a machine take turns. And
# were you right about when requests fail?
#
# ## The aftermath: who failed those requests?
#
# Read the events after the spike: how many frontends were stopped within five seconds of each order, and why?

# %%
core = client.CoreV1Api()
events = [*core.list_namespaced_event("shop").items, *core.list_namespaced_event("default").items]
late = sorted((e for e in events if e.last_timestamp and e.last_timestamp > ended), key=lambda e: e.last_timestamp)
stops = [e.last_timestamp for e in late if e.reason == "Killing" and e.involved_object.name.startswith("frontend")]
for order in late:
    if order.reason in ("SuccessfulRescale", "DisruptionTerminating") and order.involved_object.name != "backend":
        stopped = sum(0 <= (stop - order.last_timestamp).total_seconds() < 5 for stop in stops)
        second = (order.last_timestamp - started).total_seconds()
        print(f"{second:4.0f} s  {order.message}; frontends stopped: {stopped}")
print(f"nodes: {alive.iloc[0]} before, {alive.max()} at most, {alive.iloc[-1]} at the end")
for why in sorted({event.message for event in events if event.reason == "Unconsolidatable"}):
    print("Karpenter on a node that stays:", why)

# %% [markdown]
# A frontend that is told to stop exits at once and resets the requests it has in hand; and for some seconds the load
# balancer still sends it new ones, because it has not heard yet (lab 03 takes this apart). Many pods that leave at
# once make many failures at once: without a `behavior` nothing limits the pace on the way down. Karpenter may do
# the same once more when it empties a node to save money. So the spike itself cost little; *tidying up after it* cost
# requests.
#
# (Emptying nodes that are not needed is Karpenter's **consolidation**.) Is a node left over although its pods would fit
# elsewhere? The frontend's manifest *prefers* pods in different
# zones. Karpenter honours such preferences when it simulates the removal of a node: to keep them it would have to buy
# one in that zone again, at the same price. So the node stays, for a mere preference.
#
# ## The fix
#
# On the way up, one decision instead of several; on the way down, fewer pods that leave at once. The first is a
# matter of the **target**, the second of the **behavior**. The cell shows the manifest, and what the first reading
# would have asked for with each target.

# %%
tuned_file = Path(labs.__file__).parents[1] / "kubernetes/tuned/frontend-hpa.yaml"
tuned_text = tuned_file.read_text()
tuned_target = yaml.safe_load(tuned_text)["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"]
print(tuned_text[tuned_text.index("  metrics:"):])
for row in seen[seen["desired"] > seen["pods"]].head(1).itertuples():
    use = [row.percent * request_m / 100] * row.ready
    asked = [desired_replicas(row.pods, use, request_m, each) for each in (target, tuned_target)]
    print(f"{row.pods} pods at {row.percent} %: {asked[0]} with target {target}, {asked[1]} with target {tuned_target}")

# %% [markdown]
# Note what the `scaleUp` policies cannot do. A policy is a *limit* on a step that the metric asks for, and the column
# `limited` showed that none was in the way: a more generous policy changes nothing. A lower target turns the same
# reading into a larger number.
#
# ## The same seed again
#
# A new cluster, the same seed, the same spike; only the HPA's manifest differs.

# %%
lab.close()
tuned_lab = start_shop("kubernetes/shop", "kubernetes/tuned/frontend-hpa.yaml")
tuned_looks, tuned_started, tuned_ended = watch_spike(tuned_lab, [])
tuned_looks.watch(after_minutes * 60, every_s=10)
tuned_lab.wait("3 min")
tuned_minutes = measure(tuned_started - timedelta(minutes=4), tuned_lab.now() - timedelta(minutes=1))
print(f"The first spike lasted {(ended - started).total_seconds():.0f} s, "
      f"the second {(tuned_ended - tuned_started).total_seconds():.0f} s.")

# %% [markdown]
# To compare two runs we need the same few numbers of each.

# %%
def summarise(looks, minutes, started, ended):
    pods, nodes = ready_counts(looks)
    hours = nodes.index.to_series().diff().shift(-1).dt.total_seconds().fillna(0) / 3600
    dollars = 0.096 * ((nodes - nodes.iloc[0]) * hours).sum()  # m6i.large on demand in us-east-1, an hour
    return {"most pods": pods.max(), "seconds until they were ready": (pods.idxmax() - started).total_seconds(),
            "most nodes": nodes.max(), "highest p99 of a minute, s": minutes["p99"].max(),
            "failed requests": minutes["failed"].sum(), "worst minute, % failed": minutes["errors"].max(),
            "extra nodes, US dollars": dollars}


runs = {"first": (looks, minutes, started, ended),
        "tuned": (tuned_looks, tuned_minutes, tuned_started, tuned_ended)}
both = pd.DataFrame({name: summarise(*run) for name, run in runs.items()}).round(2)
both.astype(str).replace(r"\.0$", "", regex=True)

# %% [markdown]
# The same comparison as a picture: the first run on the left, the tuned one on the right, on the same scales.

# %%
lags, worst = both.loc["seconds until they were ready"], both.loc["worst minute, % failed"]
change = (f"Tuned against first: all pods ready after {lags['tuned']:.0f} s against {lags['first']:.0f} s; "
          f"worst minute {worst['tuned']:.1f} % failed against {worst['first']:.1f} %")
fig, axes = figures.figure(3, change, columns=2, row_height=1.9)
for column, (name, (look, data, zero, end)) in enumerate(runs.items()):
    fleet, p99, errors = axes[column::2]
    figures.draw_replicas_and_nodes(fleet, look.pods, look.nodes, zero)
    figures.name_panel(figures.draw_minutes(p99, data, {"p99": ("p99", "#D55E00", "-")}, zero), "Latency, p99", "seconds")
    figures.limit_line(p99, 1, "SLO: 1 s")
    figures.draw_error_rate(errors, data["errors"], zero)
    at = figures.minutes_since([data["errors"].idxmax()], zero)[0]
    figures.point_at(errors, at, data["errors"].max(), f"{data['failed'].sum():.0f} failed in all", beside=(-12, -6))
    for ax in (fleet, p99, errors):
        figures.shade(ax, 0, (end - zero).total_seconds() / 60, f"spike, {name} run" if ax is fleet else "")
axes[0].get_legend().remove()

# %% [markdown]
# The panels are drawn; one look, with the finding in words for those who cannot see it:

# %%
for ax in axes[1::2]:
    ax.set_ylabel("")
figures.label_minutes(axes, "minutes since the spike began")
alt = f"{change}. Two columns, first and tuned run, same seed: pods and nodes, p99, error rate over minutes."
figures.show(fig, alt, name="before_after", directory=place)

# %% [markdown]
# Read it soberly. The way up is shorter, since one order of machines does the work of two in a row. On the way down the
# failures are spread over more minutes, so that no minute comes near the alarm's 5 %. But compare the *number* of
# failed requests, and the p99 in the minute in which all the new, cold pods came at once: neither is what we would
# like, and with another seed either may be worse than before. A policy sets the *pace* at which pods come and leave.
# How each of them comes and leaves is the pod's own affair: warm up before it is ready, and wait before it exits
# (`preStop`, lab 03). And a lower target is headroom, which costs money on every busy day.
#
# ## Exercises
#
# ### 04-a: another request, another number of pods
#
# All frontends together use `need_m` millicores. How many pods does the HPA ask for, when each requests `request_m`,
# may use up to `limit_m`, and the target is `target_percent`, with `lowest` and `highest` as its limits? (Not all of
# these matter.) The last line tells you whether your rule holds, with this run's numbers and with others; if not, it
# gives a hint, and at the next try another.

# %%
def pods_at(need_m, request_m, limit_m, target_percent, lowest, highest):
    # solution
    wanted = math.ceil(100 * need_m / (target_percent * request_m))
    return min(max(wanted, lowest), highest)


limits = {"lowest": hpa.spec.min_replicas, "highest": hpa.spec.max_replicas}
labs.check("04-a", pods_at, need_m=need_m, request_m=request_m, limit_m=limit_m, target_percent=target, **limits)

# %% [markdown]
# ### 04-b: how many machines is that?
#
# `without_room` frontends of `request_m` each fit nowhere. How many new nodes with `node_m` allocatable does Karpenter
# have to buy, when the DaemonSets take `daemons_m` on each of them?

# %%
def new_nodes(without_room, request_m, node_m, daemons_m):
    # solution
    per_node = (node_m - daemons_m) // request_m
    return math.ceil(without_room / per_node)


labs.check("04-b", new_nodes, without_room=without_room, request_m=request_m, node_m=size_m, daemons_m=daemons_m)

# %% [markdown]
# ### 04-c: neither too many nor too large a share
#
# Write a `behavior` (a dict with the fields that you saw in the manifest) under which, in any two minutes, at most two
# pods leave, and at most a quarter of them. Think of what happens when both rules apply.

# %%
# blank
behavior = ...
# solution
two = {"type": "Pods", "value": 2, "periodSeconds": 120}
quarter = {"type": "Percent", "value": 25, "periodSeconds": 120}
behavior = {"scaleDown": {"policies": [two, quarter], "selectPolicy": "Min"}}

labs.check("04-c", behavior, pods=int(ready.max()))

# %% [markdown]
# ### Further
#
# 1. Set the frontends' request to 500m in `kubernetes/shop/10-frontend.yaml`, predict with your two functions, run again.
# 2. Put the target back to 80 in `kubernetes/tuned/frontend-hpa.yaml` and keep the behavior. Which of the two
#    improvements stays? Which line decides how *large* a step is, and which how *fast* steps may follow one another?
# 3. Start the second run with `start_shop("kubernetes/shop", "kubernetes/hardened",
#    "kubernetes/tuned/frontend-hpa.yaml")`. How many requests fail now? (A pod that waits before it exits is still there
#    while the load balancer learns that it should not be used.)
#
# ## Runbook entry
#
# A runbook is the page that says what to do when an alarm calls.
#
# - **Symptom:** alarm `cpu`, more requests than usual, pods `Pending` (without a node).
# - **Look:** `kubectl -n shop get hpa,pods -o wide`, `kubectl get nodeclaims`, `kubectl -n shop get events`.
# - **Expect:** the first new pods after about a minute, half of it for metrics and half of it for a machine.
# - **Act:** HPA at `maxReplicas` with use above target: raise `maxReplicas`, check the limits of the NodePool (what
#   Karpenter may buy). NodeClaim not `Launched`: AWS has no such machine left, or your account may have no more; allow
#   other instance types.
# - **Afterwards:** pods leave after five minutes, nodes later. Errors then mean unclean shutdown, not load.

# %% [markdown]
# ## What we learnt
#
# - Pods and nodes are arithmetic: ceil(pods × use / target), and how many requests fit beside the daemons.
# - An autoscaler acts on the past: a window of metrics, a period of decisions, and a closed loop that hides demand.
# - Most of the lag is machines and metrics. Buy it off with headroom; a behavior policy can only hold a step back.
# - Watch the aftermath: taking pods away can hurt more than the spike.
# - Count at the client for exact numbers; a minute hides what happens within it.
#
# ## The same experiment elsewhere
#
# These tools do not send requests; they use up CPU in the frontends, which the HPA cannot tell from load.
#
# Chaos Mesh:
# ```yaml
# apiVersion: chaos-mesh.org/v1alpha1
# kind: StressChaos
# metadata: {name: spike, namespace: shop}
# spec:
#   mode: all
#   selector: {namespaces: [shop], labelSelectors: {app: frontend}}
#   stressors: {cpu: {workers: 1, load: 60}}
#   duration: 5m
# ```
#
# Litmus (experiment `pod-cpu-hog`, its settings):
# ```yaml
# env:
#   - {name: CPU_CORES, value: "1"}
#   - {name: TOTAL_CHAOS_DURATION, value: "300"}
#   - {name: PODS_AFFECTED_PERC, value: "100"}
# ```
#
# Chaos Toolkit can send the real thing, since an activity may be any process:
# ```json
# {"type": "action", "name": "spike", "background": true,
#  "provider": {"type": "process", "path": "ab", "arguments": "-n 10000 -c 5 http://shop.example.com/"}}
# ```
#
# AWS FIS:
# ```json
# {"actionId": "aws:eks:pod-cpu-stress", "targets": {"Pods": "frontends"},
#  "parameters": {"duration": "PT5M", "percent": "60", "kubernetesServiceAccount": "fis"}}
# ```
#
# ## The result
#
# The last cell writes what the first run measured to a file, so that runs can be compared, and ends the cluster.

# %%
spike_minutes = minutes[(minutes.index > started - timedelta(minutes=1)) & (minutes.index < ended)]
calm = minutes.loc[minutes.index > started, "failed"].sum() <= 0.001 * minutes["r"].sum()
result = labs.Result(
    lab="04_spike_of_10000", seed=seed,
    error_rate_peak_percent=minutes["errors"].max(), error_rate_steady_percent=steady["errors"].mean(),
    latency_ms_p50=1000 * spike_minutes["p50"].max(), latency_ms_p99=1000 * spike_minutes["p99"].max(),
    pods_before=int(ready.iloc[0]), pods_peak=int(ready.max()), pods_after=int(ready.iloc[-1]),
    nodes_before=int(alive.iloc[0]), nodes_peak=int(alive.max()), nodes_after=int(alive.iloc[-1]),
    time_to_detect_s=raised["cpu"], time_to_recover_s=lag_s,
    is_slo_met=bool(calm and minutes["p99"].max() < 1),
)
tuned = {name.replace("%", "percent"): float(value) for name, value in both["tuned"].items()}
print(labs.save_result(result, run_directory, hypothesis=guess.entries(), requests=complete, tuned=tuned))
tuned_lab.close()
