# %% [markdown]
# # Welcome to Chaos Crunch
#
# An online shop runs on a cluster of machines. Machines fail, programs crash, a crowd arrives, a road closes. In this course
# you break the shop on purpose, measure what its visitors notice, and mend it. You do that with the tools that
# people use at work: **Kubernetes**, which keeps programs running on many machines; `kubectl`, its command line; and Amazon
# **CloudWatch**, which keeps measurements.
#
# **You need nothing for it.** The cluster is simulated and comes with the notebook: no account, no costs, and nothing that
# you can damage. Its clock is virtual: an hour there takes seconds of yours. The tools talk to it as they talk to a real
# cluster, and the same notebooks run on one.
#
# **In this first notebook you will**
#
# - check that your machine is ready;
# - start the cluster and look around in it;
# - kill a running program and watch what happens;
# - read one number from CloudWatch.
#
# **Time:** about 15 minutes, two of which are the tour. **Cost:** nothing. **You need:** no knowledge of Kubernetes; a little
# Python helps.

#
# ## How to use a notebook
#
# A notebook is text with cells of code in between. Click on a cell and press **Shift+Enter**: it runs, its answer appears
# below, and the next cell is chosen. Run them from top to bottom. You can change any cell and run it again. If something
# gets stuck, choose *Kernel → Restart Kernel and Run All Cells*.
#
# The answers that you see now are those of the last complete run. Yours will be the same: the cluster is random, but it
# begins with the same `seed` each time. Change the seed, and another day begins.

# %% tags=["parameters"]
seed = 7  # which run of the simulated cluster
run_directory = ""  # where the result and the picture go; empty: runs/00_welcome

# %% [markdown]
# ## Is your machine ready?
#
# The next cell checks what the labs need. Where something is missing it says what to do about it.

# %%
from labs.course.preflight import preflight

preflight()

# %% [markdown]
# Every line *ok*? Then load what this notebook uses. (`labs` is this course; `client` is the official Kubernetes client for
# Python; `boto3` is the official client of AWS.) The last line stops if a parameter above cannot be used.

# %%
from datetime import timedelta

import boto3
from kubernetes import client

import labs
from labs.course.balancer import find_balancer
from labs.course.moments import draw_moments
from labs.course.shop import is_shop_ready

_ = labs.check_parameters(globals(), seed=labs.Number(0, 1_000_000), run_directory=labs.Text())

# %% [markdown]
# ## Start the cluster
#
# `labs.connect` starts the cluster, `lab.apply` puts the shop on it, and `lab.wait` lets time pass until every program of
# the shop is ready. You write down what you want in files (here `kubernetes/shop`), and **Kubernetes** keeps working until
# the world looks like that. That is the whole idea of Kubernetes. Three more minutes pass, so that the shop has some past.

# %%
lab = labs.connect(seed=seed)
lab.apply("kubernetes/shop")
lab.wait(until=is_shop_ready)
lab.wait("3 min")
print(f"In the cluster it is {lab.now():%H:%M:%S}, and the shop is open.")

# %% [markdown]
# ## Look around
#
# A **pod** is one running copy of a program. A **node** is a machine that pods run on. First we ask for the pods with the
# official Python client:

# %%
for pod in client.CoreV1Api().list_namespaced_pod("shop").items:
    print(f"{pod.metadata.name:30}{pod.status.phase:9} on {pod.spec.node_name}")

# %% [markdown]
# Now the same question with `kubectl`, the command line of Kubernetes. A line that begins with `!` is given to the terminal.
# It is the real `kubectl`, and both tools talk to the same cluster. (`-n shop` names the part of the cluster in which the
# shop lives; with `-o wide` you would see the nodes too.)

# %%
# !kubectl -n shop get pods

# %% [markdown]
# Five `frontend` pods make the shop's pages, two `backend` pods know prices and stock, two `rds-proxy` pods lead to the
# database, and `shoppers` plays the visitors. Why five of the same? Because pods die. Let us see.
#
# There is a third way to look: a page that shows nodes, pods, autoscalers, alarms and traffic while time passes. The next
# cell shows a link to it when you run it in JupyterLab. Open it beside this notebook if you like; looking changes nothing.

# %%
lab.live_view()

# %% [markdown]
# And a fourth: *File → New → Terminal*. `kubectl` and `aws` there talk to the cluster of the notebook that connected last.
#
# ## Kill one pod
#
# Before you break anything, write down what you expect; that is the habit that makes an experiment out of an accident. Take
# the first frontend. After how many seconds will five be ready again? Put a number and a reason in the place of the
# dots; the lab records them with its time.

# %%
# blank
prediction = labs.predict(lab, because=..., seconds_until_five=...)
# solution
reason = "somebody must notice, and a program needs time to start"
prediction = labs.predict(lab, because=reason, seconds_until_five=30)

# %% [markdown]
# The next cell deletes the pod. In a terminal you would type `kubectl -n shop delete pod` and its name. An `Observer`
# notes what it sees at each look.

# %%
observer = labs.Observer(lab, "shop", "app")
observer.look()
frontends = client.CoreV1Api().list_namespaced_pod("shop", label_selector="app=frontend").items
before = [pod.metadata.name for pod in frontends]
killed_at = lab.wait("1 s")
client.CoreV1Api().delete_namespaced_pod(before[0], "shop")
print(f"{killed_at:%H:%M:%S}  deleted {before[0]}")

