# %% [markdown]
# # 4 · Meet a spike of 10,000 requests
#
# In this lab you send 10,000 extra requests at the shop, say beforehand how many pods and nodes that takes, and find
# out where each second of the autoscalers' answer goes.
#
# **You will learn to**
#
# - predict by arithmetic how many pods the autoscaler asks for, and how many nodes those pods need;
# - take the delay of an autoscaler apart, second by second, from what the API recorded;
# - account for every request of a load test, and say what one-minute averages hide;
# - write an autoscaling `behavior` policy, and say what such a policy can and cannot do.
#
# **Time:** about 45 minutes, 15 of them for the three exercises. **Cost:** nothing on the simulated cluster. On Amazon
# EKS (Kubernetes, run by AWS) about 0.65 US dollars an hour while it runs (an estimate: the control plane, two to four
# small nodes, a load balancer, a small database). **You need:** nothing; the lab starts a cluster of its own. Lab 03 is
# useful, but not required.
#
# ## Parameters
#
# You can change these; an instructor can set them from outside. The same `seed` gives the same run each time.

# %% tags=["parameters"]
seed = 7  # which cluster: the same seed gives the same answer each time
requests = 10000  # how many requests the spike consists of
connections = 5  # how many of them are under way at once
after_minutes = 14  # how long to watch after the spike
run_directory = ""  # where results go; empty: runs/04_spike_of_10000

# %% [markdown]
# The next cell loads what the lab uses. It stops here if a parameter cannot be used, and says what is allowed.

# %%
import math
from datetime import timedelta

import boto3
import pandas as pd
import yaml
from kubernetes.utils import parse_quantity

import labs
from kubernetes import client
from labs.controlplane.hpa.replicas import desired_replicas
from labs.course import lag, moments, observe, spike
from labs.course.balancer import find_balancer
from labs.course.shop import start_shop

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
# The next cell starts a cluster, puts the shop on it, and lets it run until six minutes are over. (Its clock is virtual:
# minutes there take about a second of yours.) Then it asks: what does the HPA want? Its manifest (the file that was
# applied) says so, and the Deployment's template says what each frontend requests, in thousandths of a core (`m`).

# %%
lab = start_shop(labs.connect(seed=seed), "kubernetes/shop", minutes=6)
frontend = client.AppsV1Api().read_namespaced_deployment("frontend", "shop").spec
resources = frontend.template.spec.containers[0].resources
request_m, limit_m = (int(parse_quantity(each["cpu"]) * 1000) for each in (resources.requests, resources.limits))
hpa = client.AutoscalingV2Api().read_namespaced_horizontal_pod_autoscaler("frontend", "shop")
target = hpa.spec.metrics[0].resource.target.average_utilization
reading = hpa.status.current_metrics[0].resource.current.average_utilization
print(f"{lab.now():%H:%M:%S}: each frontend requests {request_m}m and may use at most {limit_m}m of CPU")
print(f"HPA: {hpa.spec.min_replicas} to {hpa.spec.max_replicas} pods, target {target} % of the request")
print(f"now: {hpa.status.current_replicas} pods use {reading} %")

# %% [markdown]
# If you like to see what follows as it happens, run `lab.live_view()` in a cell of its own: it shows a link to a page
# with the nodes, the pods, the autoscalers and the alarms.
#
# ## Steady state, and three alarms
#
# The users' side comes from **CloudWatch**, which keeps measurements on AWS, one value for each minute: requests at the
# load balancer, their latency (the time until the answer), and the *error rate*, the share of them that failed. `p50` is
# the latency that half of the requests stay below, `p99` the one that 99 of 100 stay below. The shop promises (its
# **service level objective**, SLO) that 99.9 % of requests succeed, and that in every minute the p99 is below one second.
#
# Three **alarms** watch, as in production, and look at each full minute: p99 above one second; error rate above 5 %;
# and `cpu`, which means *the HPA ought to do something*. The HPA does nothing while the use is within 10 % of its
# target (its **tolerance**). CloudWatch measures CPU against the pods' *limit*, the most that they may use, so that
# number has to be converted. The next cell measures the quiet minutes before the spike and sets the alarms.

