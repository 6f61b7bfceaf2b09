# %% [markdown]
# # 2 · Is the shop well?
#
# Before you break something on purpose you have to be able to say that it was well. In this lab you find numbers that say
# so, make a promise out of them, and see a dashboard that is green while not one visitor gets through.
#
# **You will learn to**
#
# - measure service levels (SLIs) with CloudWatch, and read a percentile without being fooled by it;
# - turn a promise of 99.9 % into an error budget: minutes, requests, and a burn rate;
# - tell the operator's view from the visitor's, and say which failures the first one cannot see;
# - run a canary that measures each second, and let it raise an alarm.
#
# **Time:** about 35 minutes, 15 of them for the three exercises. **Cost:** nothing on the simulated cluster. On Amazon
# EKS (Kubernetes, run by AWS) an estimated 0.60 US dollars an hour, and for as long as it runs about 3 US dollars a month
# for the canary's two metrics and its calls. **You need:** nothing; the lab starts a cluster of its own. Lab 01 explains
# the words *pod*, *Deployment* and *autoscaler*.
#
# ## Parameters
#
# You can change these; an instructor can set them from outside. The same `seed` gives the same run each time.

# %% tags=["parameters"]
seed = 7  # which run of the simulated cluster
slo_percent = 99.9  # share of requests that must succeed
outage_s = 90  # how long the road to the shop will be closed, in seconds
run_directory = ""  # where the result and the figures go; empty: runs/02_steady_state

# %% [markdown]
# The next cell loads what the lab uses. It stops here if a parameter cannot be used, and says what is allowed.

# %%
import math
from datetime import timedelta

import boto3
import pandas as pd
from kubernetes import client

import labs
from labs.course.balancer import ERROR_PERCENT, FAILED, find_balancer
from labs.course.observe import alarm_after_s
from labs.course.service_levels import draw_durations, draw_two_views

ranges = {"outage_s": labs.Number(60, 240, "seconds"), "run_directory": labs.Text()}
promise = labs.Number(90, 99.99, "%", is_whole=False)
_ = labs.check_parameters(globals(), seed=labs.Number(0, 1_000_000), slo_percent=promise, **ranges)

# %% [markdown]
# ## A shop, and somebody who visits it each second
#
# We start the shop, and beside it a **canary**: a small program that visits the shop as a customer does, once a second,
# by the shop's public address, and reports how it went. (Miners took canaries along, since those noticed bad air first.)
# In a terminal: `kubectl apply -f kubernetes/shop -f kubernetes/canary`. Then we let 21 minutes pass on the lab's clock,
# which is virtual: a few seconds of yours. Then comes the operator's first look, which is always the same: are the pods
# running?

# %%
lab = labs.connect(seed=seed)
lab.apply("kubernetes/shop")
lab.apply("kubernetes/canary")
lab.wait("21 min")
# !kubectl -n shop get pods

# %% [markdown]
# All `Running`, all ready. That says that the programs run. It does not say that anybody is served. For that we need a
# number about *visits*.
#
# ## The service level, from the balancer
#
# A **service level indicator** (SLI) is a number that says how well visitors are served. We take two: the share of
# requests that succeed, and how long an answer takes. The **load balancer** in front of the shop, which hands each request
# to one of its pods, counts both. It reports to **CloudWatch**, where AWS keeps measurements (*metrics*): one number for
# each metric and minute, about a minute late.
#
# Failed are answers with a status from 500 to 599 (*5xx*, the server could not do it), made by a pod (`target5`) or by the
# balancer itself (`elb5`). Counters that are zero are not sent; `FILL(..., 0)` puts the zero in. Formulas such as the two
# below run in CloudWatch; that is called **metric math**. The table shows the last minutes, times in seconds.

# %%
balancer = find_balancer()
print("failed        =", FAILED)
print("error_percent =", ERROR_PERCENT)
steady = balancer.minutes(lab.now() - timedelta(minutes=9), lab.now())
availability = 100 * (1 - steady["failed"].sum() / steady["requests"].sum())
print(f"{availability:.3f} % of {steady['requests'].sum():.0f} requests succeeded")
steady.set_index(steady.index.strftime("%H:%M"))[["requests", "failed", "error_percent", "p50", "p99"]].round(3)

