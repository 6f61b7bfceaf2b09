# %% [markdown]
# # 1 · Deploy the shop and its autoscalers
#
# You put an online shop on a cluster, read the numbers that its autoscaler reads, compute what it will do, and watch it
# do that. Afterwards no autoscaler is a black box to you any more.
#
# **You will learn to**
#
# - deploy from manifests, with the official Python client and with `kubectl`;
# - find the CPU use that an autoscaler sees, and compute its next step with a pencil: `ceil(pods × use / target)`;
# - say what tolerance, limits and stabilisation make of that number;
# - read what an autoscaler says when it has no metrics, and mend the usual cause.
#
# **Time:** about 30 minutes, 15 of them for the three exercises. **Cost:** nothing on the simulated cluster. On Amazon
# EKS (Kubernetes, run by AWS) an estimated 0.60 US dollars an hour: control plane, two or three small nodes, a load
# balancer and a database. **You need:** nothing; the lab starts a cluster of its own. Lab 00 shows the tools first.
#
# ## Parameters
#
# You can change these; an instructor can set them from outside. The same `seed` gives the same run each time.

# %% tags=["parameters"]
seed = 7  # which run of the simulated cluster
visitors_factor = 3  # how many times as many visitors come later in the lab
run_directory = ""  # where the result and the figures go; empty: runs/01_deploy_hpas

# %% [markdown]
# The next cell loads what the lab uses. It stops here if a parameter cannot be used, and says what is allowed.

# %%
import math
from datetime import timedelta

import pandas as pd
from kubernetes import client
from kubernetes.utils import parse_quantity

import labs
from labs.controlplane.hpa.replicas import desired_replicas
from labs.course.scaling import draw_reading, draw_staircase, draw_wishes
from labs.course.scaling import next_reading, percent_read, pod_use_m, watch_hpa

factors, text = labs.Number(3, 4), labs.Text()
_ = labs.check_parameters(globals(), seed=labs.Number(0, 1_000_000), visitors_factor=factors, run_directory=text)

# %% [markdown]
# ## Deploy
#
# A **cluster** is a group of machines that run programs for you; each machine is a **node**. You do not tell
# **Kubernetes**, which manages the cluster, what to do. You write down what you *want*, in files called **manifests**,
# and it works until that is so. The folder `kubernetes/shop` wants, among others:
#
# | kind | what it is | in the shop |
# |---|---|---|
# | **Pod** | one running copy of a program | made by the Deployments |
# | **Deployment** | keeps a wanted number of equal pods alive; each of them is a **replica** | `frontend` (the pages), `backend` (prices and orders), `rds-proxy` (to the database), `shoppers` (who play the visitors) |
# | **Service** | one stable address for pods that come and go | for `frontend`, `backend` and `rds-proxy` |
# | **Ingress** | the way in from outside the cluster, by host name | a **load balancer** of AWS for `frontend`, which spreads visitors over its pods |
# | **HorizontalPodAutoscaler** (HPA) | changes the number of replicas as the load changes | for `frontend` and `backend` |
#
# The next cell starts a cluster and applies the folder: `lab.apply` sends each object through the official client. In a
# terminal you would type `kubectl apply -f kubernetes/shop`. Then it asks what is there. A line that begins with `!` runs
# a command as in a terminal; `-n shop` names the **namespace**, a cluster's word for a folder of objects.

# %%
lab = labs.connect(seed=seed)
applied = lab.apply("kubernetes/shop")
print(f"{lab.now():%H:%M:%S}  applied {len(applied)} objects:", ", ".join(applied[:4]), "...")
# !kubectl -n shop get deployments,hpa

# %% [markdown]
# Everything is *wanted* now; nothing runs yet: `READY` is ready/wanted. Look at the column `TARGETS` of the HPAs, for
# example `<unknown>/80%`. The HPA should keep CPU use at 80 %, and does not know the use yet.
#
# The same from Python, in the HPA's own words: its **conditions** say what it can do and, if not, why not. We let twenty
# seconds pass (the lab's clock is virtual: this takes a moment), and print them. Then we wait until the HPA has a number.

# %%
def read_hpa(name="frontend"):
    return client.AutoscalingV2Api().read_namespaced_horizontal_pod_autoscaler(name, "shop")


def print_conditions(hpa):
    for condition in hpa.status.conditions or []:
        print(f"{condition.type:15}{condition.status:7}{condition.reason}\n    {condition.message}")


