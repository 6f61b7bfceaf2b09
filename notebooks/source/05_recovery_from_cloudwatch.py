# %% [markdown]
# # 5 · Read a recovery from CloudWatch
#
# Two things break in the shop within a few minutes. You were not looking. All that is left is what Amazon CloudWatch,
# the service that keeps measurements (*metrics*) on AWS, has kept: one number a minute for each. In this lab you
# rebuild the incident from those numbers.
#
# **You will learn to**
#
# - fetch metrics with `get_metric_data`, with a formula for the error rate and with percentiles;
# - put an incident on a time line, and measure how long detection and recovery took;
# - compare both with a goal of five minutes;
# - say what a one-minute number hides, and choose an alarm that fits the shop.
#
# **Time:** about 40 minutes, 20 of them for the four exercises. **Cost:** nothing on the simulated cluster; on
# Amazon EKS about 0.60 US dollars an hour (control plane, two to four nodes, a load balancer, a database), plus 0.20
# US dollars a month for the alarms. **State it needs:** none. The lab starts a cluster of its own.

# %% [markdown]
# ## Parameters
#
# An instructor can set these from outside; you can change them here. `seed` chooses the run: the same seed gives the
# same answers.

# %% tags=["parameters"]
seed = 7  # which run of the simulated cluster
frontends_killed_percent = 50  # share of the frontend pods that the first blow kills
steady_minutes = 10  # how long the shop runs before the incident
goal_s = 300  # goal for detection and for recovery, in seconds
run_directory = ""  # where the result and the figures go; empty: runs/05_recovery_from_cloudwatch

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

rules = {"seed": labs.Number(0, 1_000_000), "frontends_killed_percent": labs.Number(1, 100, "%")}
rules |= {"steady_minutes": labs.Number(5, 60, "minutes"), "goal_s": labs.Number(60, 3600, "s")}
_ = labs.check_parameters(globals(), **rules, run_directory=labs.Text())
place = labs.run_directory("05_recovery_from_cloudwatch", run_directory)

# %% [markdown]
# ## The shop, and its steady state
#
# We start a cluster and deploy the shop: a *frontend* that makes the pages, a *backend* for prices and orders, and a
# database behind a proxy. Visitors reach the frontend through an *Application Load Balancer* (ALB), which spreads
# requests over the frontend's *pods* (a pod is one running copy of a program). Kubernetes keeps the wanted number of
# pods running on the cluster's machines, the *nodes*.


# %%
def start_shop():
    lab = labs.connect(seed=seed)
    lab.apply("kubernetes/shop")
    lab.wait(until=all_ready)
    lab.wait(f"{steady_minutes} min")
    return lab


def all_ready():
    deployments = client.AppsV1Api().list_namespaced_deployment("shop").items
    return all(each.status.ready_replicas == each.spec.replicas for each in deployments)


lab = start_shop()
print("The shop is up; the lab's clock shows", f"{lab.now():%H:%M:%S}")

# %% [markdown]
# The clock of the lab is virtual: the minutes above took about a second. From here on we look only through the doors
# that you would have in production. `boto3` is the AWS client for Python. We ask CloudWatch which load balancer
# reports to it.

# %%
cloudwatch = boto3.client("cloudwatch")
found = cloudwatch.list_metrics(Namespace="AWS/ApplicationELB", MetricName="HealthyHostCount")[
    "Metrics"
]
balancer = min((metric["Dimensions"] for metric in found), key=len)
for dimension in balancer:
    print(dimension["Name"], "=", dimension["Value"])

# %% [markdown]
# A metric in CloudWatch is known by its name *and* its dimensions, and both must match exactly. `LoadBalancer` alone
# is another series than `LoadBalancer` with `TargetGroup`.
#
# ## What we measure
#
# The error rate is not a metric; it is a formula over three. The target (our frontend) can answer with an error
# (`HTTPCode_Target_5XX_Count`; `5XX` are the HTTP statuses of a server that fails), and the load balancer can make one
# itself when a target does not answer (`HTTPCode_ELB_5XX_Count`). A counter that would be zero is not published at
# all, so `FILL(..., 0)` puts a zero there.

# %%
load_balancer = next(
    dimension["Value"] for dimension in balancer if dimension["Name"] == "LoadBalancer"
)


def alb(id, metric, stat):
    return labs.metric_query(
        id, "AWS/ApplicationELB", metric, {"LoadBalancer": load_balancer}, stat
    )


