"""An application load balancer in front of a Service or Ingress, with pod addresses as its targets.

A controller in the cluster (AWS Load Balancer Controller) follows the endpoints and registers or deregisters
targets; the balancer has a lag of its own, checks the targets' health, and routes to the healthy ones.
Source: Elastic Load Balancing user guide, "Target group health checks", "Deregistration delay".
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from labs.api.store import Object
from labs.dataplane.process import Answer, Check
from labs.dataplane.service_views import Endpoint, EndpointTable, Push, ServicePort
from labs.sim.loop import Loop, Timer
from labs.units import SECOND_NS, to_ns

Address = tuple[str, int]
CheckTarget = Callable[[Address, Check, Callable[[Answer], None]], None]

_PREFIXES = ("service.beta.kubernetes.io/aws-load-balancer-", "alb.ingress.kubernetes.io/")
LAG_S = (1.0, 4.0)
"""From a change of the endpoints until all nodes of the balancer act on it: controller, API call, propagation."""


class Health(Enum):
    """The state of a target as DescribeTargetHealth names it."""

    INITIAL = "initial"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class BalancerSettings:
    """What annotations of the Service say; the defaults are the controller's."""

    interval_ns: int = 15 * SECOND_NS
    timeout_ns: int = 5 * SECOND_NS
    healthy_threshold: int = 2
    unhealthy_threshold: int = 2
    path: str = "/"
    deregistration_delay_ns: int = 300 * SECOND_NS
    idle_timeout_ns: int = 60 * SECOND_NS
    uses_least_outstanding: bool = False


def settings_of(service: Object) -> BalancerSettings:
    """The settings in a Service's annotations."""
    annotations: Mapping[str, str] = service["metadata"].get("annotations") or {}

    def text(name: str, default: str) -> str:
        for prefix in _PREFIXES:
            for key in (prefix + name, f"{prefix}{name}-seconds", f"{prefix}{name}-count"):
                if key in annotations:
                    return annotations[key]
        return default

    def seconds(name: str, default: int) -> int:
        return to_ns(_number(text(name, ""), default))

    def count(name: str, default: int) -> int:
        return max(1, int(_number(text(f"healthcheck-{name}", "") or text(name, ""), default)))

    group = _attributes(text("target-group-attributes", ""))
    balancer = _attributes(text("attributes", "") or text("load-balancer-attributes", ""))
    return BalancerSettings(
        interval_ns=max(SECOND_NS, seconds("healthcheck-interval", 15)),
        timeout_ns=seconds("healthcheck-timeout", 5),
        healthy_threshold=count("healthy-threshold", 2),
        unhealthy_threshold=count("unhealthy-threshold", 2),
        path=text("healthcheck-path", "/"),
        deregistration_delay_ns=to_ns(_number(group.get("deregistration_delay.timeout_seconds", ""), 300)),
        idle_timeout_ns=to_ns(_number(balancer.get("idle_timeout.timeout_seconds", ""), 60)),
        uses_least_outstanding=group.get("load_balancing.algorithm.type") == "least_outstanding_requests",
    )


def _number(text: str, default: int) -> float:
    """The number, or the default where there is none (the controller refuses it and keeps what was)."""
    return float(text) if text.isdecimal() else default


def _attributes(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(",") if part)
    return {key.strip(): value.strip() for key, _, value in pairs}


@dataclass(slots=True)
class Target:
    """One pod address in the target group."""

    endpoint: Endpoint
    health: Health = Health.INITIAL
    run: int = 0
    """Equal check results in a row: above 0 successes, below 0 failures."""
    timer: Timer | None = None
    asked: int = 0