# %%
INSIGHTS, POD = "ContainerInsights", {"ClusterName": "chaos-crunch", "Namespace": "shop", "PodName": "frontend"}
balancer = find_balancer()
steady = balancer.minutes(lab.now() - timedelta(minutes=5), lab.now())
normal = steady.mean()
cpu_limit = target * 1.1 * request_m / limit_m
cpu = labs.metric_query("cpu", INSIGHTS, "pod_cpu_utilization_over_pod_limit", POD, "Average")
p99 = balancer.query("p99", "TargetResponseTime", "p99")
common = {"EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching"}
for name, threshold, metrics in (("cpu", cpu_limit, [cpu]), ("p99", 1, [p99]), ("errors", 5, balancer.error_rate())):
    boto3.client("cloudwatch").put_metric_alarm(AlarmName=name, Threshold=threshold, Metrics=metrics, **common)
print(f"{normal['requests'] / 60:.1f} requests/s, p50 {normal['p50'] * 1000:.0f} ms, p99 {normal['p99'] * 1000:.0f} ms")
print(f"alarm cpu: {target} % of the request and a tenth more are {cpu_limit:.0f} % of the limit")

# %% [markdown]
# That is the **steady state**: the measure of everything else.
#
# ## Arithmetic first: how many pods?
#
# The spike is made by ApacheBench, `ab -n 10000 -c 5`: 5 connections, each of which sends its next request as soon as
# the last one is answered, until 10,000 are done. So each connection sends `1 / latency` requests a second. With the
# latency of the steady state, and the CPU that one request costs (the CPU of all frontends divided by the requests
# per second), we know what the spike needs at most. At most, because such a load generator slows down when the
# shop does (a **closed loop**).
#
# The HPA's rule is one line: **pods = ceil(pods now × use / target)**, where *ceil* rounds up to a whole number; the
# result is held between `minReplicas` and `maxReplicas`. The cell computes it by hand, and with the function that the
# cluster itself uses.

# %%
used = labs.metric_query("used", INSIGHTS, "pod_cpu_usage_total", POD, "Sum")
used_m = labs.metric_frame(boto3.client("cloudwatch"), [used], steady.index[0], lab.now())["used"].mean()
pods_now, rate_now = hpa.status.current_replicas, normal["requests"] / 60
request_cpu_ms = used_m / rate_now
rate_spike = rate_now + connections / normal["mean"]
need_m = rate_spike * request_cpu_ms
by_hand = math.ceil(pods_now * (need_m / pods_now) / (target / 100 * request_m))
by_rule = desired_replicas(pods_now, need_m / pods_now, request_m, target)
expected_pods = min(max(by_rule, hpa.spec.min_replicas), hpa.spec.max_replicas)
print(f"a request costs {request_cpu_ms:.0f} ms; at most {rate_spike:.0f} come a second and need {need_m:.0f}m of CPU")
print(f"ceil({need_m:.0f}m / ({target} % of {request_m}m)) = {by_hand}")
print(f"the function says {by_rule}, with the limits {expected_pods}")

# %% [markdown]
# (A core computes for 1000 ms in a second, so milliseconds a request times requests a second are thousandths of a core.)
#
# ## Arithmetic again: how many nodes?
#
# A pod fits on a node when its request fits into what is left of the node's **allocatable** CPU (the machine's CPU
# less what the operating system and Kubernetes' own agent, the **kubelet**, keep for themselves). A new node is not
# empty either: **DaemonSets** put one pod on every node, for the network and for monitoring. How many frontends still
# fit here, how many on one new node of that size, and how many such nodes do the rest need? The table shows the nodes
# that are there, in thousandths of a core.