counters = [
    alb("requests", "RequestCount", "Sum") | {"ReturnData": False},
    alb("target5", "HTTPCode_Target_5XX_Count", "Sum") | {"ReturnData": False},
    alb("elb5", "HTTPCode_ELB_5XX_Count", "Sum") | {"ReturnData": False},
]
formula = "100 * (FILL(target5, 0) + FILL(elb5, 0)) / requests"
error_rate = {"Id": "error_percent", "Expression": formula, "Label": "error rate (%)"}

# %% [markdown]
# Latency has no single number either. `p50` is the median: half of the requests were faster. `p99` is the time that
# 99 of 100 requests stayed below: the experience of the unlucky one. The *average* says neither.

# %%
latencies = [
    alb("p50", "TargetResponseTime", "p50"),
    alb("p99", "TargetResponseTime", "p99"),
    alb("mean", "TargetResponseTime", "Average"),
]
steady = labs.metric_frame(
    cloudwatch, [*counters, error_rate, *latencies], lab.now() - timedelta(minutes=6), lab.now()
)
steady.assign(minute=steady.index.strftime("%H:%M")).set_index("minute").round(3)

# %% [markdown]
# This is the *steady state*: what the shop looks like when nothing is wrong. Each row is the minute that *begins* at
# the time shown. The newest minutes are missing: a minute's data can be read only about a minute after it has ended.
#
# ## Alarms
#
# An alarm compares a metric with a threshold, once a minute. We create three:
#
# | alarm | rule | meaning |
# |---|---|---|
# | `shop-errors-now` | error rate > 5 % in 1 of 1 minutes | speak at once |
# | `shop-errors-steady` | error rate > 5 % in 3 of 5 minutes | speak when it stays bad |
# | `shop-latency` | p99 > 1 s in 1 of 1 minutes | speak when the unlucky wait too long |
#
# `TreatMissingData="notBreaching"` says that a minute without traffic is not an error.


# %%
def put_alarms(cloudwatch):
    rule = {"ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching"}
    for name, breaching, of in (("shop-errors-now", 1, 1), ("shop-errors-steady", 3, 5)):
        window = {"EvaluationPeriods": of, "DatapointsToAlarm": breaching, "Threshold": 5.0}
        metrics = [*counters, error_rate | {"ReturnData": True}]
        cloudwatch.put_metric_alarm(AlarmName=name, Metrics=metrics, **window, **rule)
    slow = latencies[1] | {"ReturnData": True}
    one = {"EvaluationPeriods": 1, "Threshold": 1.0}
    cloudwatch.put_metric_alarm(AlarmName="shop-latency", Metrics=[slow], **one, **rule)


put_alarms(cloudwatch)
lab.wait("2 min")
for alarm in cloudwatch.describe_alarms()["MetricAlarms"]:
    print(f"{alarm['AlarmName']:20} {alarm['StateValue']}")

# %% [markdown]
# All three have seen enough data to say `OK`.
#
# ## Before it breaks: your prediction
#
# The incident will have two blows while a load test runs: first a share of the frontend pods is killed, two minutes
# later all backend pods. Kubernetes replaces killed pods by itself. Write down what you expect, and why, *before* you
# look: will each blow raise an alarm (`True` or `False`), and how many seconds after the second blow does the first
# alarm speak? The lab records it with its time; when you change a number later, it will say so.

# %%
# blank
guess = labs.predict(
    lab, because=..., first_blow_raises_errors_now=..., second_blow_raises_errors_now=...,
    second_blow_raises_errors_steady=..., second_blow_detected_after_s=...,
)
# solution
guess = labs.predict(
    lab, because="half of the frontends is a lot; alarms need a minute or two; it will not last three minutes",
    first_blow_raises_errors_now=True, second_blow_raises_errors_now=True,
    second_blow_raises_errors_steady=False, second_blow_detected_after_s=120,
)

# %% [markdown]
# ## The incident
#
# Everything goes through the Kubernetes API, as it would with `kubectl`, its command line. Deleting a pod with a grace
# period of zero seconds is a crash: the program gets no chance to finish what it was doing. 50 % of five pods is two
# and a half; we round up, as Chaos Mesh does.