# %% [markdown]
# Each row is the minute that *begins* at the time shown. (The 503 in the formula is the balancer's answer when there is no
# pod at all; such a request is missing from its own count of requests.) The share of successes is computed from sums: add
# first, divide last. The mean of eight percentages would count a quiet minute as much as a busy one (exercise 02-c).
#
# ## Percentiles
#
# `p50` and `p99` are **percentiles**: half of the answers come within `p50`, 99 of 100 within `p99`. Nothing makes that
# clearer than single visits. The canary reports each one with a *storage resolution* of one second (of the balancer's
# metrics it is a minute), so CloudWatch can give them back one by one. Here are the first four of ten minutes:

# %%
def canary(id, metric, stat, period_s):
    query = labs.metric_query(id, "Canary", metric, {"CanaryName": "shop"}, stat)
    query["MetricStat"]["Period"] = period_s
    return query


def seconds_between(start, end):
    queries = [canary("success", "SuccessPercent", "Average", 1), canary("ms", "Duration", "Average", 1)]
    return labs.metric_frame(boto3.client("cloudwatch"), queries, start, end)


full_ten = pd.Timestamp(lab.now()).floor("10min")
ten_minutes = (full_ten - timedelta(minutes=10), full_ten)
visits = seconds_between(*ten_minutes)
visits.set_index(visits.index.strftime("%H:%M:%S")).rename_axis("second").head(4).round(1)

# %% [markdown]
# `success` is 100 for a visit that was answered and 0 for one that was not; `ms` is its length in milliseconds.
#
# A percentile by hand: sort all visits, go to the 99th hundredth, read the value. CloudWatch computes it too, for any
# length of time; we ask for the ten minutes as one, and then minute by minute.

# %%
ordered = sorted(visits["ms"])
by_hand = ordered[math.ceil(0.99 * len(ordered)) - 1]
print(f"{len(ordered)} visits: p99 by hand {by_hand:.1f} ms, the slowest {ordered[-1]:.1f} ms")
for minutes in (10, 1):
    p99 = [canary("p99", "Duration", "p99", 60 * minutes)]
    values = labs.metric_frame(boto3.client("cloudwatch"), p99, *ten_minutes)["p99"]
    print(f"CloudWatch, p99 of {minutes:2} min:", ", ".join(f"{value:.1f}" for value in values), "ms")
print(f"the mean of the last line is {values.mean():.1f} ms")

# %% [markdown]
# Three lessons. With 60 visits a minute, the p99 of a minute is simply its slowest visit, or close to it. It jumps from
# minute to minute, although nothing changed. And the mean of the minutes' p99 is *not* the p99 of the whole: percentiles
# cannot be averaged. Always ask for the percentile over the time that you mean. All visits of the ten minutes as a
# picture:

# %%
marks = {"p50": visits["ms"].median(), "mean": visits["ms"].mean(), "p99": by_hand}
title = f"Half of the visits take under {marks['p50']:.0f} ms, one in a hundred over {marks['p99']:.0f} ms"
made, (panel,) = labs.figures.figure(1, title, row_height=2.8)
draw_durations(panel, visits["ms"], marks)
place = labs.run_directory("02_steady_state", run_directory)
alt = f"Histogram of {len(visits)} visits by duration, with a long tail. {title}; the mean is {marks['mean']:.0f} ms."
labs.figures.show(made, alt, name="durations", directory=place)

# %% [markdown]
# The hill on the left is the shop's usual day, the thin tail on the right are its unlucky visitors. A few of those pull the
# mean to the right, and it says nothing about them. That is why a promise about time is made with a percentile.
#
# ## The error budget
#
# A **service level objective** (SLO) is a promise to ourselves about an SLI: `slo_percent` of all requests succeed, over 30
# days. (A *service level agreement*, SLA, is one with customers, and money.) 99.9 % sounds like "always". What does it
# allow?

# %%
allowed = (100 - slo_percent) / 100
rate_per_s = steady["requests"].mean() / 60
budget_minutes = 30 * 24 * 60 * allowed
budget_requests = rate_per_s * 30 * 86_400 * allowed
print(f"{slo_percent} % over 30 days allow {budget_minutes:.1f} minutes without any service,")
print(f"or {budget_requests:,.0f} failed requests at {rate_per_s:.1f} requests a second.")