@dataclass(slots=True)
class LoadBalancer:
    """One balancer with one target group; ``attach`` is how a client's requests get in."""

    loop: Loop
    rng: random.Random
    table: EndpointTable
    key: ServicePort
    settings: BalancerSettings
    check_target: CheckTarget
    ingress: str = ""
    """The Ingress that the balancer belongs to; empty for one that belongs to its Service."""
    name: str = field(init=False)
    group: str = field(init=False)
    hostname: str = field(init=False)
    targets: dict[Address, Target] = field(default_factory=dict)
    _pushes: dict[int, Push] = field(default_factory=dict)
    _next_token: int = 0
    _is_stale: bool = False

    def __post_init__(self) -> None:
        namespace, service = self.key.namespace, self.key.service
        self.name = self.group = _aws_name(namespace, service, f"{namespace}/{service}")
        digest = hashlib.sha256(f"{namespace}/{service}".encode()).hexdigest()
        if self.ingress:
            owner = f"{namespace}/ingress/{self.ingress}"
            self.name = _aws_name(namespace, self.ingress, owner)
            self.group = _aws_name(namespace, service, f"{owner}/{service}:{self.key.port}")
            digest = hashlib.sha256(owner.encode()).hexdigest()
        self.hostname = f"{self.name}-{int(digest[10:18], 16) % 10**9:09d}.us-east-1.elb.amazonaws.com"

    @property
    def arn_suffix(self) -> str:
        """The CloudWatch dimension LoadBalancer."""
        return f"app/{self.name}/{hashlib.sha256(self.hostname.encode()).hexdigest()[:16]}"

    @property
    def target_group_arn_suffix(self) -> str:
        """The CloudWatch dimension TargetGroup."""
        return f"targetgroup/{self.group}/{hashlib.sha256(self.group.encode()).hexdigest()[:16]}"

    @property
    def target(self) -> str:
        """What calls through the balancer are recorded under; one for each target group."""
        return self.name if self.group == self.name else f"{self.name}/{self.group}"

    def start(self) -> None:
        """Register what is ready now, without the lag: the group was there before."""
        self._reconcile()

    def stop(self) -> None:
        """The Service is gone: no more checks, no targets."""
        for target in self.targets.values():
            target.asked += 1
            if target.timer is not None:
                target.timer.cancel()
        self.targets.clear()
        self.refresh()

    def attach(self, push: Push) -> int:
        """Call ``push`` now and whenever the targets to route to change; returns a token for ``detach``."""
        self._next_token += 1
        self._pushes[self._next_token] = push
        push(self.routed())
        return self._next_token

    def detach(self, token: int) -> None:
        """No more calls for ``token``."""
        del self._pushes[token]

    def refresh(self) -> None:
        """Push the targets again: something else now listens at one of the addresses."""
        for push in self._pushes.values():
            push(self.routed())

    def routed(self) -> Sequence[Endpoint]:
        """Healthy targets; when none is, all unhealthy ones (the balancer fails open)."""
        registered = [target for target in self.targets.values() if target.health is not Health.DRAINING]
        healthy = [target.endpoint for target in registered if target.health is Health.HEALTHY]
        return healthy or [target.endpoint for target in registered if target.health is Health.UNHEALTHY]

    def endpoints_changed(self) -> None:
        """The Service's endpoints changed; act after the lag."""
        if not self._is_stale:
            self._is_stale = True
            self.loop.after(to_ns(self.rng.uniform(*LAG_S)), self._reconcile)

    def _reconcile(self) -> None:
        self._is_stale = False
        ready = {endpoint.address: endpoint for endpoint in self.table.endpoints(self.key) if endpoint.is_ready}
        for address, endpoint in ready.items():
            target = self.targets.get(address)
            if target is None or target.health is Health.DRAINING:
                if target is not None and target.timer is not None:
                    target.timer.cancel()
                self.targets[address] = fresh = Target(endpoint)
                self._check(fresh)
        for address, target in self.targets.items():
            if address not in ready and target.health is not Health.DRAINING:
                self._drain(target)
        self.refresh()

    def _drain(self, target: Target) -> None:
        target.health = Health.DRAINING
        target.asked += 1
        if target.timer is not None:
            target.timer.cancel()
        target.timer = self.loop.after(self.settings.deregistration_delay_ns, self._forget, target)

    def _forget(self, target: Target) -> None:
        if self.targets.get(target.endpoint.address) is target:
            del self.targets[target.endpoint.address]

    # Health checks.

    def _check(self, target: Target) -> None:
        target.timer = self.loop.after(self.settings.interval_ns, self._check, target)
        target.asked += 1
        number = target.asked
        limit = self.loop.after(self.settings.timeout_ns, self._checked, target, number, None)

        def answer(value: Answer) -> None:
            limit.cancel()
            self._checked(target, number, value)

        check = Check("httpGet", port=target.endpoint.port, path=self.settings.path)
        self.check_target(target.endpoint.address, check, answer)

    def _checked(self, target: Target, number: int, answer: Answer | None) -> None:
        if number != target.asked or target.health is Health.DRAINING:
            return
        target.asked += 1
        is_good = answer is not None and not answer.is_refused and 200 <= answer.status < 300
        target.run = max(target.run, 0) + 1 if is_good else min(target.run, 0) - 1
        health = next_health(target.health, target.run, self.settings)
        if health is not target.health:
            target.health = health
            self.refresh()


def _aws_name(namespace: str, name: str, source: str) -> str:
    """A name as the controller makes them: the beginnings of both, and a hash."""
    return f"k8s-{namespace[:8]}-{name[:8]}-{hashlib.sha256(source.encode()).hexdigest()[:10]}"


def next_health(health: Health, run: int, settings: BalancerSettings) -> Health:
    """The state after ``run`` equal results; a new target needs one success only."""
    if run > 0 and (health is Health.INITIAL or run >= settings.healthy_threshold):
        return Health.HEALTHY
    if -run >= settings.unhealthy_threshold:
        return Health.UNHEALTHY
    return health