# %%
nodes, daemons_m = spike.node_room(), spike.daemon_millicores()
size_m = int(nodes["allocatable"].max())
fit_here = int((nodes["free"] // request_m).sum())
fit_on_new = (size_m - daemons_m) // request_m
without_room = max(0, expected_pods - pods_now - fit_here)
expected_nodes = len(nodes) + math.ceil(without_room / fit_on_new)
print(f"the nodes that are there have room for {fit_here} more frontends")
print(f"a new node: ({size_m}m - {daemons_m}m for daemons) / {request_m}m = {fit_on_new} frontends")
print(f"{without_room} pods without room: ceil({without_room} / {fit_on_new}) more nodes, {expected_nodes} in all")
nodes

# %% [markdown]
# ## The hypothesis, before anything happens
#
# Now write down what you expect, and why:
#
# - how many pods, and how many nodes, at most;
# - how many seconds from the beginning of the spike until the last new pod is ready;
# - how many requests fail, and whether most of them fail during the spike (`True`) or not (`False`).
#
# The lab records it with its time; when you change a number later, it will say so.

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
# parameters and create it through the official client. `watch_spike` looks every five seconds, until the Job has
# succeeded: at pods and nodes, at what the HPA says, and at when the CPU was measured. Then it copies the records of the
# API (pods and nodes that are no longer needed will soon be gone): pods, nodes, Karpenter's **NodeClaims** (its orders
# for machines), and **events**, the short notes in which each part of the cluster says what it did. And it goes on
# watching, because a spike has an aftermath.

# %%
def send_spike():
    job = yaml.safe_load(spike.manifest_text("kubernetes/load/spike.yaml"))
    command = f"ab -n {requests} -c {connections} -s 30 http://shop.example.com/"
    job["spec"]["template"]["spec"]["containers"][0]["command"] = command.split()
    client.BatchV1Api().create_namespaced_job("shop", job)


first = spike.watch_spike(lab, send_spike, after_minutes)
minutes = balancer.minutes(first.started - timedelta(minutes=4), lab.now() - timedelta(minutes=1))
print(f"The spike lasted {first.length_s:.0f} s. Watched until {lab.now():%H:%M:%S}; CloudWatch has the last minutes too.")

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
during = minutes[(minutes.index > first.started - timedelta(minutes=1)) & (minutes.index < first.ended)]
shoppers = normal["requests"] * len(during)
error = 2 * math.sqrt(shoppers + shoppers * len(during) / len(steady))
counted = during["requests"].sum()
print(f"ab: sent {requests}, complete {complete} (answered {complete - failed} + failed {failed})")
print(f"CloudWatch: {counted:.0f} in {len(during)} minutes, less about {shoppers:.0f} shoppers' requests")
print(f"leaves {counted - shoppers:.0f} for the spike, give or take {error:.0f}\n")
print("\n".join(report.splitlines()[-10:]))

# %% [markdown]
# In `ab`'s words *complete* means that a request is over, failed ones included. CloudWatch cannot prove the number to
# the last request: when you need exact numbers, count at the client.
#
# ## What happened
#
# One figure for all of it: pods by node, requests, latency and errors over the same minutes. The legend names each
# node's **zone**, the data centre that it stands in. The table below it shows the busy minutes and those with failed
# requests, times in seconds, with the slowest request of each.

# %%
ready, alive = first.looks.ready_pods, first.looks.ready_nodes
failures = [minutes.loc[part, "failed"].sum() for part in (minutes.index < first.ended, minutes.index >= first.ended)]
finding = (f"{requests:,} requests: {ready.iloc[0]} to {ready.max()} pods, {alive.iloc[0]} to {alive.max()} nodes; "
           f"{failures[0]:.0f} requests failed during the spike, {failures[1]:.0f} after it")
fig, axes = spike.draw_spike(first, minutes, finding)
worst = labs.figures.minutes_since([minutes["error_percent"].idxmax()], first.started)[0]
labs.figures.point_at(axes[3], worst, minutes["error_percent"].max(), "what happened here?", beside=(-24, 4))
alt = f"{finding}. Four panels over time. Highest p99 of a minute {minutes['p99'].max():.2f} s, highest error rate "
alt += f"{minutes['error_percent'].max():.1f} %."
place = labs.run_directory("04_spike_of_10000", run_directory)
labs.figures.show(fig, alt, name="spike", directory=place)
view = minutes[["requests", "p50", "p99", "slowest", "failed"]].set_axis(minutes.index.strftime("%H:%M"))
view[((minutes["requests"] > 1.5 * normal["requests"]) | (minutes["failed"] > 0)).to_numpy()].round(2)

# %% [markdown]
# Look at the lowest panel before you read on: *when* did requests fail? We come back to it.
#
# And compare p99 with the slowest request. The p99 leaves out the slowest hundredth: of a few thousand requests a minute
# those are dozens, which is room enough to hide a bad half minute. The slowest met pods that had just started: a **cold**
# pod computes its first requests for longer (empty caches). More pods help, but not in their first second.
#
# ## Each decision of the HPA, checked by hand
#
# Each row is a moment at which the HPA wanted another number of pods than there was; `rule` is our function on the
# same reading, `in limits` the same after `minReplicas` and `maxReplicas`. On the way up pods that are not ready yet
# count with a use of zero, so that the HPA does not ask twice for the same thing; `counted` are the others.

# %%
seen = spike.decisions(first)
seen["counted"] = seen["ready"].where(seen["percent"] > target, seen["pods"])
seen["rule"] = [desired_replicas(row.pods, [row.percent * request_m / 100] * row.counted, request_m, target)
                for row in seen.itertuples()]
seen["in limits"] = seen["rule"].clip(hpa.spec.min_replicas, hpa.spec.max_replicas)
last = [row for row in first.readings if row["time"] <= first.ended][-1]
print(f"when the spike ended: {last['pods']} pods at {last['percent']} %, target {target} %")
seen.set_index("second")[["pods", "counted", "percent", "rule", "in limits", "desired", "limited"]]

# %% [markdown]
# Compare `in limits` with `desired` on the way up: our function and the HPA say the same. Our arithmetic gave the final
# number at once. When the HPA takes more than one step, that is because it knows only the past, and the past was held
# back: busy pods answer slowly, so a closed loop of a few connections cannot show how much more it would send to more
# pods. Each step lets more requests through, and only the next reading can ask for more. `DesiredWithinRange` means
# that no limit held the step back.
#
# The same in pictures: the cluster at the start, five seconds after each decision, and when its pods were ready. A box
# is a pod, a column is a node with its zone; `starting` pods without a node wait for a machine.

# %%
seconds = spike.decision_moments(first, seen)
steps_text = ", then ".join(f"{row.pods} to {row.desired}" for row in seen.itertuples())
title = f"Pods wait for machines: the HPA goes from {steps_text}"
fig, _ = moments.draw_moments(first.looks.pods, first.looks.nodes, seconds, first.started, title)
alt = f"{title}. The cluster at {', '.join(map(str, seconds))} seconds, pods by node, zone and state."
labs.figures.show(fig, alt, name="moments", directory=place)

# %% [markdown]
# On the way down the rule alone would have gone as soon as the spike was over: the HPA takes the highest number that
# it wanted during the last 300 seconds (the **stabilisation window**), so that a short lull does not cost capacity.
#
# ## Where each second went
#
# From the copied records we can put a time on each step, for the last pod of each decision to become ready. All of
# these are fields of the API: event times, `creationTimestamp`, conditions' `lastTransitionTime`, the container's
# `startedAt`. The bars show the steps over time, the table their lengths in seconds.

# %%
steps = lag.scaling_steps(first.records, first.started, {row["time"]: row["measured"] for row in first.readings})
table = steps.pivot(index="step", columns="decision", values="length_s").reindex(steps["step"].unique()).fillna(0)
longest = table.sum(axis=1).sort_values(ascending=False, kind="stable")[:2]
share = f"{longest.sum():.0f} of {table.sum().sum():.0f} s until all were ready: “{'” and “'.join(longest.index)}”"
fig, (ax,) = labs.figures.figure(1, share, row_height=3.6)
lag.draw_steps(ax, steps)
alt = f"Bars over time, from the start of the spike to the last new pod. {share}."
labs.figures.show(fig, alt, name="lag", directory=place)
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
# ## Who noticed? And your prediction against the data
#
# The alarms' history says when each went off. The table puts your numbers beside what was seen: pods and nodes must be
# exact to be a hit; the seconds may be 15 off, one look of the HPA. (They come from our looks every five seconds, so they
# may be a little more than the bars above say.)

# %%
raised = {name: observe.alarm_after_s(name, first.started) for name in ("cpu", "p99", "errors")}
print("alarms:", {name: "never" if after is None else f"after {after} s" for name, after in raised.items()})
lag_s = (ready.idxmax() - first.started).total_seconds()
guess.verdict(
    first.started, {"pods": 0, "nodes": 0, "seconds_until_ready": 15}, pods=int(ready.max()), nodes=int(alive.max()),
    seconds_until_ready=round(lag_s), failed_requests=int(sum(failures)),
    most_fail_during_the_spike=bool(failures[0] > failures[1]),
)

# %% [markdown]
# CloudWatch has a minute's data about a minute after its end, so an alarm on it speaks one to two minutes late, when
# autoscalers are far ahead: it is for what does *not* heal by itself. The arithmetic is good at *how many*. It says
# nothing of *when*, since two autoscalers and a machine take turns. And were you right about when requests fail?
#
# ## The aftermath: who failed those requests?
#
# The events after the spike say which parts of the cluster gave an order. How many frontends were stopped within five
# seconds of each order, and why?

# %%
core = client.CoreV1Api()
events = [*core.list_namespaced_event("shop").items, *core.list_namespaced_event("default").items]
late = sorted((e for e in events if e.last_timestamp and e.last_timestamp > first.ended), key=lambda e: e.last_timestamp)
stops = [e.last_timestamp for e in late if e.reason == "Killing" and e.involved_object.name.startswith("frontend")]
for order in late:
    if order.reason in ("SuccessfulRescale", "DisruptionTerminating") and order.involved_object.name != "backend":
        stopped = sum(0 <= (stop - order.last_timestamp).total_seconds() < 5 for stop in stops)
        second = (order.last_timestamp - first.started).total_seconds()
        print(f"{second:4.0f} s  {order.message}; frontends stopped: {stopped}")
print(f"nodes: {alive.iloc[0]} before, {alive.max()} at most, {alive.iloc[-1]} at the end")
for why in sorted({event.message for event in events if event.reason == "Unconsolidatable"}):
    print("Karpenter on a node that stays:", why)

# %% [markdown]
# A frontend that is told to stop exits at once and resets the requests it has in hand; and for some seconds the load
# balancer still sends it new ones, because it has not heard yet (lab 03 takes this apart). Many pods that leave at
# once make many failures at once: without a `behavior` nothing limits the pace on the way down. Karpenter may do
# the same once more when it empties a node to save money, its **consolidation**. So the spike itself cost little;
# *tidying up after it* cost requests.
#
# Is a node left over although its pods would fit elsewhere? The frontend's manifest *prefers* pods in different
# zones. Karpenter honours such preferences when it simulates the removal of a node: to keep them it would have to buy
# one in that zone again, at the same price. So the node stays, for a mere preference.
#
# ## The fix
#
# On the way up, one decision instead of several; on the way down, fewer pods that leave at once. The first is a
# matter of the **target**, the second of the **behavior**. The cell shows the manifest, and what the first reading
# would have asked for with each target.

# %%
tuned_text = spike.manifest_text("kubernetes/tuned/frontend-hpa.yaml")
tuned_target = yaml.safe_load(tuned_text)["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"]
print(tuned_text[tuned_text.index("  metrics:"):])
for row in seen[seen["desired"] > seen["pods"]].head(1).itertuples():
    use = [row.percent * request_m / 100] * row.ready
    asked = [desired_replicas(row.pods, use, request_m, each) for each in (target, tuned_target)]
    print(f"{row.pods} pods at {row.percent} %: {asked[0]} with target {target}, {asked[1]} with target {tuned_target}")

# %% [markdown]
# Note what the `scaleUp` policies cannot do. A policy is a *limit* on a step that the metric asks for. Had one been in the
# way, the column `limited` would say `ScaleUpLimit`; where it does not, a more generous policy changes nothing. A lower
# target turns the same reading into a larger number.
#
# ## The same seed again
#
# A new cluster, the same seed, the same spike; only the HPA's manifest differs. The table compares the two runs.

# %%
lab.close()
tuned_lab = start_shop(labs.connect(seed=seed), "kubernetes/shop", "kubernetes/tuned/frontend-hpa.yaml", minutes=6)
tuned = spike.watch_spike(tuned_lab, send_spike, after_minutes)
tuned_minutes = balancer.minutes(tuned.started - timedelta(minutes=4), tuned_lab.now() - timedelta(minutes=1))
runs = {"first": (first, minutes), "tuned": (tuned, tuned_minutes)}
both = pd.DataFrame({name: spike.spike_summary(*run) for name, run in runs.items()}).round(2)
both.astype(str).replace(r"\.0$", "", regex=True)

# %% [markdown]
# The same comparison as a picture: the first run on the left, the tuned one on the right, on the same scales.

# %%
lags, worst = both.loc["seconds until they were ready"], both.loc["worst minute, % failed"]
change = (f"Tuned against first: all pods ready after {lags['tuned']:.0f} s against {lags['first']:.0f} s; "
          f"worst minute {worst['tuned']:.1f} % failed against {worst['first']:.1f} %")
fig, _ = spike.draw_two_runs(runs, change)
alt = f"{change}. Two columns, first and tuned run, same seed: pods and nodes, p99, error rate over minutes."
labs.figures.show(fig, alt, name="before_after", directory=place)

# %% [markdown]
# Read it soberly. The way up is shorter when one order of machines does the work of two in a row. On the way down the
# failures are spread over more minutes. But compare the *number* of failed requests, and the p99 in the minute in which
# all the new, cold pods came at once: neither is what we would like, and with another seed either may be worse than
# before. A policy sets the *pace* at which pods come and leave. How each of them comes and leaves is the pod's own
# affair: warm up before it is ready, and wait before it exits (`preStop`, lab 03). And a lower target is headroom, which
# costs money on every busy day.
#
# ## Exercises
#
# Put your answers in the place of the three dots. The last line of each cell tells you whether yours holds, with this
# run's numbers and with others; if not, it gives a hint, and at the next try another.
#
# ### 04-a: another request, another number of pods
#
# All frontends together use `need_m` millicores. How many pods does the HPA ask for, when each requests `request_m`,
# may use up to `limit_m`, and the target is `target_percent`, with `lowest` and `highest` as its limits? (Not all of
# these matter.)

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
# 3. Add `"kubernetes/hardened"` (lab 03) to the manifests of the second run, before the tuned HPA. How many requests fail
#    now? (A pod that waits before it exits is still there while the load balancer learns that it should not be used.)
#
# ## For the runbook
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
# AWS FIS (Fault Injection Service):
# ```json
# {"actionId": "aws:eks:pod-cpu-stress", "targets": {"Pods": "frontends"},
#  "parameters": {"duration": "PT5M", "percent": "60", "kubernetesServiceAccount": "fis"}}
# ```
#
# ## What we learnt
#
# - Pods and nodes are arithmetic: ceil(pods × use / target), and how many requests fit beside the daemons.
# - An autoscaler acts on the past: a window of metrics, a period of decisions, and a closed loop that hides demand.
# - Most of the lag is machines and metrics. Buy it off with headroom; a behavior policy can only hold a step back.
# - Watch the aftermath: taking pods away can hurt more than the spike.
# - Count at the client for exact numbers; a minute hides what happens within it.
#
# ## The result
#
# The last cell writes what the first run measured to a file, so that runs can be compared, and ends the cluster.

# %%
after, calm = minutes.index > first.started, 0.001 * minutes["requests"].sum()
result = labs.Result(
    lab="04_spike_of_10000", seed=seed,
    error_rate_peak_percent=minutes["error_percent"].max(), error_rate_steady_percent=steady["error_percent"].mean(),
    latency_ms_p50=1000 * during["p50"].max(), latency_ms_p99=1000 * during["p99"].max(),
    pods_before=int(ready.iloc[0]), pods_peak=int(ready.max()), pods_after=int(ready.iloc[-1]),
    nodes_before=int(alive.iloc[0]), nodes_peak=int(alive.max()), nodes_after=int(alive.iloc[-1]),
    time_to_detect_s=raised["cpu"], time_to_recover_s=lag_s,
    is_slo_met=bool(minutes.loc[after, "failed"].sum() <= calm and minutes["p99"].max() < 1),
)
numbers = {name.replace("%", "percent"): float(value) for name, value in both["tuned"].items()}
more = {"hypothesis": guess.entries(), "requests": complete, "tuned": numbers}
print("Written:", labs.save_result(result, run_directory, **more).name)
tuned_lab.close()
