# %% [markdown]
# # Kill half the pods
#
# Half of the shop's frontend disappears in one second. Kubernetes replaces it within a few more. You find out what
# your visitors noticed in between, why, and how much of it a change of a few lines prevents.
#
# **You will learn to**
#
# - kill pods on purpose through the Kubernetes API, as a crash and gracefully, after writing down what you expect;
# - measure time to detect and time to recover from what production shows;
# - name the three possible causes of errors when a pod goes (endpoint lag, requests in flight, start-up) and tell
#   from data which of them did the damage;
# - harden a Deployment with a readiness probe, a `preStop` pause and surplus, and prove the effect on the same run.
#
# **Time:** about 30 minutes. **Cost:** nothing on the simulated cluster. On Amazon EKS an estimated 0.60 US dollars
# an hour: control plane, two nodes, a load balancer and a database; the fix may add a node. **State it needs:** none.
# The lab starts a cluster of its own.

# %% [markdown]
# ## Parameters
#
# An instructor can set these from outside; you can change them here. The same `seed` gives the same run, to the byte.
# Half of five pods is not a whole number, so `rounding` has to say what happens: Chaos Mesh and Chaos Toolkit round
# up, Litmus rounds down (to one at least).

# %% tags=["parameters"]
seed = 7  # which run of the simulated cluster, and which pods are chosen
share_percent = 50  # share of the frontend pods that is killed
rounding = "up"  # "up" as Chaos Mesh and Chaos Toolkit do, "down" as Litmus does
slo_percent = 99.9  # share of requests that must succeed
minutes_apart = 10  # from the crash to the graceful kill, and from there to the end
run_directory = ""  # where the result and the figures go; empty: runs/03_kill_half_the_pods

# %% [markdown]
# The next cell stops here if a parameter cannot be used, and says what is allowed.

# %%
import math
import random
from datetime import timedelta

import boto3
import pandas as pd
from kubernetes import client

import labs

labs.check_parameters(
    globals(),
    seed=labs.Number(0, 1_000_000),
    share_percent=labs.Number(1, 100, "%"),
    rounding=labs.Choice(("up", "down")),
    slo_percent=labs.Number(90, 99.99, "%", is_whole=False),
    minutes_apart=labs.Number(6, 30, "minutes"),
    run_directory=labs.Text(),
)

# %% [markdown]
# ## The shop
#
# A *pod* is one running copy of a program. A *Deployment* keeps a wanted number of pods alive: when one goes, it makes
# another. A *node* is a machine that pods run on. Visitors reach the *frontend* through an *Application Load Balancer*
# (ALB) of AWS, which sends each request to one of the frontend's pods.
#
# We start a cluster, apply the manifests in `kubernetes/shop`, and wait until every wanted pod is ready. To make two
# runs comparable, each then waits for the same time on its clock. The clock is virtual: minutes there take about a
# second of yours.


# %%
def is_rolled_out(name):
    found = client.AppsV1Api().read_namespaced_deployment(name, "shop")
    status = found.status
    return status.replicas == status.updated_replicas == status.ready_replicas == found.spec.replicas


def start_shop(*folders):
    lab = labs.connect(seed=seed)
    settled_at = lab.now() + timedelta(minutes=8)
    for folder in folders:
        lab.apply(folder)
        for name in ("frontend", "backend", "rds-proxy", "shoppers"):
            lab.wait(until=lambda: is_rolled_out(name), every="1 s")
    lab.wait((settled_at - lab.now()).total_seconds())
    return lab


# %% [markdown]
# `observed` replicas equal to wanted ones: that is what `kubectl rollout status` waits for, too. Now we run it.

# %%
def frontends():
    pods = client.CoreV1Api().list_namespaced_pod("shop", label_selector="app=frontend").items
    return [pod for pod in pods if pod.metadata.deletion_timestamp is None]


def count_nodes():
    return len(client.CoreV1Api().list_node().items)


lab = start_shop("kubernetes/shop")
pods_before, nodes_before = len(frontends()), count_nodes()
print(f"{lab.now():%H:%M:%S}: {pods_before} frontend pods on a cluster of {nodes_before} nodes.")

