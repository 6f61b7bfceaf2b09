"""What is seen of a kill: pods and endpoints second by second, when replacements begin to answer, recovery (lab 03)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kubernetes import client as kubernetes_client
from labs.course import figures
from labs.course.connect import Lab
from labs.course.observe import LEAVING, Observer, count_ready
from labs.course.shop import NAMESPACE

APP = "frontend"
WATCHED_S = 60
LISTENS = "listening"
"""What the frontend writes into its log when it begins to accept connections."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A kill and the minute after it; ``pods`` and ``nodes`` are an Observer's, from a minute before it on."""

    at: datetime
    pods: pd.DataFrame
    nodes: pd.DataFrame
    killed: frozenset[str]
    """Addresses of the pods that were killed."""
    listed: Sequence[int]
    """For each second since the kill: how many of these addresses the Service's EndpointSlices still list as ready."""

    @property
    def ready(self) -> pd.Series[int]:
        """How many pods were ready at each look."""
        return count_ready(self.pods, self.nodes)

    @property
    def wanted(self) -> int:
        """How many pods were ready before the kill."""
        return int(self.ready.iloc[0])

    @property
    def left_after_s(self) -> int:
        """How long the last of the killed pods was seen as terminating, in seconds."""
        times = self.pods["time"][self.pods["state"] == LEAVING]
        return 0 if times.empty else round((times.max() - self.at).total_seconds()) + 1

    def by_second(self, seconds: Sequence[int] = (0, 1, 2, 3, 5, 10, 20)) -> pd.DataFrame:
        """A row for each of ``seconds`` since the kill: pods by state, and killed addresses that are still listed."""
        table = self.pods.groupby(["time", "state"]).size().unstack(fill_value=0)
        table.index = pd.Index([round((time - self.at).total_seconds()) for time in table.index])
        table = table.reindex(range(WATCHED_S), fill_value=0)
        table["killed, still listed"] = self.listed
        return table.loc[list(seconds)].rename_axis(index="seconds", columns=None)


def ready_frontends() -> list[Any]:
    """The frontend's pods that were not told to end, as the client has them."""
    pods = kubernetes_client.CoreV1Api().list_namespaced_pod(NAMESPACE, label_selector=f"app={APP}").items
    return [pod for pod in pods if pod.metadata.deletion_timestamp is None]


def listed_addresses() -> set[str]:
    """The addresses that the EndpointSlices of the frontend's Service list as ready."""
    selector = f"kubernetes.io/service-name={APP}"
    slices = kubernetes_client.DiscoveryV1Api().list_namespaced_endpoint_slice(NAMESPACE, label_selector=selector).items
    endpoints = [endpoint for each in slices for endpoint in each.endpoints or []]
    return {endpoint.addresses[0] for endpoint in endpoints if endpoint.conditions.ready}


def watch_kill(lab: Lab, kill: Callable[[], Sequence[str]]) -> Watched:
    """Look, wait a minute, call ``kill`` (it returns the names of its victims), and look each second for a minute."""
    observer, listed = Observer(lab, NAMESPACE, f"app={APP}"), []
    observer.look()
    lab.wait("1 min")
    addresses = {pod.metadata.name: pod.status.pod_ip for pod in ready_frontends()}
    at = lab.now()
    killed = frozenset(addresses[name] for name in kill())
    for _ in range(WATCHED_S):
        observer.look()
        listed.append(len(listed_addresses() & killed))
        lab.wait("1 s")
    return Watched(at, observer.pods, observer.nodes, killed, listed)


def starts_after(at: datetime) -> pd.DataFrame:
    """For each frontend made since ``at``: seconds until it was called ready, and until its log says it listens."""
    rows = []
    for pod in ready_frontends():
        if pod.metadata.creation_timestamp >= at:
            log = kubernetes_client.CoreV1Api().read_namespaced_pod_log(pod.metadata.name, NAMESPACE, timestamps=True)
            listens = [pd.Timestamp(line.split()[0]) for line in log.splitlines() if LISTENS in line]
            ready = [each.last_transition_time for each in pod.status.conditions if each.type == "Ready"]
            rows.append([(time - at).total_seconds() for time in (*ready[:1], *listens[:1])])
    return pd.DataFrame(rows, columns=["called ready (s)", "listens (s)"]).sort_values("listens (s)", ignore_index=True)


def recovery_s(watched: Watched, minutes: pd.DataFrame, allowed_percent: float) -> dict[str, float]:
    """Seconds from the kill until as many pods are ready as before, and until the error rate is back under the SLO.

    The first is seen each second; the second is the end of the last bad minute, so an upper bound.
    """
    short = watched.ready.index[watched.ready < watched.wanted]
    bad = minutes.index[minutes["error_percent"] > allowed_percent]
    ends = [(times.max() - watched.at).total_seconds() + length_s if len(times) else 0.0
            for times, length_s in ((short, 1), (bad, 60))]  # fmt: skip
    return {"pods ready again (s)": ends[0], "errors under the SLO (s)": ends[1]}


def draw_error_rates(
    runs: Mapping[str, tuple[pd.DataFrame, datetime]], alarm_percent: float, title: str
) -> tuple[Figure, list[Axes]]:
    """A panel for each run (a minutes table and the time of its kill), two in a row and all on the same scale."""
    made, axes = figures.figure(-(-len(runs) // 2), title, columns=2)
    highest = max(minutes["error_percent"].max() for minutes, _ in runs.values())
    for place, (ax, (name, (minutes, at))) in enumerate(zip(axes, runs.items(), strict=True)):
        rate = minutes["error_percent"]
        figures.draw_error_rate(ax, rate, at)
        figures.name_panel(ax, name, "" if place % 2 else "% of requests")
        ax.set_ylim(top=max(highest, alarm_percent) * figures.HEADROOM)
        figures.limit_line(ax, alarm_percent, f"alarm: {alarm_percent:g} %")
        figures.point_at(ax, 1, rate.max(), f"{minutes['failed'].sum():.0f} requests failed", beside=(30, 18))
        figures.shade(ax, 0, 0, "kill")
    figures.label_minutes(axes, "minutes since the kill")
    return made, axes