# %%
def kill(app, percent):
    core = client.CoreV1Api()
    pods = core.list_namespaced_pod("shop", label_selector=f"app={app}").items
    names = sorted(pod.metadata.name for pod in pods if pod.status.phase == "Running")
    victims = random.Random(seed).sample(names, math.ceil(len(names) * percent / 100))
    for name in victims:
        core.delete_namespaced_pod(name, "shop", grace_period_seconds=0)
    return len(victims), len(names)


# %% [markdown]
# The incident itself: the load test, a minute later the first blow, two minutes after that the second. We keep a
# journal of what was done when, and then let twelve minutes pass.


# %%
def incident(lab):
    journal = [(lab.now(), "load test: 10,000 requests")]
    lab.apply("kubernetes/load/spike.yaml")
    for wait, app, percent in (
        ("60 s", "frontend", frontends_killed_percent),
        ("120 s", "backend", 100),
    ):
        now = lab.wait(wait)
        journal.append((now, "{} of {} {} pods killed".format(*kill(app, percent), app)))
    lab.wait("12 min")
    return pd.DataFrame(journal, columns=["time", "what"])


journal = incident(lab)
journal.assign(time=journal["time"].dt.strftime("%H:%M:%S"))

# %% [markdown]
# Normally nobody hands you this list. Keep it folded away in your mind: the question of this lab is how much of it
# CloudWatch can tell.
#
# ## What CloudWatch saw
#
# We ask for one-minute data from five minutes before the load test to the end, and for the number of pods that the
# load balancer considered healthy.

# %%
start, end = journal["time"].iloc[0] - timedelta(minutes=5), lab.now()
group = {dimension["Name"]: dimension["Value"] for dimension in balancer}
targets = labs.metric_query("healthy", "AWS/ApplicationELB", "HealthyHostCount", group, "Minimum")
queries = [query | {"ReturnData": True} for query in counters] + [error_rate, *latencies, targets]
seen = labs.metric_frame(cloudwatch, queries, start, end)
bad = seen[(seen["error_percent"] > 0.1) | (seen["p99"] > 1)]
bad.assign(minute=bad.index.strftime("%H:%M")).set_index("minute").round(2)

# %% [markdown]
# Only the minutes that stand out are shown. `target5` and `elb5` already tell the two blows apart: when *frontend*
# pods die, the load balancer finds nobody at their address and makes an error itself (`elb5`); when the *backend* is
# gone, the frontend is alive and answers with an error of its own (`target5`).
#
# ## The time line in one figure

# %%
zero = journal["time"].iloc[0]
blows = labs.figures.minutes_since(journal["time"], zero)
worst = seen["error_percent"].max()
title = f"Errors came three times, the last time unannounced; the worst minute had {worst:.1f} %"
humps = int(((seen["error_percent"] > 0.1) & ~(seen["error_percent"].shift(fill_value=0) > 0.1)).sum())
title = title if humps == 3 else f"Errors came {humps} times; the worst minute had {worst:.1f} %"
made, (errors, latency, hosts) = labs.figures.figure(3, title)
labs.figures.draw_error_rate(errors, seen["error_percent"], zero)
labs.figures.limit_line(errors, 5, "alarm: 5 %")
labs.figures.draw_latency(
    latency, seen[["p50", "p99", "mean"]].rename(columns={"mean": "average"}), zero
)
labs.figures.limit_line(latency, 1, "alarm: 1 s")
labs.figures.draw_minutes(hosts, seen, {"healthy": ("healthy", "black", "-")}, zero)
_ = labs.figures.name_panel(hosts, "Healthy targets of the load balancer", "pods")

# %% [markdown]
# The three panels are drawn; we mark the load test and the two blows in each, and look.

# %%
for panel in (errors, latency, hosts):
    for minute, text in zip(blows, ("load test", "1st blow", "2nd blow"), strict=True):
        labs.figures.shade(panel, minute, minute, text if panel is errors else "", is_left=text == "load test")
last_bad = seen.index[seen["error_percent"] > 0.1][-1:]
for minute, value in zip(labs.figures.minutes_since(last_bad, zero), seen["error_percent"].loc[last_bad], strict=True):
    labs.figures.point_at(errors, minute, value, "who did this?", beside=(-24, 12))
labs.figures.label_minutes([errors, latency, hosts], "minutes since the load test began")
p99, hosts = seen["p99"].max(), seen["healthy"]
alt = f"{title}. p99 peaks at {p99:.1f} seconds; the balancer's healthy targets go from {hosts.iloc[0]:.0f} to "
alt += f"{hosts.max():.0f} without a dip. Error rate, latency and healthy targets over the minutes of the incident."
labs.figures.show(made, alt, name="time_line", directory=place)

