"""The shop's load balancer as CloudWatch knows it: its counters, what counts as failed, its minutes as a table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import boto3
import pandas as pd

from labs.course.observe import metric_frame, metric_query
from labs.errors import UsageError

NAMESPACE = "AWS/ApplicationELB"
COUNTERS = {
    "requests": "RequestCount",
    "target5": "HTTPCode_Target_5XX_Count",
    "elb5": "HTTPCode_ELB_5XX_Count",
    "elb503": "HTTPCode_ELB_503_Count",
}
"""Id in a formula -> metric. A counter that would be zero is not published."""
FAILED = "FILL(target5, 0) + FILL(elb5, 0)"
ERROR_PERCENT = f"100 * ({FAILED}) / (requests + FILL(elb503, 0))"
"""Of all requests: one that met no target at all (503) is missing from RequestCount."""
TIMES = {"p50": "p50", "p99": "p99", "mean": "Average", "slowest": "Maximum"}
"""Column -> statistic of TargetResponseTime, in seconds."""


@dataclass(frozen=True, slots=True)
class Balancer:
    """An Application Load Balancer by the name that its metrics carry as the dimension ``LoadBalancer``."""

    name: str

    def query(self, id: str, metric: str, stat: str) -> dict[str, Any]:
        """One query of GetMetricData, or of an alarm, for one-minute data of the whole load balancer."""
        return metric_query(id, NAMESPACE, metric, {"LoadBalancer": self.name}, stat)

    def error_rate(self) -> list[dict[str, Any]]:
        """The counters, held back, and the formula over them, which alone is answered: Id ``error_percent``."""
        counters = [self.query(name, metric, "Sum") | {"ReturnData": False} for name, metric in COUNTERS.items()]
        return [*counters, {"Id": "error_percent", "Expression": ERROR_PERCENT, "ReturnData": True}]

    def minutes(self, start: datetime, end: datetime) -> pd.DataFrame:
        """A row for each minute that was measured (its start): counters, failed, error_percent, and times in seconds.

        Counters that were not published are zero; times are nan in a minute without an answer. A minute of which
        nothing is known, since it was quiet or cannot be read yet, has no row.
        """
        queries = [self.query(name, metric, "Sum") for name, metric in COUNTERS.items()]
        queries += [{"Id": "failed", "Expression": FAILED}, {"Id": "error_percent", "Expression": ERROR_PERCENT}]
        queries += [self.query(name, "TargetResponseTime", stat) for name, stat in TIMES.items()]
        frame = metric_frame(boto3.client("cloudwatch"), queries, start, end)
        frame = frame.reindex(columns=[query["Id"] for query in queries])
        frame = frame.dropna(how="all", subset=[*COUNTERS, *TIMES])  # a formula with FILL has a value for each minute
        counts = [*COUNTERS, "failed", "error_percent"]
        frame[counts] = frame[counts].fillna(0.0)
        return frame


def find_balancer() -> Balancer:
    """The load balancer that has reported requests. Raises UsageError when none has, or several have."""
    found = boto3.client("cloudwatch").list_metrics(Namespace=NAMESPACE, MetricName="RequestCount")["Metrics"]
    alone = [metric["Dimensions"][0]["Value"] for metric in found if len(metric["Dimensions"]) == 1]
    if len(alone) != 1:
        raise UsageError(
            f"{len(alone)} load balancers have reported requests to CloudWatch, and one is needed: is the shop "
            "applied, and did two minutes pass?"
        )
    return Balancer(alone[0])