# %% [markdown]
# This is the **error budget**. It is not a goal. It is what you can spend, on accidents, on new versions, or on experiments
# like those of this course. Nobody who has used up the budget should go on experimenting.
#
# ## The burn rate
#
# How fast is it being spent? The **burn rate** is the share of failed requests divided by the allowed share. At burn rate 1
# the budget lasts exactly 30 days; at 10 it lasts three. The table has four error rates:

# %%
rates = pd.DataFrame({"failed (%)": [100 * allowed, 1, 5, 100]})
rates["burn rate"] = rates["failed (%)"] / (100 * allowed)
rates["budget lasts (hours)"] = 30 * 24 / rates["burn rate"]
rates.round(2)

# %% [markdown]
# A table like this decides who is woken. A common choice: a message when an hour at this rate costs 2 % of the budget
# (burn rate 14.4), a call when minutes would cost much more.
#
# ## Two alarms
#
# An **alarm** compares a metric with a threshold. We set one for each view, and look at their states after two minutes.
# The operator's alarm looks at the balancer's error rate, each minute. The visitor's looks at the canary, every ten
# seconds, and wants two bad periods in a row.

# %%
def put_alarms():
    put = boto3.client("cloudwatch").put_metric_alarm
    above = {"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "TreatMissingData": "notBreaching"}
    put(AlarmName="balancer-errors", Metrics=balancer.error_rate(), Threshold=1, **above)
    success = [canary("success", "SuccessPercent", "Average", 10) | {"ReturnData": True}]
    below = {"ComparisonOperator": "LessThanThreshold", "EvaluationPeriods": 2, "TreatMissingData": "missing"}
    put(AlarmName="canary-fails", Metrics=success, Threshold=50, **below)


put_alarms()
lab.wait("2 min")
for alarm in boto3.client("cloudwatch").describe_alarms()["MetricAlarms"]:
    print(f"{alarm['AlarmName']:18}{alarm['StateValue']}")

# %% [markdown]
# `OK`: both know their metric, and it is on the good side.
#
# ## Before it happens: your prediction
#
# We will close the road to the shop for `outage_s` seconds: a **NetworkPolicy** (a rule about who may talk to whom) drops
# what visitors send, before it reaches the balancer. This stands for what happens outside of your cluster: a provider,
# a DNS record, a certificate. The shop itself stays as it is. Write down what you expect, and why:
#
# - the balancer's error rate in the worst minute, in percent;
# - the share of the canary's visits that succeed in its worst minute, in percent;
# - how many seconds until the first alarm speaks;
# - which share of the 30 days' budget it will cost, in percent.

# %%
# blank
prediction = labs.predict(
    lab, because=..., balancer_error_percent=..., canary_success_percent=..., detect_s=..., budget_percent=...
)
# solution
cost = 100 * outage_s / 60 / budget_minutes
numbers = {"balancer_error_percent": 100, "canary_success_percent": 0, "detect_s": 30, "budget_percent": round(cost, 1)}
prediction = labs.predict(lab, because="nobody gets through, so all requests fail; and the budget is minutes", **numbers)

# %% [markdown]
# ## The road is closed
#
# Through the API: apply the policy, wait, and ten seconds before the road opens again look twice, as the operator does and
# at the canary's log. In a terminal: `kubectl apply -f kubernetes/faults/closed-road.yaml`.

# %%
closed_at = lab.now()
lab.apply("kubernetes/faults/closed-road.yaml")
lab.wait(outage_s - 10)
# !kubectl -n shop get pods
print("\nThe canary's log:")
# !kubectl -n shop logs deploy/canary --tail=3

# %% [markdown]
# Everything is green, nothing was restarted. But each visit of the canary waits for five seconds, its patience, and gets
# nothing.
#
# ## Two views of the same minutes
#
# Now the road opens (`kubectl delete` of the same file), and we let six minutes pass, so that CloudWatch has everything.
# The balancer's view first. Look at the columns `failed` and `p99`, and then at `requests`.

# %%
lab.wait("10 s")
client.NetworkingV1Api().delete_namespaced_network_policy("closed-road", "shop")
opened_at = lab.now()
lab.wait("6 min")
print(f"closed from {closed_at:%H:%M:%S} to {opened_at:%H:%M:%S}")
seen = balancer.minutes(closed_at - timedelta(minutes=3), opened_at + timedelta(minutes=3))
seen.set_index(seen.index.strftime("%H:%M"))[["requests", "failed", "p50", "p99"]].round(3)

# %% [markdown]
# Not one failed request, and those that came were answered as fast as ever. By this view the shop was perfect. But hardly
# anybody came. **An error rate is about those who arrived.** Whoever does not arrive is not counted as failed; they are
# not counted at all.
#
# Now the canary's view, by minutes. Even this hides something: a minute is bad or half bad, and one cannot say when it
# began. The canary's seconds can; the cell counts those that failed.

# %%
queries = [canary("success_percent", "SuccessPercent", "Average", 60), canary("p50_ms", "Duration", "p50", 60)]
minutes = labs.metric_frame(boto3.client("cloudwatch"), queries, seen.index[0], opened_at + timedelta(minutes=3))
seconds = seconds_between(seen.index[0], seen.index[-1] + timedelta(minutes=1))
bad = seconds[seconds["success"] < 100]
dark_s = len(bad)
print(f"{dark_s} visits failed, sent from {bad.index[0]:%H:%M:%S} to {bad.index[-1]:%H:%M:%S}")
minutes.set_index(minutes.index.strftime("%H:%M")).round(1)

# %% [markdown]
# (A rule needs a moment to reach every node, both when it comes and when it goes.) Both views in one figure: the canary's
# seconds, and below them the balancer's error rate and its requests.

# %%
worst_percent = seen["error_percent"].max()
title = f"For {dark_s} s not one visit succeeded; the balancer's error rate says {worst_percent:.1f} %"
made, _ = draw_two_views(seconds["success"], seen, closed_at, outage_s, title)
alt = f"Three panels: the canary's seconds, error rate and requests of the balancer. {title}."
labs.figures.show(made, alt, name="two_views", directory=place)

# %% [markdown]
# ## Who noticed?
#
# CloudWatch keeps a history of each alarm. When did it first speak?

# %%
detected = {name: alarm_after_s(name, closed_at) for name in ("canary-fails", "balancer-errors")}
for name, after_s in detected.items():
    print(f"{name:18}{'silent' if after_s is None else f'{after_s} s after the road was closed'}")

# %% [markdown]
# A visit gives up after five seconds, the canary reports every ten, and its alarm wants two bad periods of ten: some tens of
# seconds in all. The balancer's alarm could not speak, however long we waited. Two cures, and both belong on a
# dashboard: **somebody who visits from outside**, and an alarm on *too few requests*, not only on too many errors.
#
# The canary has a blind side too. It makes one kind of visit, from one place, and sixty visits a minute cannot see a
# failure that hits one in a thousand. That is what the balancer's counters are for. You need both.
#
# ## What did it cost?
#
# Visitors came all the time; we only did not see them. So we count seconds by the canary, and visitors by the rate before.

# %%
lost_requests = rate_per_s * dark_s
spent_percent = 100 * lost_requests / budget_requests
burn_in_hour = (dark_s / 3600) / allowed
print(f"about {lost_requests:.0f} visits lost: {spent_percent:.1f} % of the budget of 30 days")
print(f"burn rate over the hour: {burn_in_hour:.0f}; {100 / spent_percent:.0f} such outages use up the month")

# %% [markdown]
# A short darkness, and a part of the month's budget that you can see: the more nines a promise has, the dearer they are.
#
# ## Your prediction against the data
#
# A number that is off by no more than its tolerance in the cell is a hit.

# %%
canary_worst = minutes["success_percent"].min()
worst = {"balancer_error_percent": round(worst_percent, 1), "canary_success_percent": round(canary_worst, 1)}
within = {"balancer_error_percent": 1, "canary_success_percent": 10, "detect_s": 15, "budget_percent": 0.5}
spoke = min((after_s for after_s in detected.values() if after_s is not None), default=None)
prediction.verdict(closed_at, within, **worst, detect_s=spoke, budget_percent=round(spent_percent, 1))

# %% [markdown]
# Most people expect the balancer to show an outage. It cannot show what it does not get.
#
# ## Exercises
#
# Each answer is a function. Put it in the place of the three dots; `labs.check` tries it with this run's numbers and with
# others. If it does not hold, the check says what it saw and gives a hint, and at the next try another.
#
# **02-a.** `rate_per_s` requests come each second, and `slo_percent` of them must succeed. How many may fail in `days`
# days?

# %%
def requests_that_may_fail(slo_percent, days, rate_per_s):
    # solution
    return rate_per_s * 86_400 * days * (100 - slo_percent) / 100


labs.check("02-a", requests_that_may_fail, slo_percent=slo_percent, days=30, rate_per_s=rate_per_s)

# %% [markdown]
# **02-b.** `failed_percent` of all requests fail from now on. After how many hours is the budget of `days` days gone?

# %%
def hours_until_spent(failed_percent, slo_percent, days):
    # solution
    burn_rate = failed_percent / (100 - slo_percent)
    return 24 * days / burn_rate


labs.check("02-b", hours_until_spent, failed_percent=5, slo_percent=slo_percent, days=30)

# %% [markdown]
# **02-c.** Two lists with one number for each minute: how many requests came, and how many of them failed. What is the
# availability of the whole time (the share of requests that succeeded), in percent?

# %%
def availability_of(requests, failed):
    # solution
    return 100 * (1 - sum(failed) / sum(requests))


labs.check("02-c", availability_of, requests=list(seen["requests"]), failed=list(seen["failed"]))

# %% [markdown]
# ## For the runbook
#
# A **runbook** is the page that says what to do when an alarm calls.
#
# - **Symptom:** the canary's alarm, or far fewer requests than usual; no errors at the balancer.
# - **First look:** `kubectl -n shop logs deploy/canary --tail=20`. Time-outs: the road. Refused or 5xx: the shop.
# - **Then:** does it fail from elsewhere too? DNS, certificate, network rules (`kubectl -n shop get networkpolicies`), provider.
# - **Do not** restart pods: they are well.
# - **Afterwards:** write down what it cost of the budget.
#
# ## The same experiment elsewhere
#
# Chaos Mesh cuts the road with a `NetworkChaos`; its selector names who is cut off:
#
# ```yaml
# apiVersion: chaos-mesh.org/v1alpha1
# kind: NetworkChaos
# metadata: {name: closed-road, namespace: shop}
# spec:
#   action: partition
#   mode: all
#   selector: {namespaces: [shop], expressionSelectors: [{key: app, operator: In, values: [shoppers, canary]}]}
#   direction: to
#   externalTargets: [shop.example.com]
#   duration: 90s
# ```
#
# On AWS, the action `aws:network:disrupt-connectivity` of Fault Injection Service cuts off a subnet. Amazon's own canaries,
# CloudWatch Synthetics, run once a minute at best; ours is a pod, so it can run each second.
#
# ## What we learnt
#
# - *Running* is not *serving*. An SLI is about visits.
# - A percentile needs enough visits, belongs to the time that it was computed for, and cannot be averaged.
# - A promise is a budget: minutes, requests. The burn rate says how fast it goes.
# - An error rate knows only who arrived. A canary knows only what it tried. Use both.
#
# ## The steady state of this shop
#
# Labs 03, 04 and 05 break this shop. Each measures the state before the fault anew; the table has the numbers to expect.
# The last cell also writes them to a file, so that runs can be compared, and ends the cluster.

# %%
pods = client.CoreV1Api().list_namespaced_pod("shop", label_selector="app=frontend").items
nodes = client.CoreV1Api().list_node().items
times_ms = {f"latency_ms_{name}": 1000 * steady[name].median() for name in ("p50", "p99")}
card = {"requests a second": rate_per_s, "succeeded (%)": availability, "promise (%)": slo_percent,
        "p50 at the balancer (ms)": times_ms["latency_ms_p50"], "p99 of a minute (ms)": times_ms["latency_ms_p99"],
        "visit of the canary, p50 (ms)": marks["p50"], "visit of the canary, p99 (ms)": marks["p99"],
        "frontend pods": len(pods), "nodes": len(nodes)}  # fmt: skip
counts = {"pods_before": len(pods), "nodes_before": len(nodes)}
rates = {"error_rate_steady_percent": 100 - availability, "error_rate_peak_percent": float(worst_percent)}
met = bool(availability >= slo_percent)
result = labs.Result("02_steady_state", seed, **rates, **times_ms, **counts, time_to_detect_s=spoke, is_slo_met=met)
more = {"steady_state": card, "budget_spent_percent": spent_percent, "predictions": prediction.entries()}
print("Written:", labs.save_result(result, run_directory, **more).name)
lab.close()
pd.Series(card, name="steady state").map(lambda value: f"{value:.5g}").to_frame()