# %% [markdown]
# Nobody told the cluster to replace it. We look once a second for a minute, count the frontends that are *ready*, and
# print only what changed.

# %%
observer.watch(60, every_s=1)
watched = observer.pods[observer.pods["pod"].str.startswith("frontend")]
counts = watched.groupby(["time", "state"]).size().unstack(fill_value=0)
changes = counts[(counts != counts.shift()).any(axis=1)]
changes.set_index(changes.index.strftime("%H:%M:%S"))

# %% [markdown]
# A **Deployment** wants five frontends, and there were four. Kubernetes saw that at once and made another pod: not the
# old one repaired, but a new one, with a new name, perhaps on another machine. Here is the cluster, moment by moment: one
# column for each node, with its **zone** (a data centre of its own) below; one box for each pod of the shop, named by the
# first letter of its program and a number.

# %%
after = counts.index[counts.index > killed_at]
ready_at = next((time for time in after if counts.loc[time, "ready"] == len(before)), after[-1])
seconds = round((ready_at - killed_at).total_seconds())
moments = sorted({-1, 0, 1, seconds})
title = f"One pod of {len(before)} is killed; {seconds} s later another one has taken its place"
made, _ = draw_moments(observer.pods, observer.nodes, moments, killed_at, title)
place = labs.run_directory("00_welcome", run_directory)
alt = f"The nodes and their pods in {len(moments)} moments. {title}."
labs.figures.show(made, alt, name="moments", directory=place)

# %% [markdown]
# Compare the first panel with the last one: one place is empty, and one box with a thick edge is new. Is that the end of the
# story? The cluster calls the new pod *ready*. Whether a visitor would agree is a question for lab 03. How did your
# prediction do?

# %%
prediction.verdict(killed_at, {"seconds_until_five": 5}, seconds_until_five=seconds)

# %% [markdown]
# ## One number from CloudWatch
#
# Did visitors notice? Amazon CloudWatch has one number for each minute, about a minute late. So we let
# three minutes pass; with a virtual clock that is one line. Then we ask for the requests that arrived at the shop's **load
# balancer**, which hands each visitor to one of the five frontends, and for those that it had to answer with an error of
# its own.

# %%
lab.wait("3 min")
balancer = find_balancer()
names = {"requests": "RequestCount", "errors": "HTTPCode_ELB_5XX_Count"}
queries = [balancer.query(id, name, "Sum") for id, name in names.items()]
minutes = labs.metric_frame(boto3.client("cloudwatch"), queries, killed_at - timedelta(minutes=2), lab.now())
minutes = minutes.reindex(columns=list(names)).fillna(0).astype(int)
minutes.set_index(minutes.index.strftime("%H:%M"))

# %% [markdown]
# Each row is the minute that begins at that time. Look at the minute of the kill: is there an error? One pod of five was
# gone for a moment, and the load balancer learnt of it a moment later. You have just seen the question of this course:
# the cluster heals itself, but not for free, and not for everybody.
#
# ## Exercise
#
# A gentle one, to see how exercises work. Replace the three dots by code, then run the cell. `labs.check` tries your answer
# with the pods of this run and with other lists. If it does not hold, it says what it saw and gives a hint; try again and
# you get another one.
#
# **00-a.** `before` and `after` are lists of the names of pods. Return the names of the pods that are *new*.


# %%
def new_pods(before, after):
    # solution
    return [name for name in after if name not in before]


frontends = client.CoreV1Api().list_namespaced_pod("shop", label_selector="app=frontend").items
labs.check("00-a", new_pods, before=before, after=[pod.metadata.name for pod in frontends])

# %% [markdown]
# ## Where to go next
#
# | lab | question | minutes |
# |---|---|---|
# | [01 Deploy the shop and its autoscalers](01_deploy_hpas.ipynb) | How does a number of CPU become a number of pods? | 30 |
# | [02 Is the shop well?](02_steady_state.ipynb) | What is *well*, in numbers, and who decides that? | 35 |
# | [03 Kill half the pods](03_kill_half_the_pods.ipynb) | What do visitors notice when half of it is gone? | 45 |
# | [04 Meet a spike of 10,000 requests](04_spike_of_10000.ipynb) | How many pods and machines does a crowd take, and how fast? | 45 |
# | [05 Read a recovery from CloudWatch](05_recovery_from_cloudwatch.ipynb) | What do one-minute numbers show, and what do they hide? | 40 |
#
# The labs do not depend on each other; each starts a cluster of its own. New to Kubernetes? Take 01 and 02 first. The
# solutions of all exercises are in the folder `solutions`. Try before you look.
#
# ## What `lab.close()` does
#
# The last cell keeps a small record of the run and ends the cluster: its process stops, and everything that it wrote is
# removed. Your own settings for Kubernetes and AWS were never touched. If you forget it, the cluster ends together with the
# notebook's kernel. After it, cells that need the cluster say so; `labs.connect` starts a new one.

# %%
ready = {"pods_before": int(counts["ready"].iloc[0]), "pods_after": int(counts["ready"].iloc[-1])}
result = labs.Result("00_welcome", seed, **ready, time_to_recover_s=seconds)
print("Written:", labs.save_result(result, run_directory, predictions=prediction.entries()).name)
lab.close()