# %% [markdown]
# Three things to see. The first blow stays just below or above the line, the second stands out. The unlucky (p99) wait
# much longer for a minute while the average hardly moves. And there may be a bump late in the run that nobody
# announced. The events of the *HorizontalPodAutoscaler* (HPA), which sets the number of pods by their load, say what
# happened around that time:

# %%
core = client.CoreV1Api()
events = core.list_namespaced_event("shop", field_selector="reason=SuccessfulRescale").items
rescales = sorted(
    (each.last_timestamp, each.involved_object.name, each.message) for each in events
)
for when, name, message in rescales:
    print(f"minute {(when - zero).total_seconds() / 60:5.1f}  {name:9} {message}")

# %% [markdown]
# When the load is over the HPA takes pods away, five minutes later, as its rule says. Our frontend exits the moment it
# is told to, with requests in its hands: each scale-down costs errors. Lab 03 shows the cure. Nobody attacked the shop
# here; it hurt itself.
#
# ## Detection
#
# Every change of an alarm's state is kept in its history. The time to detect is the time from a blow to the first
# change to `ALARM` after it.

# %%
every = ["shop-errors-now", "shop-errors-steady", "shop-latency"]
histories = [labs.alarm_changes(cloudwatch, name, zero).assign(alarm=name) for name in every]
changes = pd.concat(histories).sort_values("time", kind="stable")
table = changes.assign(
    after_load_test_s=(changes["time"] - zero).dt.total_seconds().round().astype(int)
)
table[["after_load_test_s", "alarm", "summary"]].reset_index(drop=True)


# %% [markdown]
# The alarm on three of five minutes may be silent while the one on a single minute speaks. We compute the delays
# for each blow; a dash means that no alarm spoke before the next blow or within ten minutes.


# %%
def detected_after(blow, alarms, until):
    raised = changes[changes["alarm"].isin(alarms) & changes["summary"].str.endswith("to ALARM")]
    after = raised[(raised["time"] > blow) & (raised["time"] <= until)]["time"]
    return None if after.empty else round((after.iloc[0] - blow).total_seconds())


first, second = journal["time"].iloc[1], journal["time"].iloc[2]
late = second + timedelta(minutes=10)
rows = {
    "first blow: frontend pods": [detected_after(first, [name], second) for name in every],
    "second blow: backend pods": [detected_after(second, [name], late) for name in every],
}
pd.DataFrame(rows, index=every).T.map(lambda value: "-" if pd.isna(value) else f"{value:.0f} s")

# %% [markdown]
# Where do these seconds go? A minute has to end before it is a number (up to 60 s), the number takes about a minute
# to become readable, and the alarm looks once a minute. **One and a half to three minutes is what one-minute data can
# do.** An alarm that must speak sooner needs data of a finer grain.
#
# ## Recovery
#
# We call the shop recovered at the end of the first minute after which the error rate stays at or below 0.1 % (our
# target of 99.9 % availability) and p99 at or below 1 s.


# %%
def recovered_after(blow, frame):
    is_bad = (frame["error_percent"] > 0.1) | (frame["p99"] > 1)
    late = frame.index[is_bad & (frame.index + pd.Timedelta("1min") > blow)]
    return 0 if late.empty else round((late.max() + pd.Timedelta("1min") - blow).total_seconds())


time_to_detect_s = detected_after(second, every, late)
time_to_recover_s = recovered_after(second, seen[seen.index < second + timedelta(minutes=5)])
for name, value in (("detect", time_to_detect_s), ("recover", time_to_recover_s)):
    met = value is not None and value <= goal_s
    print(f"time to {name:8} {value} s, goal {goal_s} s:", "met" if met else "missed")

# %% [markdown]
# Kubernetes had repaired the damage before anybody could have read the alarm. That is worth knowing when you write a
# *runbook*, the page that says what to do when an alarm calls: its first line is not "restart the pods", it is "check
# whether they are back already".
#
# ## What one minute hides
#
# The first blow killed a share of the pods, and yet the error rate of its minute looks small. Pods tell the rest of the
# story: the events of Kubernetes say when the replacements started.

