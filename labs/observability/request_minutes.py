"""The ledger of requests as a load balancer counts them: by minute, target group and zone.

Source: "CloudWatch metrics for your Application Load Balancer": a request counts for a target group when a target
was chosen for it, whether or not that target answered; the balancer's own replies count beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from labs.dataplane.load_balancer import Health, LoadBalancer
from labs.dataplane.traffic.ledger import ROW, Ledger
from labs.dataplane.traffic.outcome import Outcome
from labs.observability.cloudwatch.alb import BalancerMinute, TargetMinute
from labs.units import MICROSECOND_NS, MINUTE_NS, SECOND_NS

CLIENT_CLOSED = (Outcome.TIMEOUT, Outcome.ABANDONED)
"""The client went away before the answer: status 460 of the balancer."""
CLIENT_CLOSED_STATUS = 460
GENERATED = (Outcome.GATEWAY_502, Outcome.GATEWAY_503, Outcome.GATEWAY_504)

Rows = NDArray[np.void]


class RequestMinutes:
    """Implements ``cloudwatch.alb.RequestLedger``. Minutes are asked for in order, each when it is over."""

    def __init__(self, ledger: Ledger, balancers: Mapping[tuple[str, str], LoadBalancer], zones: Sequence[str]) -> None:
        self._ledger = ledger
        self._balancers = balancers
        self._zones = tuple(zones)
        self._next_row = 0
        self._later: Rows = np.empty(0, ROW)
        self._minute_ns = -1
        self._rows: Rows = self._later

    def target_minutes(self, start_ns: int) -> Iterable[TargetMinute]:
        """Each target group in each zone."""
        rows = self._of_minute(start_ns)
        for balancer in self._balancers.values():
            own = self._of_balancer(rows, balancer)
            for zone in self._zones:
                yield self._target_minute(own[self._is_in_zone(own, zone)], balancer, zone)

    def balancer_minutes(self, start_ns: int) -> Iterable[BalancerMinute]:
        """Each balancer in each zone; a request without a target is the first zone's."""
        rows = self._of_minute(start_ns)
        for balancer in self._balancers.values():
            own = self._of_balancer(rows, balancer)
            for place, zone in enumerate(self._zones):
                in_zone = self._is_in_zone(own, zone)
                if place == 0:
                    in_zone |= own["station"] < 0
                yield BalancerMinute(balancer.arn_suffix, zone, _generated(own[in_zone]))

    def _of_minute(self, start_ns: int) -> Rows:
        """The requests that ended in a minute; later ones are kept for the next."""
        if start_ns != self._minute_ns:
            fresh = self._ledger.rows(self._next_row)
            self._next_row += len(fresh)
            rows = np.concatenate([self._later, fresh])
            is_later = rows["finished_ns"] >= start_ns + MINUTE_NS
            self._minute_ns, self._rows, self._later = start_ns, rows[~is_later], rows[is_later]
        return self._rows

    def _of_balancer(self, rows: Rows, balancer: LoadBalancer) -> Rows:
        sources = [source.index for source in self._ledger.sources if source.service == balancer.target]
        found: Rows = rows[np.isin(rows["source"], sources)]
        return found

    def _is_in_zone(self, rows: Rows, zone: str) -> NDArray[np.bool_]:
        places = [index for index, place in enumerate(self._ledger.places) if place.zone == zone]
        return np.isin(rows["station"], places)

    def _target_minute(self, rows: Rows, balancer: LoadBalancer, zone: str) -> TargetMinute:
        outcomes = rows["outcome"]
        answered = np.isin(outcomes, [each for each in Outcome if each <= Outcome.APP_504])
        errors = int(np.count_nonzero(answered & (outcomes != Outcome.OK)))
        healths = [target.health for target in balancer.targets.values() if target.endpoint.zone == zone]
        return TargetMinute(
            load_balancer=balancer.arn_suffix,
            target_group=balancer.target_group_arn_suffix,
            availability_zone=zone,
            requests=len(rows),
            responses={2: int(np.count_nonzero(answered)) - errors, 5: errors},
            response_times_s=rows["target_us"][answered] * (MICROSECOND_NS / SECOND_NS),
            healthy_hosts=sum(1 for health in healths if health is Health.HEALTHY),
            unhealthy_hosts=sum(1 for health in healths if health is Health.UNHEALTHY),
            connection_errors=int(np.count_nonzero(outcomes == Outcome.GATEWAY_502)),
        )


def _generated(rows: Rows) -> dict[int, int]:
    """The balancer's own replies by status."""
    counts = {each.status: int(np.count_nonzero(rows["outcome"] == each)) for each in GENERATED}
    counts[CLIENT_CLOSED_STATUS] = int(np.count_nonzero(np.isin(rows["outcome"], CLIENT_CLOSED)))
    return counts
