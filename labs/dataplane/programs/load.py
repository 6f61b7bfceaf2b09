"""Programs that make load: the shop's steady visitors, ``ab`` and ``fortio load``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlsplit

from labs.dataplane.network import Connection, Network
from labs.dataplane.process import EXIT_TERMINATED, Answer, Check, Surroundings
from labs.dataplane.programs.catalogue import LARGEST, Entry
from labs.dataplane.programs.reports import ab_banner, ab_report, fortio_report
from labs.dataplane.traffic.arrivals import RateProfile
from labs.dataplane.traffic.ledger import Ledger
from labs.dataplane.traffic.policy import KeepAlive, Policy
from labs.dataplane.traffic.sources import ClosedLoop, ConstantRate, OpenLoop, Source
from labs.errors import UsageError
from labs.units import SECOND_NS, parse_duration, to_ns

_MIB = 1024**2
_CPU_PER_REQUEST_NS = 60_000
"""CPU of a load generator for one request."""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """A command line as read: ``requests`` at ``qps`` (0: as fast as answers come) over ``concurrency`` connections."""

    url: str
    requests: int
    concurrency: int
    qps: float = 0.0
    timeout_s: float = 30.0
    keeps_alive: bool = False


def parse_ab(arguments: Sequence[str]) -> LoadPlan:
    """``ab -n N -c C [-k] [-s S] URL``. Raises UsageError with ab's own words."""
    options, rest = _options(arguments, flags="krqdSvVih", valued="ncstpTHCAuXPbBewxyzgmfZE")
    if len(rest) != 1 or "://" not in rest[0]:
        raise UsageError("ab: wrong number of arguments\nUsage: ab [options] [http[s]://]hostname[:port]/path")
    requests = round(parse_number("ab", "-n", options.get("n", "50000" if "t" in options else "1")))
    concurrency = round(parse_number("ab", "-c", options.get("c", "1")))
    timeout_s = parse_number("ab", "-s", options.get("s", "30"))
    if concurrency > requests:
        raise UsageError("ab: Cannot use concurrency level greater than total number of requests")
    if requests < 1 or concurrency < 1:
        raise UsageError("ab: Invalid number of requests")
    return LoadPlan(rest[0], requests, concurrency, 0.0, timeout_s, "k" in options)


def parse_fortio(arguments: Sequence[str]) -> LoadPlan:
    """``fortio load -qps Q -c C (-n N | -t D) URL``. Raises UsageError when there is no URL."""
    options: dict[str, str] = {}
    rest = []
    words = iter(arguments)
    for word in words:
        if word.startswith("-"):
            name, has_value, value = word.lstrip("-").partition("=")
            options[name] = value if has_value else next(words, "")
        else:
            rest.append(word)
    if len(rest) != 1:
        raise UsageError("fortio: Error: fortio load needs a url or destination")
    qps = parse_number("fortio", "-qps", options.get("qps", "8"))
    connections = round(parse_number("fortio", "-c", options.get("c", "4")))
    if not qps or not connections:
        raise UsageError("fortio: use a -qps and a -c above 0")
    length_s = parse_duration(options.get("t", "5s")) / SECOND_NS
    requests = round(parse_number("fortio", "-n", options.get("n", "0"))) or max(1, round(qps * length_s))
    timeout_s = parse_duration(options.get("timeout", "3s")) / SECOND_NS
    return LoadPlan(rest[0], requests, connections, qps, timeout_s, True)


