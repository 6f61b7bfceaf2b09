"""Load arrives as asked, and every request is accounted for."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from traffic_rig import Rig

from labs.dataplane.traffic.arrivals import Arrivals, RateProfile
from labs.dataplane.traffic.demand import Demand
from labs.dataplane.traffic.outcome import Outcome
from labs.dataplane.traffic.path import CLEAR, Impairment
from labs.dataplane.traffic.policy import KeepAlive, Policy, RetryBudget
from labs.dataplane.traffic.sources import ConstantRate, OpenLoop
from labs.units import MILLISECOND_NS as MS
from labs.units import SECOND_NS

FIXED_10 = Demand(10.0, shape="fixed")


def test_arrivals_follow_the_rate_of_each_step() -> None:
    profile = RateProfile((0.0, 100.0, 200.0), (10.0, 0.0, 40.0))
    arrivals = Arrivals(profile, np.random.default_rng(1), start_ns=5 * SECOND_NS)
    times_s = []
    while not times_s or times_s[-1] < 300:
        times_s.append((arrivals.next() or 0) / SECOND_NS - 5)
    counts = [sum(low <= at < low + 100 for at in times_s) for low in (0, 100, 200)]
    assert counts[0] == pytest.approx(1_000, rel=0.1)
    assert counts[1] == 0
    assert counts[2] == pytest.approx(4_000, rel=0.05)
    assert times_s == sorted(times_s)


def test_arrivals_end_when_the_last_rate_is_zero() -> None:
    arrivals = Arrivals(RateProfile((0.0, 1.0), (50.0, 0.0)), np.random.default_rng(1), 0)
    times = []
    while (at := arrivals.next()) is not None:
        times.append(at)
    assert 30 < len(times) < 70
    assert max(times) < SECOND_NS


def test_a_daily_profile_repeats() -> None:
    profile = RateProfile.sampled(lambda at: 10.0 if at < 5 else 0.0, 10.0, 1.0, is_periodic=True)
    arrivals = Arrivals(profile, np.random.default_rng(1), 0)
    phases = [(arrivals.next() or 0) / SECOND_NS % 10 for _ in range(2_000)]
    assert max(phases) < 5


def test_a_new_profile_holds_from_now_on(rig: Rig) -> None:
    source = rig.open_loop(rig.client([rig.station(Demand(0.1))]), 100.0)
    rig.loop.run_until(10 * SECOND_NS)
    before = source.arrived
    source.set_profile(RateProfile.constant(0.0))
    rig.loop.run_until(20 * SECOND_NS)
    assert source.arrived == before
    source.set_profile(RateProfile.constant(300.0))
    rig.loop.run_until(30 * SECOND_NS)
    assert source.arrived - before == pytest.approx(3_000, rel=0.1)


@pytest.mark.parametrize(("requests", "concurrency"), [(10_000, 100), (7, 100), (1, 1)])
def test_ab_sends_exactly_n_with_at_most_c_at_a_time(rig: Rig, requests: int, concurrency: int) -> None:
    station = rig.station(Demand(1.0), slots=4, workers=16, queue_limit=16)
    done_at = []
    source = rig.closed_loop(rig.client([station]), requests, concurrency)
    source._on_done = lambda: done_at.append(rig.loop.now_ns)
    peak = 0
    while not done_at:
        rig.loop.run_until(rig.loop.now_ns + MS)
        peak = max(peak, source.in_flight)
    assert peak <= min(requests, concurrency)
    account = rig.ledger.conservation(source)
    assert (account.arrived, account.answered + account.failed, account.in_flight) == (requests, requests, 0)
    assert done_at == [source.finished_ns]
    summary = rig.ledger.summary(source)
    assert sum(summary.outcomes.values()) == requests
    assert summary.response_bytes == 100 * requests
    assert summary.percentile_ns(50) <= summary.percentile_ns(99) <= summary.percentile_ns(100)
    assert summary.percentile_ns(100) == summary.latencies_ns[-1]
    assert ("APP_503" in summary.outcomes) == (min(requests, concurrency) > 16 + 16)


def test_latency_counts_from_the_intended_time(rig: Rig) -> None:
    """A constant rate through one connection, with one stall of a second: nothing is omitted."""
    station = rig.station(Demand(1.0, shape="fixed"))
    source = ConstantRate(rig.loop, rig.ledger, "fortio", "shop", rig.client([station]), 100.0, 1, 1_000)
    source.start()
    rig.loop.at(2 * SECOND_NS - MS, station.pause)
    rig.loop.at(3 * SECOND_NS - MS, station.resume)
    rig.loop.run_until(20 * SECOND_NS)
    rows = rig.ledger.rows()
    latency_ms = (rows["finished_ns"] - rows["intended_ns"]) / MS
    assert len(rows) == 1_000
    assert latency_ms.max() == pytest.approx(1_000, abs=1)
    assert (latency_ms > 1.5).sum() == pytest.approx(111, abs=2)  # 1 s / (10 ms - 1 ms) requests
    assert (rows["target_us"] > 1_500).sum() == 1  # what a closed loop would have reported


def test_a_stopped_source_abandons_its_requests(rig: Rig) -> None:
    source = rig.open_loop(rig.client([rig.station(FIXED_10)]), 500.0)
    rig.loop.run_until(SECOND_NS)
    source.stop()
    rig.loop.run_until(5 * SECOND_NS)
    account = rig.ledger.conservation()
    assert account.holds
    assert account.in_flight == 0
    assert account.failed == (rig.ledger.rows()["outcome"] == Outcome.ABANDONED).sum() > 100


def stormy_run(seed: int) -> Rig:
    """Three tiers and three sources under random deaths, pauses, slow-downs, faults and view changes."""
    rig, dice = Rig(seed), random.Random(seed)
    database = rig.station(Demand(2.0), name="database", slots=4, workers=20, queue_limit=20)
    pooled = Policy(timeout_ns=80 * MS, attempts=2, keep_alive=KeepAlive(4, 6, 50), connect_round_trips=1)
    plain = Policy(timeout_ns=120 * MS, attempts=2, backoff_base_ns=20 * MS, budget=RetryBudget())
    clients, backends, frontends = [], [], []
    for number in range(3):
        clients.append(rig.client([database], pooled, name=f"b{number}", latency_ns=MS // 4))
        backends.append(rig.station(Demand(6.0), name=f"b{number}", workers=8, queue_limit=8, downstream=[clients[-1]]))
    for number in range(3):
        clients.append(rig.client(backends, plain, name=f"f{number}", latency_ns=MS // 4))
        frontends.append(
            rig.station(Demand(4.0, 0.8, "gamma"), name=f"f{number}", slots=2, workers=16, downstream=[clients[-1]])
        )
    users = [rig.client(frontends, Policy(timeout_ns=300 * MS, attempts=3), name=f"u{n}") for n in range(3)]
    stations, clients = [database, *backends, *frontends], clients + users
    rig.open_loop(users[0], 150.0)
    rig.closed_loop(users[1], 2_000, 10)
    ConstantRate(rig.loop, rig.ledger, "fortio", "shop", users[2], 50.0, 4, 10_000, sample_every=7).start()
    for _ in range(300):
        rig.loop.run_until(rig.loop.now_ns + dice.randrange(60 * MS))
        station, client = dice.choice(stations), dice.choice(clients)
        match dice.randrange(9):
            case 0:
                station.kill()
            case 1:
                station.vanish()
            case 2:
                station.pause()
            case 3:
                station.set_cpu_factor(dice.choice([0.3, 1.0, 2.0]))
            case 4:
                station.drain(station.open)
            case 5:
                client.impair(dice.choice(stations), Impairment(MS, MS, dice.choice([0.0, 0.2, 1.0])), CLEAR)
            case 6:
                group = list(client.endpoints) or [station]
                client.update(group, lambda _: dice.randrange(MS))
            case _:
                for each in stations:
                    each.resume()
                    each.open()
        assert rig.ledger.conservation().holds
        for each in stations:
            assert each.queued <= each.inside
            assert each.cpu_used_ns() >= 0
    for each in clients:
        for station in each.endpoints:
            each.impair(station)
    for each in stations:
        each.resume()
        each.open()
    return rig


@pytest.mark.parametrize("seed", range(6))
def test_every_request_is_accounted_for_in_a_storm_and_after_it(seed: int) -> None:
    rig = stormy_run(seed)
    for source in rig.ledger.sources:
        source._requests = source._left = 0  # type: ignore[attr-defined]
        if isinstance(source, OpenLoop):
            source.set_profile(RateProfile.constant(0.0))
    rig.loop.run_until(rig.loop.now_ns + 60 * SECOND_NS)
    account = rig.ledger.conservation()
    assert account.holds
    assert account.in_flight == 0
    kinds = Counter(rig.ledger.rows()["outcome"].tolist())
    assert {Outcome.OK, Outcome.TIMEOUT, Outcome.RESET} <= kinds.keys()


def test_the_same_seed_gives_the_same_ledger() -> None:
    first, again, other = stormy_run(3), stormy_run(3), stormy_run(4)
    assert first.ledger.digest() == again.ledger.digest()
    assert first.ledger.digest() != other.ledger.digest()


def test_rows_go_on_across_sealed_blocks(rig: Rig) -> None:
    source = rig.closed_loop(rig.client([rig.station(Demand(0.01))]), 70_000, 4)
    rig.loop.run_until(100 * SECOND_NS)
    rows = rig.ledger.rows()
    assert len(rows) == len(rig.ledger) == 70_000
    assert (rig.ledger.rows(65_530)["finished_ns"] == rows["finished_ns"][65_530:]).all()
    assert (rig.ledger.rows(69_990)["finished_ns"] == rows["finished_ns"][69_990:]).all()
    assert rig.ledger.conservation(service="shop") == rig.ledger.conservation(source)
    assert rig.ledger.columns()["station"][0] == "server"


def test_a_sampled_trace_has_the_times_of_each_hop(rig: Rig) -> None:
    database = rig.station(FIXED_10, name="database")
    frontend = rig.station(FIXED_10, name="frontend", downstream=[rig.client([database], name="f", latency_ns=MS)])
    source = rig.closed_loop(rig.client([frontend], latency_ns=MS), 1, 1)
    source._sample_every = 1
    rig.loop.run_until(SECOND_NS)
    (trace,) = rig.ledger.traces
    times = [(span.station, *(at // MS for at in (span.sent_ns, span.arrived_ns, span.left_ns))) for span in trace]
    assert times == [("frontend", 0, 1, 23), ("database", 11, 12, 22)]
    assert trace[1].parent is trace[0]


def test_measuring_changes_nothing() -> None:
    digests = set()
    for sample_every in (0, 1):
        rig = Rig(7)
        inner = rig.client([rig.station(Demand(5.0), name=name) for name in "ab"], name="f")
        source = rig.open_loop(rig.client([rig.station(Demand(4.0), downstream=[inner])]), 150.0)
        source._sample_every = sample_every
        rig.loop.run_until(20 * SECOND_NS)
        digests.add(rig.ledger.digest())
    assert len(digests) == 1