deployed = lab.now()
lab.wait("20 s")
print_conditions(read_hpa())
lab.wait(until=lambda: percent_read(read_hpa()) is not None, every="1 s")
print(f"\n{(lab.now() - deployed).total_seconds():.0f} s after the deployment the HPA read {percent_read(read_hpa())} %.")

# %% [markdown]
# `FailedGetResourceMetric` looks alarming. In the first minute it is normal, since a number has a way to go: every node
# measures its pods, a program called **metrics-server** collects that every 15 seconds and needs two measurements for
# one use, and the HPA looks every 15 seconds. Remember this on your own clusters: an HPA is blind at first, and it does
# nothing while it is blind. If it is *still* blind after some minutes, something is wrong. We come back to that.
#
# ## Steady state
#
# We wait until start-up is past. Then we look at the same numbers that the HPA looks at: CPU use from metrics-server, in
# **millicores** (m: thousandths of a processor core). In a terminal: `kubectl -n shop top pods`.
#
# Whether a number there is much depends on what was asked for. A container (the box in which a pod's program runs)
# **requests** CPU: the scheduler, which chooses a node for each pod, sets that much aside. Its **limit** is the most that
# it may use. The HPA divides the use of all pods by the *requests* of all pods.

# %%
lab.wait("6 min")
kind = ("metrics.k8s.io", "v1beta1", "shop", "pods")
found = client.CustomObjectsApi().list_namespaced_custom_object(*kind, label_selector="app=frontend")["items"]
cpu = {each["metadata"]["name"]: each["containers"][0]["usage"]["cpu"] for each in found}
use_m = pd.Series({name: 1000 * float(parse_quantity(amount)) for name, amount in cpu.items()}, name="use (m)")
container = client.AppsV1Api().read_namespaced_deployment("frontend", "shop").spec.template.spec.containers[0]
request_m = int(1000 * parse_quantity(container.resources.requests["cpu"]))
limit_m = int(1000 * parse_quantity(container.resources.limits["cpu"]))
print(f"{use_m.sum():.0f}m used / ({len(use_m)} pods x {request_m}m requested) = {use_m.sum() / len(use_m) / request_m:.1%}")
use_m.round(1).to_frame()

# %% [markdown]
# The HPA keeps whole percents and drops the rest. It looks every 15 seconds and metrics-server collects on a beat of its
# own, so the HPA's number may be up to half a minute older than ours. To compare, we wait for the second in which the
# HPA writes a new reading, and read the pods in that second too. (`pod_use_m` asks as the cell above does.)

# %%
seen_by_hpa, use_m = next_reading(lab), pd.Series(pod_use_m())
by_hand = math.floor(100 * use_m.sum() / (len(use_m) * request_m))
print(f"the HPA reads {seen_by_hpa} %, by hand {by_hand} %")

# %% [markdown]
# ## The rule: one line
#
# **pods wanted = ceil(pods now × use / target)**, where *ceil* rounds up to a whole number. Three pods at 100 % with a
# target of 75 % become four, since four carry the same load at 75 %. We compute ours by hand, and with the very function
# that the cluster's HPA calls: a pure function, which takes numbers and gives a number. Below it the HPA's own answer,
# with its limits and conditions.

# %%
spec, status = read_hpa().spec, read_hpa().status
pods, target = status.current_replicas, spec.metrics[0].resource.target.average_utilization
by_hand = math.ceil(pods * seen_by_hpa / target)
by_rule = desired_replicas(pods, seen_by_hpa / 100 * request_m, request_m, target)
print(f"ceil({pods} x {seen_by_hpa} / {target}) = {by_hand}; the function says {by_rule}")
print(f"the HPA wants {status.desired_replicas}; minReplicas {spec.min_replicas}, maxReplicas {spec.max_replicas}")
print_conditions(read_hpa())

# %% [markdown]
# The rule wants fewer pods than there are, and yet they stay. The conditions say why: `ScalingLimited True
# TooFewReplicas`, the rule asked for fewer than `minReplicas`. That is a choice of whoever wrote the manifest: five pods,
# so that the loss of a few does not hurt. (Lab 03 puts that to the test. If there is a `ScaleDownStabilized`, that is
# explained below.)
#
# ## Tolerance: when nothing happens
#
# A rule that reacts to every percent would start and stop pods all day. So the HPA does nothing while use / target lies
# between 0.9 and 1.1: its **tolerance** is a tenth. For our target that is a band of percents. The figure shows the rule
# for seven pods, once with the tolerance and once without.