# %%
core = client.CoreV1Api()
events = core.list_namespaced_event("shop", field_selector="reason=Started").items
times = [each.last_timestamp for each in events if "frontend" in each.involved_object.name]
started = sorted(when for when in times if first < when < first + timedelta(seconds=60))
outage_s = (started[-1] - first).total_seconds() if started else 60.0
minute = seen[seen.index <= first].iloc[-1]
errors_in_minute = minute["requests"] * minute["error_percent"] / 100
print(f"The last replacement started {outage_s:.0f} s after the blow.")
print(f"Errors in that minute: {errors_in_minute:.0f} of {minute['requests']:.0f} requests.")

# %% [markdown]
# If the errors fell into about those seconds, the shop was far worse than the minute says. We divide the same errors
# by the requests of those seconds only.

# %%
window_s = max(outage_s, 5.0)
requests_in_window = minute["requests"] * window_s / 60
inside = min(100 * errors_in_minute / requests_in_window, 100)
print(
    f"One-minute error rate {minute['error_percent']:.1f} %, within the outage about {inside:.0f} %."
)

# %% [markdown]
# Same errors, two truths. The minute is right about the budget (how many visitors were hurt) and wrong about the moment
# (how badly). An alarm threshold is a threshold on the *minute*: a short outage has to be `60 / seconds` times worse to
# cross it.
#
# The average hides in another way. Compare three views of the slowest minute:

# %%
slowest = seen.loc[seen["p99"].idxmax()]
view = pd.Series(
    {"average": slowest["mean"], "p50": slowest["p50"], "p99": slowest["p99"]}, name="seconds"
).round(3)
print(
    f"In the minute {slowest.name:%H:%M} the p99 is {slowest['p99'] / slowest['mean']:.1f} times the average."
)
view.to_frame()

# %% [markdown]
# An alarm on the *average* with a threshold of one second would have stayed silent in every minute of this incident:

# %%
print("Minutes with p99 over 1 s:    ", int((seen["p99"] > 1).sum()))
print("Minutes with average over 1 s:", int((seen["mean"] > 1).sum()))

# %% [markdown]
# ## Your prediction against the data
#
# The seconds may be 30 off and still be a hit: half of a minute, CloudWatch's unit.

# %%
blow_one = detected_after(first, ["shop-errors-now"], second)
blow_two = detected_after(second, ["shop-errors-now"], late)
steady_two = detected_after(second, ["shop-errors-steady"], late)
guess.verdict(
    first, {"second_blow_detected_after_s": 30}, first_blow_raises_errors_now=blow_one is not None,
    second_blow_raises_errors_now=blow_two is not None, second_blow_raises_errors_steady=steady_two is not None,
    second_blow_detected_after_s=time_to_detect_s,
)

# %% [markdown]
# Were you surprised that a kill of half the pods raised no alarm? A lost bet about an alarm is worth more than a lost
# bet about a pod: nobody would have called you.
#
# ## The fix: an alarm that fits
#
# We cannot make a minute shorter, but we can choose what to compare. Users are promised 99.9 %: an *error budget* of
# 0.1 % of all requests. An alarm on the *burn rate* asks how fast that budget is being spent. Fourteen times too fast
# for one minute is 1.4 % of errors; that is well below our 5 %, and still far above the steady state. We create it,
# give it a fresh cluster with the same seed, and let exactly the same incident happen.

# %%
lab.close()
second_lab = start_shop()
cloudwatch = boto3.client("cloudwatch")
put_alarms(cloudwatch)
burn_rate = {"Id": "burn_rate", "Expression": f"({formula}) / 0.1", "Label": "burn rate"}
rule = {"ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching"}
rule |= {"EvaluationPeriods": 1, "Threshold": 14.0}
metrics = [*counters, burn_rate | {"ReturnData": True}]
cloudwatch.put_metric_alarm(AlarmName="shop-burn-rate", Metrics=metrics, **rule)
second_lab.wait("2 min")
again = incident(second_lab)
print("The same incident, to the second:", again.equals(journal))

# %% [markdown]
# The run is the same, so each difference in what follows comes from the alarm alone. One figure for both: the error
# rate as before, and the minute in which each alarm spoke.


# %%
def first_alarm_minutes(name):
    raised = labs.alarm_changes(cloudwatch, name, again["time"].iloc[0])
    raised = raised[raised["summary"].str.endswith("to ALARM")]["time"]
    return labs.figures.minutes_since(raised, again["time"].iloc[0]) if len(raised) else []