def parse_number(program: str, option: str, text: str) -> float:
    """A number from 0 up. Raises UsageError that names the program and its option."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < LARGEST:
        raise UsageError(f"{program}: invalid value {text!r} for {option}: use a number from 0 up")
    return number


def _options(arguments: Sequence[str], flags: str, valued: str) -> tuple[dict[str, str], list[str]]:
    options: dict[str, str] = {}
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if not re.match(r"-[A-Za-z]", word):
            rest.append(word)
        elif word[1] in valued:
            options[word[1]] = word[2:] or next(words, "")
        elif word[1] in flags:
            options |= dict.fromkeys(word[1:], "")
        else:
            raise UsageError(f"ab: invalid option -- '{word[1]}'")
    return options, rest


def rate_profile(environment: dict[str, str]) -> RateProfile:
    """The visitors' rate: ``RATE_PER_S``, or ``PROFILE`` as steps such as ``0s:40,10m:80,20m:40``.

    ``PROFILE_PERIOD`` (for example ``24h``) repeats the steps. Raises UsageError for another form.
    """
    steps = environment.get("PROFILE", "")
    if not steps:
        return RateProfile.constant(parse_number("shopper", "RATE_PER_S", environment.get("RATE_PER_S", "10")))
    pairs = [step.strip().rpartition(":") for step in steps.split(",")]
    starts = tuple(parse_duration(start) / SECOND_NS for start, _, _ in pairs)
    rates = tuple(parse_number("shopper", "PROFILE", rate) for _, _, rate in pairs)
    period = environment.get("PROFILE_PERIOD")
    period_s = parse_duration(period) / SECOND_NS if period else None
    ends = (*starts, *([period_s] if period_s is not None else []))
    if starts[0] != 0 or any(earlier >= later for earlier, later in pairwise(ends)):
        raise UsageError("PROFILE begins at 0s and its times rise, as in '0s:40,10m:80'; mend the variable.")
    return RateProfile(starts, rates, period_s)


class LoadProcess:
    """A source of load in a container: runs its source, prints its report, exits 0."""

    __slots__ = ("_begin", "_connection", "_entry", "_source", "_started_ns", "_surroundings")

    is_health_steady = True

    def __init__(
        self,
        surroundings: Surroundings,
        entry: Entry,
        connection: Connection,
        source: Source,
        begin: Callable[[], None],
    ) -> None:
        self._surroundings = surroundings
        self._entry = entry
        self._connection = connection
        self._source = source
        self._begin = begin
        self._started_ns = 0

    def start(self) -> None:
        """The first request."""
        self._started_ns = self._surroundings.loop.now_ns
        self._begin()

    def finish(self, report: str) -> None:
        """The run is complete."""
        self._surroundings.log(report)
        self._connection.close()
        self._surroundings.exited(0)

    def terminate(self) -> None:
        """TERM ends the program."""
        self.kill()
        self._surroundings.exited(EXIT_TERMINATED)

    def kill(self) -> None:
        """No more requests; those under way are abandoned."""
        self._source.stop()
        self._connection.close()

    vanish = kill

    def check(self, check: Check, answer: Callable[[Answer], None]) -> None:
        """Healthy as long as it runs."""
        answer(Answer())

    def cpu_used_ns(self, now_ns: int) -> int:
        """A little for each request."""
        trickle_ns = round((now_ns - self._started_ns) * self._entry.idle_millicores / 1000)
        return trickle_ns + self._source.arrived * _CPU_PER_REQUEST_NS

    def memory_bytes(self, now_ns: int) -> int:
        """A constant."""
        return round(self._entry.memory_mib * _MIB)


class LoadPrograms:
    """Builds the processes."""

    def __init__(self, network: Network, ledger: Ledger, sample_every: int = 0) -> None:
        self._network = network
        self.ledger = ledger
        self._sample_every = sample_every

    def connect(self, around: Surroundings, url: str, policy: Policy) -> tuple[Connection, str]:
        """A client of ``url`` in this container, and the name of its source. Raises UsageError for an unknown host."""
        metadata = around.pod["metadata"]
        name = f"{metadata['namespace']}/{metadata['name']}"
        stream = f"{name}/{around.restart_count}"
        connection = self._network.connect(url, around.place, metadata["namespace"], policy, stream)
        if connection is None:
            host = urlsplit(url).hostname
            raise UsageError(f"could not resolve host {host}: Name or service not known")
        return connection, name

    def shopper(self, around: Surroundings, entry: Entry) -> LoadProcess:
        """Visitors at a rate that does not care how the shop does. Raises UsageError for a wrong variable."""
        variables = around.environment
        profile = rate_profile(variables)
        timeout_s = parse_number("shopper", "TIMEOUT_S", variables.get("TIMEOUT_S", "10"))
        url = variables.get("TARGET_URL", "http://frontend")
        connection, name = self.connect(around, url, Policy(timeout_ns=to_ns(timeout_s)))
        rng = around.streams.numpy(f"arrivals/{name}/{around.restart_count}")
        source = OpenLoop(
            around.loop,
            self.ledger,
            name,
            connection.target,
            connection.client,
            profile,
            rng,
            self._sample_every,
        )
        around.log(f"visiting {url}")
        return LoadProcess(around, entry, connection, source, source.start)

    def ab(self, around: Surroundings, entry: Entry, plan: LoadPlan) -> LoadProcess:
        """``ab``: exactly n requests, c at a time."""
        connection, name = self.connect(around, plan.url, _policy(plan))
        source = ClosedLoop(
            around.loop,
            self.ledger,
            name,
            connection.target,
            connection.client,
            plan.requests,
            plan.concurrency,
            on_done=lambda: process.finish(ab_report(plan, self.ledger, source)),
            sample_every=self._sample_every,
        )
        process = LoadProcess(around, entry, connection, source, source.start)
        around.log(ab_banner(plan))
        return process

    def fortio(self, around: Surroundings, entry: Entry, plan: LoadPlan) -> LoadProcess:
        """``fortio load``: a constant rate over kept connections."""
        connection, name = self.connect(around, plan.url, _policy(plan))
        source = ConstantRate(
            around.loop,
            self.ledger,
            name,
            connection.target,
            connection.client,
            plan.qps,
            plan.concurrency,
            plan.requests,
            on_done=lambda: process.finish(fortio_report(plan, self.ledger, source)),
            sample_every=self._sample_every,
        )
        process = LoadProcess(around, entry, connection, source, source.start)
        around.log(f"Fortio running at {plan.qps:g} queries per second, for {plan.requests} calls: {plan.url}")
        return process


def _policy(plan: LoadPlan) -> Policy:
    keep_alive = KeepAlive(plan.concurrency, 0, plan.requests) if plan.keeps_alive else None
    return Policy(timeout_ns=to_ns(plan.timeout_s), keep_alive=keep_alive, connect_round_trips=1)