# %%
band = (round(target * 0.9), round(target * 1.1))
percents = range(40, 121)
names = {"without tolerance": 0.0, "the HPA's rule": 0.1}
rule = {name: [desired_replicas(7, each, 100, target, share) for each in percents] for name, share in names.items()}
title = f"Seven pods, target {target} %: between {band[0]} % and {band[1]} % of CPU use nothing happens"
made, (panel,) = labs.figures.figure(1, title, row_height=2.8)
labs.figures.name_panel(draw_staircase(panel, percents, rule, band, target), "What seven pods ask for", "pods wanted")
place = labs.run_directory("01_deploy_hpas", run_directory)
labs.figures.show(made, f"A staircase that rises with CPU use. {title}.", name="tolerance", directory=place)

# %% [markdown]
# Read it from the left: each step up is one pod more. Inside the grey band the HPA's line is flat, where the rule without
# tolerance would ask for an eighth pod at the first percent above the target. At the right edge of the band both meet.
#
# ## Before it happens: your prediction
#
# Soon `visitors_factor` times as many visitors will come. You know the use now, the number of pods and the target. The
# next cell takes the mean of four readings, since one reading of 15 seconds is noisy.

# %%
def wait_for_reading():
    lab.wait("14 s")
    return next_reading(lab)


calm_percent = sum(wait_for_reading() for _ in range(4)) / 4
print(f"{pods} pods at {calm_percent:.1f} % on average, target {target} %, {visitors_factor} times the visitors")

# %% [markdown]
# Write down what you expect, and a reason:
#
# - how many pods will there be at the most?
# - after how many seconds will the HPA order the *first* new pod?
# - when the visitors have left again: after how many minutes does the first pod go?
#
# The lab records your numbers with the time, before anything happens; a wrong prediction teaches more than none.

# %%
# blank
prediction = labs.predict(lab, because=..., most_pods=..., first_order_s=..., minutes_until_fewer=...)
# solution
expected = math.ceil(pods * visitors_factor * calm_percent / target)
reason = "ceil(pods x factor x use / target); two periods of 15 s; I think they leave with the visitors"
prediction = labs.predict(lab, because=reason, most_pods=expected, first_order_s=30, minutes_until_fewer=1)

# %% [markdown]
# ## More visitors
#
# Our visitors are pods too: each pod of the Deployment `shoppers` sends 12 requests a second. We scale it through the
# API. In a terminal: `kubectl -n shop scale deployment shoppers --replicas=3`.
#
# We start just after one of the HPA's readings, and look after each further one, for five minutes. Each row: `pods` at
# `percent` CPU use, of which `measured` have a number; `rule` is what our function makes of that, within the limits;
# `hpa` is what the cluster's HPA decided, and `reason` its word for it.

# %%
def set_visitors(count):
    client.AppsV1Api().patch_namespaced_deployment_scale("shoppers", "shop", {"spec": {"replicas": count}})
    return lab.now()


next_reading(lab)
more_at = set_visitors(visitors_factor)
seen = watch_hpa(lab, 5, request_m)
seen.insert(0, "seconds", [(time - more_at).total_seconds() for time in seen["time"]])
seen.drop(columns="time").head(9).set_index("seconds")

# %% [markdown]
# Things to see:
#
# - The first reading after the change holds old and new seconds. Metrics are means over a window, so the HPA sees a
#   jump as a slope, and may need two steps for it.
# - When `measured` is smaller than `pods`, there are pods without a number: they are just starting. On the way up the HPA
#   counts those as using *nothing*. That is careful: the load that they will take over must not be counted twice.
# - New pods start cold: their first requests cost more CPU than later ones. The use stays high for a moment, and the HPA
#   may ask for one pod more than the arithmetic with steady numbers did.
# - Where `rule` falls below `hpa`, the reason is `ScaleDownStabilized`. That is the next section.
#
# How often do rule and HPA agree? And did the new pods find room? Each needs its request to be free on some node. When
# one does not fit, **Karpenter**, which buys nodes, buys one. Lab 04 takes that apart; here it is enough to look at the
# ages of the nodes.

# %%
first_order_s = seen.loc[seen["hpa"] > pods, "seconds"].min()
upwards = seen[seen["rule"] >= seen["hpa"]]
agreed = (upwards["rule"] == upwards["hpa"]).sum()
print(f"the first order came {first_order_s:.0f} s after the visitors; {seen['pods'].max()} pods at the most")
print(f"in {agreed} of {len(upwards)} readings that ask for no less than there is, rule and HPA agree\n")
# !kubectl get nodes