seen_again = labs.metric_frame(cloudwatch, [*counters, error_rate], start, second_lab.now())
spoke = {
    name: first_alarm_minutes(name)
    for name in ("shop-errors-steady", "shop-errors-now", "shop-burn-rate")
}
for name, minutes in spoke.items():
    print(f"{name:20}", ", ".join(f"{minute:.1f}" for minute in minutes) or "silent")

# %% [markdown]
# The numbers are minutes since the load test. We draw them into the error rate: a mark at an alarm's threshold is the
# moment in which that alarm spoke.

# %%
counts = {name: len(minutes) for name, minutes in spoke.items()}
title = f"The burn-rate alarm spoke {counts['shop-burn-rate']} ×, the alarm at 5 % {counts['shop-errors-now']} ×, "
title += f"that on three of five minutes {counts['shop-errors-steady']} ×"
made, (panel, lanes) = labs.figures.figure(2, title, row_height=2.3)
labs.figures.draw_error_rate(panel, seen_again["error_percent"], zero)
labs.figures.limit_line(panel, 5, "5 %")
labs.figures.limit_line(panel, 1.4, "1.4 %: burn rate 14")
for place_y, (minutes, mark) in enumerate(zip(spoke.values(), "sov", strict=True)):
    lanes.plot(minutes, [place_y] * len(minutes), f"k{mark}", markersize=8)
    for minute in minutes:
        lanes.text(minute, place_y + 0.32, f"{minute:.1f} min", ha="center", fontsize=8.5, backgroundcolor="white")
    if not len(minutes):
        lanes.text(-4.5, place_y, "silent all the time", va="center", fontsize=8.5)

# %% [markdown]
# Below the error rate each alarm gets a lane of its own, with a mark where it spoke. The names and the blows, and a
# look:

# %%
lanes.set_yticks(range(len(spoke)), spoke)
lanes.set_ylim(-0.6, len(spoke) - 0.2)
lanes.set_title("When each alarm spoke", loc="left", fontsize=10, fontweight="bold")
for each in (panel, lanes):
    for minute, text in zip(blows, ("load test", "1st blow", "2nd blow"), strict=True):
        labs.figures.shade(each, minute, minute, text if each is panel else "", is_left=text == "load test")
labs.figures.label_minutes([panel, lanes], "minutes since the load test began")
alt = f"{title}. Error rate by minute with both thresholds, and below it a lane for each alarm with its times."
labs.figures.show(made, alt, name="alarms_compared", directory=place)

# %% [markdown]
# A lower threshold finds more. It would also wake people more often: whether 1.4 % in a single minute is worth a phone
# call is a decision about people, not about mathematics. A common answer is two alarms: a fast one that writes a
# message, a slow one that calls.
#
# ## Exercises
#
# The last line of each cell tells you whether your answer holds, with this run's numbers and with others. If it does
# not, it gives a hint, and at the next try another.
#
# ### 05-a: availability from minutes
#
# From the minutes' requests and error percentages (two lists), compute the availability of the whole incident: which
# percentage of all requests succeeded?

# %%
def availability(requests, error_percent):
    # solution
    failed = sum(count * percent / 100 for count, percent in zip(requests, error_percent, strict=True))
    return 100 - 100 * failed / sum(requests)


counted = {name: seen[name].tolist() for name in ("requests", "error_percent")}
labs.check("05-a", availability, **counted)

# %% [markdown]
# ### 05-b: how many were slow?
#
# The average hid the slow requests. Write a list of queries (as `alb` makes them) whose only answer is, minute by
# minute, the *percentage of requests that took longer than one second*. CloudWatch's statistic `PR` (percentile rank)
# will help. The check feeds your query with response times of its own; of this run it takes the three of each minute
# that we know.

# %%
# blank
slow = ...
# solution
slow = [alb("slow", "TargetResponseTime", "PR(1:)")]

response_times = seen[["p50", "mean", "p99"]].to_numpy().tolist()
labs.check("05-b", slow, seconds=response_times)

# %% [markdown]
# ### 05-c: one p99 for five minutes
#
# A report wants *one* p99 for each five minutes instead of five. Write the list of queries. (The mean of five p99 is
# not it: a minute with a hundred requests would count as much as one with three thousand.)

# %%
# blank
whole = ...
# solution
whole = [alb("p99", "TargetResponseTime", "p99")]
whole[0]["MetricStat"]["Period"] = 300

