"""``connect``: a lab with a clock, a cluster and an AWS account, simulated or real.

The clients are loaded when a lab is made, and not with this module: that takes as long as starting the server, so
that both are done at once.
"""

from __future__ import annotations

import atexit
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from labs.course.environment import Environment
from labs.course.explain import GONE, Cluster
from labs.course.live import show_link
from labs.course.notebook import has_shell, progress
from labs.course.sidecar import Sidecar
from labs.course.terminal import FOLDER, Terminal
from labs.errors import UsageError
from labs.units import SECOND_NS, parse_duration

TARGETS = ("sim", "eks")
WAIT_SLICE_NS = 60 * SECOND_NS
"""Longest stretch between two looks at the interrupt button."""


class WaitTimeout(UsageError):
    """What was waited for did not come true in time."""


class Lab(ABC):
    """A shop's cluster and account. Time is virtual on ``sim`` and real on ``eks``; a cell never asks which."""

    target: str
    predictions: tuple[Any, ...] = ()
    """The journal of ``labs.predict``: entries are added, none is changed."""

    @abstractmethod
    def now(self) -> datetime:
        """The lab's time, in UTC."""

    @abstractmethod
    def _advance(self, length_ns: int) -> None:
        """Let time pass."""

    @abstractmethod
    def live_view(self) -> None:
        """Show where the cluster can be watched while time passes."""

    @abstractmethod
    def close(self) -> None:
        """End what ``connect`` started."""

    @abstractmethod
    def request_rows(self) -> list[dict[str, Any]]:
        """The last requests to the Kubernetes API, oldest first. Raises UsageError that says where else they are."""

    def wait(
        self,
        length: str | float | None = None,
        *,
        until: Callable[[], Any] | None = None,
        timeout: str | float = "10 min",
        every: str | float = "5 s",
    ) -> datetime:
        """Let time pass: a ``length`` ("5 min"), or until ``until()`` is true, asked ``every`` so often.

        Returns the time then. Raises WaitTimeout when ``until`` is not true within ``timeout``, and UsageError
        when it is not said what to wait for.
        """
        if (length is None) == (until is None):
            raise UsageError('Say what to wait for: lab.wait("5 min"), or lab.wait(until=..., timeout="10 min").')
        if until is None:
            assert length is not None
            self._advance_by_slices(parse_duration(length))
            return self.now()
        if not callable(until):
            raise UsageError("The condition to wait for must be a function, for example until=lambda: is_shop_ready().")
        left_ns, step_ns = parse_duration(timeout), max(parse_duration(every), SECOND_NS // 10)
        with progress(left_ns // SECOND_NS) as advanced:
            while not until():
                if left_ns <= 0:
                    raise WaitTimeout(
                        f"Waited {timeout} and the condition is still not true; look at the pods and events, "
                        "or give a longer timeout."
                    )
                self._advance(min(step_ns, left_ns))
                left_ns -= step_ns
                advanced(step_ns // SECOND_NS)
        return self.now()

    def _advance_by_slices(self, length_ns: int) -> None:
        with progress(length_ns // SECOND_NS) as advanced:
            while length_ns > 0:
                slice_ns = min(length_ns, WAIT_SLICE_NS)
                self._advance(slice_ns)
                length_ns -= slice_ns
                advanced(slice_ns // SECOND_NS)

    def apply(self, path: str | Path) -> list[str]:
        """Apply a manifest file or folder through the official client; returns ``kind/name`` of each object.

        Raises UsageError for an unreadable file; a refusal of the API server comes as its ApiException.
        """
        from labs.course.manifests import apply_manifests, find_manifests

        return apply_manifests(find_manifests(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SimulatedLab(Lab):
    """A lab on the embedded cluster. A process has one at a time, since its clients talk to one."""

    target = "sim"
    last: ClassVar[SimulatedLab | None] = None
    """The lab that this process connected last; it may be closed."""

    def __init__(self, seed: int, speed: float | None) -> None:
        self.seed = seed
        self.is_closed = False
        self._sidecar = Sidecar(seed, speed=speed)
        try:
            from kubernetes import client as kubernetes_client
            from kubernetes import config as kubernetes_config

            # Most of the client's models are loaded with this one.
            kubernetes_client.CoreV1Api(kubernetes_client.ApiClient(kubernetes_client.Configuration()))
            endpoints = self._sidecar.await_ready()
            self._terminal = Terminal(endpoints, os.environ.get(FOLDER))
        except BaseException:
            self._sidecar.close()
            raise
        self._environment = Environment(endpoints, self._sidecar.directory)
        kubernetes_config.load_kube_config(endpoints.kubeconfig)
        SimulatedLab.last = self
        atexit.register(self.close)
        Cluster.why_missing = lambda: "" if self._sidecar.is_running else GONE

    def now(self) -> datetime:
        """The cluster's virtual time, in UTC."""
        return datetime.fromisoformat(self._sidecar.clock())

    def _advance(self, length_ns: int) -> None:
        self._sidecar.clock(f"{length_ns}ns")

    def live_view(self) -> None:
        """Show a link to the page on which the cluster can be watched while time passes. Raises UsageError."""
        if not self._sidecar.is_running:
            raise UsageError(GONE)
        show_link(self._sidecar.endpoints.live, os.environ)

    def request_rows(self) -> list[dict[str, Any]]:
        """The last requests to the Kubernetes API, oldest first."""
        return self._sidecar.requests()

    def close(self) -> None:
        """End the cluster and give this process its own environment back.

        A notebook keeps the lab's until it connects again: a cell that is run too late must not reach an account
        or a cluster of the user's.
        """
        if self.is_closed:
            return
        self.is_closed = True
        self._sidecar.close()
        self._terminal.close()
        atexit.unregister(self.close)
        if not has_shell():
            self._environment.restore()

    @classmethod
    def replace(cls) -> None:
        """Close what this process connected last, if it is open, and give the process its own environment back."""
        if cls.last is None:
            return
        if not cls.last.is_closed:
            print("The lab that was connected before is closed now.")
            cls.last.close()
        cls.last._environment.restore()
        cls.last = None

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else f"at {self.now():%Y-%m-%d %H:%M:%S} UTC"
        return f"<lab on a simulated EKS cluster, seed {self.seed}, {state}>"


class ClusterLab(Lab):
    """A lab on a real EKS cluster, through the learner's kubeconfig and AWS profile."""

    target = "eks"

    def __init__(self) -> None:
        from kubernetes import config as kubernetes_config

        try:
            kubernetes_config.load_kube_config()
        except kubernetes_config.ConfigException as error:
            raise UsageError(
                f"No usable kubeconfig ({error}); run 'aws eks update-kubeconfig --name CLUSTER' first."
            ) from None
        Cluster.why_missing = lambda: ""

    def now(self) -> datetime:
        """The time, in UTC."""
        return datetime.now(UTC)

    def _advance(self, length_ns: int) -> None:
        time.sleep(length_ns / SECOND_NS)

    def live_view(self) -> None:
        """Say where a real cluster is watched."""
        print("Watch a real cluster in the EKS and CloudWatch consoles, or with 'kubectl get pods -A -w'.")

    def request_rows(self) -> list[dict[str, Any]]:
        """Always raises UsageError: a real cluster writes its audit log to CloudWatch."""
        from kubernetes import config as kubernetes_config

        _, context = kubernetes_config.list_kube_config_contexts()
        name = context["context"]["cluster"].rpartition("/")[2]
        raise UsageError(
            f"On EKS the requests are in the audit log: turn it on for the cluster, and read the streams "
            f"kube-apiserver-audit of the CloudWatch log group /aws/eks/{name}/cluster."
        )

    def close(self) -> None:
        """Nothing was started, so nothing is ended: the cluster is the learner's."""

    def __repr__(self) -> str:
        return "<lab on the cluster of your kubeconfig>"


def connect(target: str = "sim", seed: int = 7, *, speed: float | None = None) -> Lab:
    """A running lab; the official Kubernetes client and boto3 of this kernel are set up for it alone.

    A simulated lab that this kernel has open is closed first.

    ``sim``: a new simulated cluster, the same for the same ``seed``. ``speed``: how many times real time its
    clock runs while a client is blocked on it. ``eks``: the cluster of your kubeconfig. Raises UsageError.
    """
    if target not in TARGETS:
        raise UsageError(f"Target {target!r} is not known; use 'sim' (nothing to install) or 'eks' (your cluster).")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise UsageError(f"The seed must be a whole number, for example 7, not {seed!r}.")
    SimulatedLab.replace()
    return SimulatedLab(seed, speed) if target == "sim" else ClusterLab()