# %% [markdown]
# ## They leave: stabilisation
#
# The visitors go home. The rule now wants fewer pods, at once. Will the HPA follow at once? We watch for seven minutes;
# the table counts what the HPA gave as its reason.

# %%
fewer_at = set_visitors(1)
seen = pd.concat([seen, watch_hpa(lab, 7, request_m)], ignore_index=True)
after = seen[seen["time"] > fewer_at]
fell = after[after["hpa"] < after["hpa"].max()].iloc[0]
last_wish = seen[(seen["rule"] > fell["hpa"]) & (seen["time"] < fell["time"])].iloc[-1]
moments = {"visitors left": fewer_at, "last reading that asks for more": last_wish["time"], "first pod goes": fell["time"]}
for what, when in sorted(moments.items(), key=lambda item: item[1]):
    print(f"{when:%H:%M:%S}  {what}")
held_s = (fell["time"] - last_wish["time"]).total_seconds()
after["reason"].value_counts().to_frame("readings")

# %% [markdown]
# It did not. `ScaleDownStabilized`: the HPA remembers what it wanted in the last 300 seconds, and takes the *highest* of
# that, its **stabilisation window**. A short lull then costs no capacity. Starting a pod takes a minute in which visitors
# wait; keeping it for five more costs cents. That is why the HPA goes up at once and down slowly. We can check that with
# one line: the highest of the rule's last 300 seconds against the HPA.

# %%
wishes = seen.set_index("time")["rule"]
held = wishes.rolling(timedelta(seconds=300)).max().astype(int).to_numpy()
print(f"highest wish of the last 300 s and HPA agree in {(held == seen['hpa']).sum()} of {len(seen)} readings")

# %% [markdown]
# Two pure rules, one after the other: that is all an HPA does. The whole story in one picture; the shaded minutes have
# more visitors.

# %%
title = f"Up {first_order_s:.0f} s after the visitors came, down {held_s:.0f} s after the last wish for more"
made, panels = labs.figures.figure(2, title, row_height=2.3)
draw_reading(panels[0], seen, more_at, band, target)
draw_wishes(panels[1], seen, more_at, (last_wish["time"], fell["time"]))
end = float(labs.figures.minutes_since([fewer_at], more_at)[0])
for panel, name in zip(panels, (f"{visitors_factor} times the visitors", ""), strict=True):
    labs.figures.shade(panel, 0, end, name)
labs.figures.label_minutes(panels, "minutes since more visitors came")
alt = f"CPU use and pods wanted over time. {title}; at most {seen['hpa'].max()} pods."
labs.figures.show(made, alt, name="up_and_down", directory=place)

# %% [markdown]
# ## Your prediction against the data
#
# The number of pods must be exact to be a hit; the seconds may be 15 off, one look of the HPA, and the minutes one.

# %%
away = (fell["time"] - fewer_at).total_seconds() / 60
within = {"most_pods": 0, "first_order_s": 15, "minutes_until_fewer": 1}
facts = {"most_pods": int(seen["pods"].max()), "first_order_s": first_order_s, "minutes_until_fewer": round(away, 1)}
prediction.verdict(more_at, within, **facts)

# %% [markdown]
# Did the minutes surprise you? They surprise most people who wait for a bill to shrink.
#
# ## When there is no number at all
#
# The most common mistake with an HPA is in `kubernetes/mistakes/no-request.yaml`: a small Deployment, `banner`, with an HPA
# of its own. We apply it and give it two minutes, more than any first minute. Then we print the HPA's conditions and its
# **events**, short notes that Kubernetes keeps for an hour; one that repeats is kept once, with a count. (Two of them are
# those of the first minute, with another message.)

# %%
lab.apply("kubernetes/mistakes/no-request.yaml")
lab.wait("2 min")
print_conditions(read_hpa("banner"))
# !kubectl -n shop get events --field-selector involvedObject.name=banner,type=Warning -o custom-columns=REASON:.reason,TIMES:.count

# %% [markdown]
# This is not the message of the first minute. Read it to the end: `missing request for cpu`. The pods *are* measured. But
# the target is in percent *of the request*, and without a request there is nothing to divide by. The HPA does not guess;
# it does nothing, and says so again and again in its events.
#
# The cure is one line. We patch the Deployment, which replaces its pod, and ask again.