labs.check("05-c", whole, seconds=response_times)

# %% [markdown]
# ### 05-d: two of three
#
# Write the parameters of `put_metric_alarm` (a dict, without the name) for an alarm that speaks when the error rate was
# above 2 % in two of the last three minutes, and keeps quiet while there is no traffic. `counters` and `error_rate` are
# yours to use.

# %%
# blank
alarm = ...
# solution
alarm = {"Metrics": [*counters, error_rate | {"ReturnData": True}], "TreatMissingData": "notBreaching"}
alarm |= {"ComparisonOperator": "GreaterThanThreshold", "Threshold": 2.0}
alarm |= {"EvaluationPeriods": 3, "DatapointsToAlarm": 2}

labs.check("05-d", alarm, **{name: seen[name].tolist() for name in ("requests", "target5", "elb5")})

# %% [markdown]
# ## For the runbook
#
# - **Symptom:** alarm on the error rate or on p99.
# - **First look:** the table of one-minute data. `elb5` high: targets died or refuse. `target5` high: look behind the
#   frontend.
# - **Second look:** `kubectl get pods -n shop` and the events. Are the pods back already?
# - **Remember:** the fault began one and a half to three minutes before the alarm spoke; count back from its time.
#
# ## The same experiment elsewhere
#
# Chaos Mesh, the first blow (`mode: fixed-percent` rounds up):
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
# AWS Fault Injection Service, the second blow, halted by the alarm that we created:
#
# ```json
# {"actions": {"kill": {"actionId": "aws:eks:pod-delete", "parameters": {"kubernetesServiceAccount": "fis"},
#                       "targets": {"Pods": "backend"}}},
#  "targets": {"backend": {"resourceType": "aws:eks:pod", "selectionMode": "ALL",
#              "parameters": {"clusterIdentifier": "chaos-crunch", "namespace": "shop",
#                             "selectorType": "labelSelector", "selectorValue": "app=backend"}}},
#  "stopConditions": [{"source": "aws:cloudwatch:alarm", "value": "arn:aws:cloudwatch:...:alarm:shop-errors-now"}]}
# ```
#
# ## What we learnt
#
# - An error rate is a formula; write it so that missing counters are zeros and the balancer's own errors count.
# - Percentiles show what averages hide; an alarm on an average is an alarm on the lucky.
# - With one-minute data, detection takes one and a half to three minutes. Short faults are over by then.
# - A threshold on a minute is a threshold on *share times duration*; the error budget says which threshold fits.

# %% [markdown]
# ## Keeping the result
#
# How many pods and nodes were there? *Container Insights* is the part of CloudWatch that watches the cluster itself.
# And how far was the shop from its promise of 99.9 %? That is failed requests over all requests, of the first run.

# %%
frontends = {"ClusterName": "chaos-crunch", "Namespace": "shop", "PodName": "frontend"}
pods = labs.metric_query("pods", "ContainerInsights", "pod_status_ready", frontends, "Sum")
cluster = {"ClusterName": "chaos-crunch"}
nodes = labs.metric_query("nodes", "ContainerInsights", "cluster_node_count", cluster, "Average")
fleet = labs.metric_frame(cloudwatch, [pods, nodes], start, second_lab.now()).dropna().astype(int)
steady_run, during = seen[seen.index < zero], seen[seen.index >= zero]
failed = (during["error_percent"] / 100 * during["requests"]).sum()
availability = 100 * (1 - failed / during["requests"].sum())
print(f"Availability over the incident: {availability:.2f} % (target 99.9 %).")

# %% [markdown]
# The last cell writes what was measured to a file, for comparison with other runs, and ends the cluster.

# %%
errors = (during["error_percent"].max(), steady_run["error_percent"].mean())
latency_ms = [round(1000 * float(value), 1) for value in (during["p50"].median(), during["p99"].max())]
sizes = [n for _, each in fleet.items() for n in (int(each.iloc[0]), int(each.max()), int(each.iloc[-1]))]
times_s, met = (time_to_detect_s, time_to_recover_s), bool(availability >= 99.9)
lab_name = "05_recovery_from_cloudwatch"
result = labs.Result(lab_name, seed, *errors, *latency_ms, *sizes, *times_s, met)
print("Written:", labs.save_result(result, run_directory, hypothesis=guess.entries()).name)
second_lab.close()