# %% [markdown]
# ## Steady state
#
# An experiment needs a before. We take it from *Amazon CloudWatch*, the service that keeps AWS metrics: one number per
# metric and minute. The load balancer's metrics carry its name as a *dimension*, so we look that up first.
#
# The error rate is a formula over counters (*metric math*). An error is an answer 5xx, made by the frontend (`Target`)
# or by the load balancer itself (`ELB`) when no frontend answered. A counter that is zero is not published, so
# `FILL(..., 0)` puts the zero in. A 503 had no target and is missing from `RequestCount`; we add it back.

# %%
found = boto3.client("cloudwatch").list_metrics(Namespace="AWS/ApplicationELB", MetricName="RequestCount")["Metrics"]
dimensions = min((metric["Dimensions"] for metric in found), key=len)
balancer = {dimension["Name"]: dimension["Value"] for dimension in dimensions}


def alb(id, metric, stat):
    return labs.metric_query(id, "AWS/ApplicationELB", metric, balancer, stat)


counters = [alb("requests", "RequestCount", "Sum")]
for id, metric in (("target5", "Target_5XX"), ("elb5", "ELB_5XX"), ("elb503", "ELB_503")):
    counters.append(alb(id, f"HTTPCode_{metric}_Count", "Sum"))
formula = "100 * (FILL(target5, 0) + FILL(elb5, 0)) / (requests + FILL(elb503, 0))"
error_rate = {"Id": "error_percent", "Expression": formula}

# %% [markdown]
# Of the answer time we want the median (`p50`), the time that 99 of 100 requests stay below (`p99`), and the mean.
# All three are in seconds.


# %%
latency = [alb(id, "TargetResponseTime", stat) for id, stat in (("p50", "p50"), ("p99", "p99"), ("mean", "Average"))]


def minutes_between(start, end):
    queries = [*counters, error_rate, *latency]
    frame = labs.metric_frame(boto3.client("cloudwatch"), queries, start, end)
    return frame.reindex(columns=[query["Id"] for query in queries]).fillna(0.0)


steady = minutes_between(lab.now() - timedelta(minutes=5), lab.now())
steady.set_index(steady.index.strftime("%H:%M"))[["requests", "error_percent", "p50", "p99"]].round(3)

# %% [markdown]
# Each row is the minute that *begins* at the time shown. The newest minute is missing: its number becomes readable
# about a minute after it has ended. Keep that in mind: **CloudWatch shows one number a minute, and shows it late**.
# What happened *within* a minute, it cannot show at all.
#
# ## Alarms
#
# An *alarm* compares a metric with a threshold, once a minute. The *SLO* (service level objective) is our promise to
# visitors: `slo_percent` of all requests succeed. The rest is the *error budget*. The shop has three alarms:
#
# | alarm | goes off in a minute with more than |
# |---|---|
# | `shop-errors` | 5 % errors |
# | `shop-latency` | 1 s at p99 |
# | `shop-budget` | ten times the share of errors that the SLO allows |

# %%
allowed_percent = round(100 - slo_percent, 6)
errors = [query | {"ReturnData": False} for query in counters] + [error_rate | {"ReturnData": True}]
RULES = {"shop-errors": (errors, 5), "shop-latency": (latency[1:2], 1), "shop-budget": (errors, 10 * allowed_percent)}