# %%
request = {"name": "banner", "resources": {"requests": {"cpu": "50m"}}}
patch = {"spec": {"template": {"spec": {"containers": [request]}}}}
client.AppsV1Api().patch_namespaced_deployment("banner", "shop", patch)
lab.wait("2 min")
print_conditions(read_hpa("banner"))
print(f"it reads {percent_read(read_hpa('banner'))} %")

# %% [markdown]
# `ValidMetricFound`: the HPA can see, and will act.
#
# ## Exercises
#
# Each answer is a function. Put it in the place of the three dots. `labs.check` tries it with this run's numbers and with
# others, so that a number that is typed in does not pass. If it does not hold, the check says what it saw and gives a
# hint; the next try gives another one.
#
# **01-a.** What does the HPA read? `used_m` is a list with the CPU use of each pod, `request_m` and `limit_m` are those
# of each pod. Return the whole percent.

# %%
def percent_of(used_m, request_m, limit_m):
    # solution
    return math.floor(100 * sum(used_m) / (len(used_m) * request_m))


labs.check("01-a", percent_of, used_m=[round(each) for each in use_m], request_m=request_m, limit_m=limit_m)

# %% [markdown]
# **01-b.** How many pods does the HPA want? All of them are measured. `percent` is what it reads; `lowest` and `highest`
# are its limits. Mind the tolerance of a tenth.

# %%
def pods_wanted(pods, percent, target, lowest, highest):
    # solution
    is_close = 0.9 <= percent / target <= 1.1
    wanted = pods if is_close else math.ceil(pods * percent / target)
    return min(max(wanted, lowest), highest)


peak = seen.loc[seen["percent"].idxmax()]
given = {"pods": int(peak["pods"]), "percent": int(peak["percent"]), "target": target}
labs.check("01-b", pods_wanted, **given, lowest=spec.min_replicas, highest=spec.max_replicas)

# %% [markdown]
# **01-c.** And after stabilisation? `history` is a list of pairs `(seconds ago, pods wanted)`, the newest first; the newest
# is what the rule wants now, 0 seconds ago. `window_s` is the stabilisation window. How many pods does the HPA keep?

# %%
def pods_kept(history, window_s):
    # solution
    return max(wanted for age_s, wanted in history if age_s <= window_s)


moment = seen[seen["time"] < fell["time"]].iloc[-1]
earlier = seen[seen["time"] <= moment["time"]].iloc[::-1]
history = [(round((moment["time"] - row.time).total_seconds()), row.rule) for row in earlier.itertuples()]
labs.check("01-c", pods_kept, history=history, window_s=300)

# %% [markdown]
# ## For the runbook
#
# A **runbook** is the page that says what to look at and what to do when something is wrong.
#
# - **Symptom:** an HPA shows `<unknown>`, or does not scale.
# - **Look:** `kubectl -n shop describe hpa frontend`. The conditions say which case it is.
# - `FailedGetResourceMetric`, *no metrics returned*: younger than a minute? Wait. Older: is metrics-server running?
#   (`kubectl -n kube-system get deploy metrics-server`, `kubectl -n shop top pods`)
# - `FailedGetResourceMetric`, *missing request*: give every container of the pod a CPU request.
# - `ScalingLimited`, `TooManyReplicas`: the rule wants more than `maxReplicas`. Raise it, or find out who sends the load.
# - `ScaleDownStabilized`: nothing is wrong; wait five minutes.
#
# ## What we learnt
#
# - You write down what you want; Kubernetes works until it is so. When a number is missing, an HPA stops, and says so.
# - `ceil(pods × use / target)`, where use is in percent of the *request*: a request is a promise and a unit of measure.
# - Within a tenth of the target nothing happens. Pods that were not measured yet count as idle on the way up.
# - Up at once, down after 300 seconds: the highest wish of the last five minutes counts.
#
# ## The result
#
# The last cell writes what was measured to a file, so that runs can be compared, and ends the cluster. Lab 02 asks a
# question that no autoscaler asks: is the shop well, and who decides that?

# %%
nodes = len(client.CoreV1Api().list_node().items)
counts = {"pods_before": pods, "pods_peak": int(seen["pods"].max()), "pods_after": int(seen["pods"].iloc[-1])}
result = labs.Result("01_deploy_hpas", seed, **counts, nodes_after=nodes)
more = {"first_order_s": first_order_s, "held_s": held_s, "predictions": prediction.entries()}
print("Written:", labs.save_result(result, run_directory, **more).name)
lab.close()
