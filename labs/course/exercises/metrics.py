"""What exercises put learners' alarms and queries on: the engine's CloudWatch on a clock of its own, with made data.

Made data are minutes by metric name: a list with one item for each minute, the values of its requests (or one
number, or None for a minute that was not published), readable a minute after its end, as production's is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.loaders
import botocore.model
import botocore.validate

from labs.course.exercises.exercise import WrongFormError, shown
from labs.observability.cloudwatch.service import CloudWatch
from labs.observability.cloudwatch.wire import from_wire, to_wire
from labs.sim.loop import Loop
from labs.units import MINUTE_NS, SECOND_NS, parse_rfc3339

START_NS = parse_rfc3339("2026-03-02T09:00:00Z")
DELAY_NS = 60 * SECOND_NS
"""From the end of a minute until its number can be read."""
ACCOUNT, REGION = "123456789012", "us-east-1"
ALARM_NAME = "exercise"

MadeMinutes = Mapping[str, Sequence[Sequence[float] | float | None]]


@dataclass(frozen=True, slots=True)
class Source:
    """Where made data lies: the namespace, and the names of the dimensions that a query must have, all of them."""

    namespace: str
    dimensions: frozenset[str]


BALANCER = Source("AWS/ApplicationELB", frozenset({"LoadBalancer"}))
FRONTEND = Source("ContainerInsights", frozenset({"ClusterName", "Namespace", "PodName"}))


def alarming_minutes(alarm: Any, made: MadeMinutes, source: Source = BALANCER) -> list[int]:
    """The minutes (from 0) whose newest data left the alarm in ALARM. Raises LabError for a bad PutMetricAlarm."""
    if not isinstance(alarm, dict):
        raise WrongFormError(
            f"The answer is {shown(alarm)}; the parameters of put_metric_alarm are asked for, as a dict."
        )
    request = _checked("PutMetricAlarm", {"AlarmName": ALARM_NAME} | alarm)
    loop, watch = _watch_with(made, source, _stats_of(request))
    watch.call("PutMetricAlarm", request)
    alarming = []
    for minute in range(_length(made)):
        # The last moment before the data of the next minute can be read.
        loop.run_until(START_NS + (minute + 1) * MINUTE_NS + DELAY_NS + MINUTE_NS - SECOND_NS)
        if watch.alarm_state(request["AlarmName"]) == "ALARM":
            alarming.append(minute)
    return alarming


def queried(queries: Any, made: MadeMinutes, source: Source = BALANCER) -> list[list[float]]:
    """What GetMetricData answers: for each returned query its values, minute by minute. Raises LabError."""
    if not isinstance(queries, list):
        raise WrongFormError(f"The answer is {shown(queries)}; a list of queries is asked for.")
    end_ns = START_NS + _length(made) * MINUTE_NS
    times = {"StartTime": START_NS, "EndTime": end_ns, "ScanBy": "TimestampAscending"}
    request = _checked("GetMetricData", to_wire({"MetricDataQueries": queries} | times))
    loop, watch = _watch_with(made, source, _stats_of({"Metrics": queries}))
    loop.run_until(end_ns + DELAY_NS)
    return [result["Values"] for result in watch.call("GetMetricData", from_wire(request))["MetricDataResults"]]


def _checked(action: str, request: dict[str, Any]) -> dict[str, Any]:
    """The request, if it has the shape that boto3 demands. Raises WrongFormError with boto3's words."""
    report = botocore.validate.ParamValidator().validate(request, _model().operation_model(action).input_shape)
    if report.has_errors():
        raise WrongFormError(f"boto3 refuses it: {report.generate_report()}")
    return request


@cache
def _model() -> botocore.model.ServiceModel:
    return botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("cloudwatch", "service-2"))


def _stats_of(request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The metrics that an alarm or a list of queries names."""
    queries = [each["MetricStat"]["Metric"] for each in request.get("Metrics", ()) if "MetricStat" in each]
    return [*queries, *([request] if "MetricName" in request else [])]


def _length(made: MadeMinutes) -> int:
    return max(map(len, made.values()))


def _watch_with(made: MadeMinutes, source: Source, metrics: Iterable[Mapping[str, Any]]) -> tuple[Loop, CloudWatch]:
    """A CloudWatch that has made data for those of ``metrics`` that name the source exactly; others have none."""
    loop = Loop(START_NS)
    watch = CloudWatch(loop, ACCOUNT, REGION)
    written = set()
    for metric in metrics:
        dimensions = tuple((each["Name"], each["Value"]) for each in metric.get("Dimensions", ()))
        name, place = metric.get("MetricName", ""), (metric.get("MetricName"), dimensions)
        is_there = metric.get("Namespace") == source.namespace and {key for key, _ in dimensions} == source.dimensions
        if name not in made or not is_there or place in written:
            continue
        written.add(place)
        for minute, values in enumerate(made[name]):
            if values is not None and values != []:
                start_ns = START_NS + minute * MINUTE_NS
                available_ns = start_ns + MINUTE_NS + DELAY_NS
                watch.put(source.namespace, name, dimensions, start_ns, values, available_at_ns=available_ns)
    return loop, watch