def put_alarms():
    common = {"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "TreatMissingData": "notBreaching"}
    for name, (metrics, threshold) in RULES.items():
        boto3.client("cloudwatch").put_metric_alarm(AlarmName=name, Metrics=metrics, Threshold=threshold, **common)
    lab.wait("2 min")


put_alarms()
for alarm in boto3.client("cloudwatch").describe_alarms()["MetricAlarms"]:
    print(f"{alarm['AlarmName']:14}{alarm['StateValue']}")

# %% [markdown]
# ## How many is half?
#
# Which pods die is left to chance, but to repeatable chance: we sort the names and draw with the seed. How many die
# depends on `rounding`. The function below deletes them through the official client. Its *grace period* is the time
# that a program gets to end by itself.


# %%
def victims_of(names):
    exact = len(names) * share_percent / 100
    count = math.ceil(exact) if rounding == "up" else max(math.floor(exact), 1)
    return random.Random(seed).sample(sorted(names), count)


def kill(grace_period_s):
    addresses = {pod.metadata.name: pod.status.pod_ip for pod in frontends()}
    at, victims = lab.now(), victims_of(list(addresses))
    for name in victims:
        client.CoreV1Api().delete_namespaced_pod(name, "shop", grace_period_seconds=grace_period_s)
    return {"at": at, "killed": {addresses[name] for name in victims}}


killed_count = len(victims_of([pod.metadata.name for pod in frontends()]))
print(f"{share_percent} % of {pods_before} pods is {pods_before * share_percent / 100:g}; we kill {killed_count}.")

# %% [markdown]
# ## Before it breaks: your prediction
#
# There will be two kills with the same share:
#
# - a **crash**: deletion with a grace period of 0 seconds, as `kubectl delete --grace-period=0 --force` does;
# - a **graceful** deletion, plain `kubectl delete`: Kubernetes asks the program to end (the signal SIGTERM) and gives it
#   the pod's own grace period, 30 seconds unless the manifest says otherwise, before it uses force.
#
# Write down numbers before you look. The lab records them with the time.

# %%
hypothesis = {
    "crash: worst minute (% errors)": 5.0,
    "graceful: worst minute (% errors)": 0.0,
    "crash: time to detect (s)": 120,
    "crash: time to recover (s)": 60,
}
print(f"Recorded at {lab.now():%H:%M:%S}, before the first kill: {list(hypothesis.values())}")

# %% [markdown]
# ## The crash
#
# An *EndpointSlice* is the cluster's list of addresses that a Service may send requests to; the load balancer's
# controller follows it. After the kill we look once a second for a minute: at the pods, and at how many killed
# addresses the list still holds.


# %%
def listed_addresses():
    service = {"label_selector": "kubernetes.io/service-name=frontend"}
    slices = client.DiscoveryV1Api().list_namespaced_endpoint_slice("shop", **service).items
    endpoints = [endpoint for each in slices for endpoint in each.endpoints or []]
    return {endpoint.addresses[0] for endpoint in endpoints if endpoint.conditions.ready}


def watch(kill):
    observer, listed = labs.Observer(lab, "shop", "app=frontend"), []
    for _ in range(60):
        observer.look()
        listed.append(len(listed_addresses() & kill["killed"]))
        lab.wait("1 s")
    return kill | {"pods": observer.pods, "listed": listed}


# %% [markdown]
# Now the kill, and what the operator sees, second by second.


# %%
def seconds_table(kill, seconds=(0, 1, 2, 3, 5, 10, 15, 20, 30)):
    table = kill["pods"].groupby(["time", "state"]).size().unstack(fill_value=0)
    table.index = [round((time - kill["at"]).total_seconds()) for time in table.index]
    table["killed, still listed"] = kill["listed"]
    return table.loc[list(seconds)].rename_axis(index="seconds", columns=None)


crash = watch(kill(grace_period_s=0))
print(f"Killed at {crash['at']:%H:%M:%S}:", len(crash["killed"]), "pods.")
seconds_table(crash)

# %% [markdown]
# The Deployment replaces the pods at once, and they are soon called *ready*. The killed addresses leave the
# EndpointSlice within a second. By the look of the cluster this was over in moments.
#
# ## Is ready really ready?
#
# Our frontend has no *readiness probe* (a question that Kubernetes asks a pod before it sends it work), so a pod counts
# as ready as soon as its process runs. The program's own log says when it began to listen.


# %%
def starts_after(kill):
    rows = []
    for pod in frontends():
        log = client.CoreV1Api().read_namespaced_pod_log(pod.metadata.name, "shop", timestamps=True)
        listens = [pd.Timestamp(line.split()[0]) for line in log.splitlines() if "listening" in line]
        ready = [each.last_transition_time for each in pod.status.conditions if each.type == "Ready"]
        if pod.metadata.creation_timestamp >= kill["at"]:
            rows.append([(time - kill["at"]).total_seconds() for time in (*ready, *listens)])
    return pd.DataFrame(rows, columns=["called ready (s)", "listens (s)"]).sort_values("listens (s)")


starts = starts_after(crash)
starts.round(1).reset_index(drop=True)

# %% [markdown]
# Each replacement was called ready seconds before it could answer. Remember this gap; below we ask whether it hurt
# anybody.
#
# ## The graceful kill
#
# The shop rests for a while. Then the same again, politely: `None` leaves the grace period to the pod.

# %%
apart = timedelta(minutes=minutes_apart)
lab.wait((crash["at"] + apart - lab.now()).total_seconds())
graceful = watch(kill(grace_period_s=None))
seconds_table(graceful)

# %% [markdown]
# Look at the column `terminating`: how many of their 30 seconds did these pods take?
#
# ## What the visitors saw
#
# We wait until the last minutes can be read, and add up the minutes after each kill.


# %%
def account(frame, kill):
    part = frame[(frame.index >= kill["at"].replace(second=0)) & (frame.index < kill["at"] + apart)]
    total, failed = part["requests"].sum() + part["elb503"].sum(), part["elb5"].sum() + part["target5"].sum()
    allowed = total * allowed_percent / 100
    counted = {"requests": total, "502 and 503 by the balancer": part["elb5"].sum(), "5xx by a pod": part["target5"].sum()}
    budget = {"allowed by the SLO": allowed, "availability (%)": 100 - 100 * failed / total}
    worst = {"worst minute (% errors)": part["error_percent"].max(), "worst p99 (ms)": 1000 * part["p99"].max()}
    return pd.Series(counted | {"failed": failed} | budget | worst)


lab.wait((graceful["at"] + apart + timedelta(minutes=2) - lab.now()).total_seconds())
naive = minutes_between(crash["at"] - timedelta(minutes=3), graceful["at"] + apart)
summary = pd.DataFrame({"crash": account(naive, crash), "graceful": account(naive, graceful)})
summary.round(2)

# %% [markdown]
# The budget in words: of the requests in the minutes after a kill, `100 - slo_percent` percent may fail. Compare `failed`
# with `allowed by the SLO`. Then compare the two columns: was the graceful kill any better than the crash?
#
# ## Time to detect
#
# CloudWatch keeps each alarm's history. Time to detect is the first change to `ALARM` after the kill, minus the kill.


# %%
def detected_s(kill, alarm):
    changes = labs.alarm_changes(boto3.client("cloudwatch"), alarm, kill["at"])
    is_raised = changes["summary"].str.endswith("to ALARM") & (changes["time"] < kill["at"] + apart)
    raised = changes["time"][is_raised]
    return None if raised.empty else round((raised.iloc[0] - kill["at"]).total_seconds())


kills = {"crash": crash, "graceful": graceful}
detection = pd.DataFrame({name: {alarm: detected_s(each, alarm) for alarm in RULES} for name, each in kills.items()})
time_to_detect_s = None if detection["crash"].isna().all() else float(detection["crash"].min())
detection.map(lambda value: "silent" if pd.isna(value) else f"{value:.0f} s")

# %% [markdown]
# An alarm on a minute sees *the share of requests that fail, times the share of the minute*. When 60 % of the requests
# fail for three seconds, the minute says 3 %: a threshold of 5 % stays silent, however bad those seconds were. And an
# alarm that speaks has first waited for the minute to end and for its number to arrive. Lab 05 takes this apart.
#
# ## Time to recover
#
# Recovered means both: as many pods ready as before, and the error rate back under the SLO. The first we saw each second;
# the second CloudWatch knows by whole minutes only, so it is an upper bound.


# %%
def recovery_s(frame, kill, wanted):
    ready = kill["pods"]["state"].eq("ready").groupby(kill["pods"]["time"]).sum()
    short = ready.index[ready < wanted]
    after = frame[(frame.index >= kill["at"].replace(second=0)) & (frame.index < kill["at"] + apart)]
    bad = after.index[after["error_percent"] > allowed_percent]
    ends = {"pods ready again (s)": (short, 1), "errors under SLO (s)": (bad, 60)}
    return {name: round((late.max() - kill["at"]).total_seconds()) + tail if len(late) else 0 for name, (late, tail) in ends.items()}


recovery = pd.DataFrame({name: recovery_s(naive, each, pods_before) for name, each in kills.items()})
pods_after, nodes_after = len(frontends()), count_nodes()
recovery

# %% [markdown]
# ## Why were there errors?
#
# Three suspects. Each leaves a trace that we can count.
#
# 1. **Endpoint lag.** The EndpointSlice was right within a second, but the load balancer is another system: its
#    controller has to notice, call the AWS API, and every balancer node has to hear of it. Until then it keeps sending the
#    dead pods their share, and gets refused. So the number of errors says how long that took.
# 2. **Requests in flight.** A pod that ends while it works on a request breaks that connection. Little's law says how many
#    requests are inside at any moment: arrival rate times time inside.
# 3. **Start-up.** The replacements were called ready before they listened. Whoever believed that was refused.

# %%
rate_per_s = steady["requests"].mean() / 60
killed_share = killed_count / pods_before
for name in kills:
    failed = summary.loc["failed", name]
    print(f"{name:9} lag: {failed:.0f} errors / ({rate_per_s:.1f} per s x {killed_share:.0%}) = {failed / rate_per_s / killed_share:.1f} s")
in_flight = rate_per_s * steady["mean"].mean()
print(f"in flight: {rate_per_s:.1f} per s x {steady['mean'].mean():.3f} s x {killed_share:.0%} = {in_flight * killed_share:.1f} requests")
print(f"start-up: ready {(starts['listens (s)'] - starts['called ready (s)']).mean():.1f} s before listening, on average")

# %% [markdown]
# The first suspect explains nearly all errors: a lag of a few seconds at a share of all requests. The second
# explains about one.
#
# The third is acquitted, and it is worth knowing why. The load balancer asks a new target itself (its *health check*) and
# sends nothing before the first good answer. If it had not, errors would have gone on until the programs listened, well
# beyond the lag above. A caller *inside* the cluster has no such guard, since it believes the EndpointSlice.
#
# And the grace of 30 seconds? Grace is an offer that the program must take. This one ends at once on SIGTERM: hardly
# anybody was seen terminating. While the balancer still sends, a pod that ends quickly *on request* looks like a crash.
#
# ## The fix
#
# In `kubernetes/hardened`:
#
# ```yaml
# replicas: 6                            # surplus, and minReplicas: 6 in the autoscaler
# terminationGracePeriodSeconds: 45      # 15 s for the pause below, 30 s for the program's own end
# readinessProbe:                        # ready when it answers, not when it runs
#   httpGet: {path: /healthz, port: http}
#   periodSeconds: 2
# lifecycle:
#   preStop:
#     sleep: {seconds: 15}               # keep serving while the load balancer forgets this pod
# ```
#
# `preStop` runs before SIGTERM. The pod is off the list from the first second, yet answers for 15 more: longer than the
# lag above plus the slowest request. **Surplus** is arithmetic: after a kill of half, rounded up, the survivors should
# carry the load within the autoscaler's target, 80 % of the requested 400 millicores (thousandths of a core) each.

# %%
pod_cpu = {"ClusterName": "chaos-crunch", "Namespace": "shop", "PodName": "frontend"}
usage = labs.metric_query("used", "ContainerInsights", "pod_cpu_usage_total", pod_cpu, "Sum")
used = labs.metric_frame(boto3.client("cloudwatch"), [usage], crash["at"] - timedelta(minutes=5), crash["at"])["used"].mean()
survivors = math.ceil(used / (0.80 * 400))
enough = next(pods for pods in range(1, 100) if pods // 2 >= survivors)
print(f"{used:.0f} millicores / (80 % of 400) = {used / 320:.2f}, so {survivors} must survive: {enough} pods.")

# %% [markdown]
# A *PodDisruptionBudget* is not part of the fix, although the shop has one that lets a single frontend be missing. It
# guards *evictions* (draining a node asks first); a plain delete never asks. The exercise shows the difference.
#
# ## The same seed again
#
# A new cluster, the same seed, so the same visitors, and the kills at the same time on the clock. Only the manifests
# differ.

# %%
lab.close()
lab = start_shop("kubernetes/shop", "kubernetes/hardened")
put_alarms()
pods_hardened, nodes_hardened = len(frontends()), count_nodes()
crash_again = watch(kill(grace_period_s=0))
starts_again = starts_after(crash_again)
lab.wait((crash_again["at"] + apart - lab.now()).total_seconds())
graceful_again = watch(kill(grace_period_s=None))
print(f"{pods_hardened} pods on {nodes_hardened} nodes; before the fix {pods_before} on {nodes_before}.")
print("Same times of both kills:", all(a["at"] == b["at"] for a, b in ((crash, crash_again), (graceful, graceful_again))))
seconds_table(graceful_again)

# %% [markdown]
# In the graceful kill the pods now stay `terminating`, and serving, for the length of their pause. Replacements count as
# ready only when they answer. If there are more nodes than before, that is the price of the surplus: the pods did not fit
# any more, and Karpenter (which buys nodes) bought one. All four kills in numbers:

# %%
lab.wait((graceful_again["at"] + apart + timedelta(minutes=2) - lab.now()).total_seconds())
hardened = minutes_between(crash_again["at"] - timedelta(minutes=3), graceful_again["at"] + apart)
summary["crash, hardened"] = account(hardened, crash_again)
summary["graceful, hardened"] = account(hardened, graceful_again)
gap_s = (starts_again["called ready (s)"] - starts_again["listens (s)"]).mean()
print(f"Hardened pods were called ready {gap_s:.1f} s after they began to listen, on average.")
summary.round(2)

# %% [markdown]
# The same as curves: error rate and p99, before and after the fix, over the minutes since the crash.

# %%
failed = summary.loc["failed"].astype(int)
title = f"Failed requests, shop against hardened: graceful kill {failed['graceful']} to {failed['graceful, hardened']}, "
title += f"crash {failed['crash']} to {failed['crash, hardened']}"
made, panels = labs.figures.figure(2, title)
for panel, column, factor in zip(panels, ("error_percent", "p99"), (1, 1000), strict=True):
    runs = (naive[column], hardened[column], crash["at"], crash_again["at"])
    labs.figures.draw_before_after(panel, *runs, labels=("shop", "hardened"), factor=factor)
labs.figures.limit_line(labs.figures.name_panel(panels[0], "Error rate", "% of requests") or panels[0], 5, "alarm: 5 %")
labs.figures.limit_line(labs.figures.name_panel(panels[1], "p99 latency", "ms"), 1000, "alarm: 1 s")
for panel, texts in zip(panels, (("crash", "graceful kill"), ("", "")), strict=True):
    for minute, text in zip((0, minutes_apart), texts, strict=True):
        labs.figures.shade(panel, minute, minute, text)
labs.figures.label_minutes(panels, "minutes since the crash")
place = labs.run_directory("03_kill_half_the_pods", run_directory)
alt = f"{title}. Two panels: error rate and p99 latency of both runs by minute, with a peak at each kill that failed requests."
labs.figures.show(made, alt, name="before_and_after", directory=place)

# %% [markdown]
# | | cures | does not cure |
# |---|---|---|
# | `preStop` pause | endpoint lag and requests in flight, when the end is *announced*: delete, rollout, drain, scale-down | a crash: no hook saves a process that is gone |
# | readiness probe | a *ready* that is not true | anything about the end of a pod |
# | surplus | slowness while replacements start | errors during the lag: the killed *share* stays the same |
#
# What is left in the crash is the balancer's lag, and it differs from kill to kill. Against it helps what sits in front:
# a client that tries again.
#
# ## Your prediction against the data

# %%
time_to_recover_s = float(recovery["crash"].max())
worst = summary.loc["worst minute (% errors)"].round(2)
seen = [worst["crash"], worst["graceful"], time_to_detect_s, time_to_recover_s]
verdict = pd.DataFrame({"predicted": hypothesis.values(), "seen": seen}, index=list(hypothesis))
verdict.map(lambda value: "silent" if pd.isna(value) else f"{value:g}")

# %% [markdown]
# The distance between the two columns is what you have learnt about this system. A prediction that came true is worth
# keeping too: next time it can be an automatic check.
#
# ## Exercise
#
# 1. Ask instead of deleting. An *eviction* (`create_namespaced_pod_eviction`) is a delete that respects the
#    PodDisruptionBudget. Evict the same share of the frontend, one pod after the other. How many are refused, with which
#    HTTP status, and what does the error rate of that minute look like?
# 2. Find the shortest `preStop` pause that still gives no errors for seeds 1, 2 and 3.
#
# <details><summary>Hint for 1</summary>The body is
# <code>client.V1Eviction(metadata=client.V1ObjectMeta(name=name, namespace="shop"))</code>; a refusal is a
# <code>client.ApiException</code> with a <code>status</code>. Wait until the first replacement is ready, and ask
# again.</details>
# <details><summary>Hint for 2</summary>The lag that you computed differs from seed to seed. A pause has to beat the longest,
# not the average, plus the slowest request.</details>
#
# ## For the runbook
#
# - **Symptom:** a short burst of 502 from the load balancer (`HTTPCode_ELB_5XX_Count`), no errors of the frontend's own.
# - **First look:** `kubectl get pods -n shop` and the ages of the pods. Young pods in the minute of the burst: they were
#   replaced, and it is probably over.
# - **Then:** who deleted them? A rollout, a drain, a scale-down are announced ends: check `preStop` and grace. A crash:
#   `kubectl logs --previous` and the events.
# - **Do not** restart anything: each restart without a pause is another burst.
#
# ## The same experiment elsewhere
#
# Chaos Mesh (rounds up; grace 0 unless you say otherwise):
#
# ```yaml
# apiVersion: chaos-mesh.org/v1alpha1
# kind: PodChaos
# metadata: {name: kill-half-the-frontend, namespace: shop}
# spec:
#   action: pod-kill
#   mode: fixed-percent
#   value: "50"
#   gracePeriod: 0
#   selector: {namespaces: [shop], labelSelectors: {app: frontend}}
# ```
#
# Chaos Toolkit (rounds up; `rand` draws from Python's global random numbers, so seed those to repeat a run):
#
# ```json
# {"type": "action", "name": "kill-half-the-frontend",
#  "provider": {"type": "python", "module": "chaosk8s.pod.actions", "func": "terminate_pods",
#               "arguments": {"label_selector": "app=frontend", "ns": "shop", "rand": true,
#                             "mode": "percentage", "qty": 50, "grace_period": 0}}}
# ```
#
# Litmus has the share in the variable `PODS_AFFECTED_PERC` of its `pod-delete` experiment, and rounds down to at least
# one. AWS Fault Injection Service has the action `aws:eks:pod-delete` with a selection mode such as `PERCENT(50)`.
#
# ## What we learnt
#
# - Kubernetes repairs its own list within a second; the systems around it follow later, and errors live in that gap.
# - *Graceful* is a promise of the program. Without a pause before the end it is no better than a crash.
# - A readiness probe makes *ready* mean ready; surplus buys speed during the repair, not correctness.
# - One-minute averages shrink a short outage below an alarm's threshold. The error budget still counts every failure.

# %% [markdown]
# The last cell writes what was measured (the crash before the fix; the others beside it) and ends the cluster.

# %%
during = naive[naive.index >= crash["at"].replace(second=0)]
peak_pods = max(int(kill["pods"].groupby("time").size().max()) for kill in (crash, graceful))
result = labs.Result(
    lab="03_kill_half_the_pods",
    seed=seed,
    error_rate_peak_percent=round(float(summary.loc["worst minute (%)", "crash"]), 3),
    error_rate_steady_percent=round(float(steady["error_percent"].mean()), 3),
    latency_ms_p50=round(float(1000 * during["p50"].median()), 1),
    latency_ms_p99=round(float(summary.loc["worst p99 (ms)", "crash"]), 1),
    pods_before=pods_before, pods_peak=peak_pods, pods_after=pods_after,
    nodes_before=nodes_before, nodes_peak=max(nodes_before, nodes_after), nodes_after=nodes_after,
    time_to_detect_s=time_to_detect_s, time_to_recover_s=time_to_recover_s,
    is_slo_met=bool(summary.loc["availability (%)", "crash"] >= slo_percent),
)  # fmt: skip
print("Written:", labs.save_result(result, run_directory, kills=summary.round(3).to_dict()))
lab.close()
