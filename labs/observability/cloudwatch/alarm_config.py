"""PutMetricAlarm: checks of the request, and what an evaluation needs of it.

Rules: API reference of PutMetricAlarm; texts of refusals follow the service's form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labs.errors import AwsError
from labs.observability.cloudwatch.alarm_reason import Criteria
from labs.observability.cloudwatch.alarm_state import TREATMENTS
from labs.observability.cloudwatch.metric_queries import Query, expression_refusal, parse_queries, uses_search
from labs.observability.cloudwatch.refusals import (
    bad_value,
    check_enum,
    check_length,
    constraint,
    invalid_combination,
    invalid_value,
    missing,
    require,
    validation,
)
from labs.observability.cloudwatch.statistics import BASIC, Statistic, parse_statistic
from labs.observability.cloudwatch.units import STANDARD_UNITS
from labs.units import SECOND_NS

OPERATORS = (
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
)
BAND_OPERATORS = (
    "LessThanLowerOrGreaterThanUpperThreshold",
    "LessThanLowerThreshold",
    "GreaterThanUpperThreshold",
)
MOST_ACTIONS = 5
MOST_QUERIES = 10
ACTION_LISTS = ("OKActions", "AlarmActions", "InsufficientDataActions")
_SINGLE_ONLY = ("Namespace", "MetricName", "Dimensions", "Period", "Unit", "Statistic", "ExtendedStatistic")
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class MetricAlarmRule:
    """A metric alarm as its evaluation sees it; ``watched`` is the id of the query that it compares."""

    queries: tuple[Query, ...]
    watched: Query
    criteria: Criteria
    m: int
    period_s: int
    percentile: Statistic | None
    keeps_on_few_samples: bool

    @property
    def period_ns(self) -> int:
        """The period in nanoseconds."""
        return self.period_s * SECOND_NS


def parse_metric_alarm(params: Mapping[str, Any]) -> MetricAlarmRule:
    """The checked rule of a PutMetricAlarm request. Raises AwsError."""
    check_common(params)
    _check_served(params)
    require(params, "ComparisonOperator", "EvaluationPeriods")
    check_enum(params, "ComparisonOperator", (*OPERATORS, *BAND_OPERATORS))
    _check_options(params)
    if params.get("Metrics"):
        queries, watched, period_s = _from_metrics(params)
    else:
        queries, watched, period_s = _from_single(params)
    n, m = params["EvaluationPeriods"], params.get("DatapointsToAlarm")
    _check_periods(n, m, period_s)
    if params.get("Threshold") is None:
        raise missing("Threshold")
    statistic = watched.metric.statistic if watched.metric else None
    criteria = Criteria(
        n=n,
        m=m,
        operator=params["ComparisonOperator"],
        threshold=float(params["Threshold"]),
        treatment=params.get("TreatMissingData") or "missing",
        period_s=period_s,
        statistic=statistic.name if statistic else None,
        unit=watched.metric.unit if watched.metric else None,
    )
    return MetricAlarmRule(
        queries=tuple(queries),
        watched=watched,
        criteria=criteria,
        m=n if m is None else m,
        period_s=period_s,
        percentile=statistic if statistic and statistic.kind == "p" else None,
        keeps_on_few_samples=params.get("EvaluateLowSampleCountPercentile") == "ignore",
    )


def check_common(params: Mapping[str, Any]) -> None:
    """Checks that metric and composite alarms share. Raises AwsError."""
    require(params, "AlarmName")
    check_length(params, "AlarmName", 255)
    if any(character < " " for character in params["AlarmName"]):
        raise invalid_value("The parameter AlarmName must not contain control characters.")
    check_length(params, "AlarmDescription", 1024)
    for name in ACTION_LISTS:
        check_length(params, name, MOST_ACTIONS)
        for action in params.get(name) or ():
            if not action.startswith("arn:"):
                raise validation(f"Invalid arn syntax: {action}")
    check_tags(params.get("Tags") or ())


def check_tags(tags: Sequence[Mapping[str, str]]) -> None:
    """Raises AwsError for more than 50 tags, or keys and values of a wrong length."""
    if len(tags) > 50:
        raise invalid_value("The collection Tags must not have a size greater than 50.")
    for place, tag in enumerate(tags, 1):
        require(tag, "Key", prefix=f"Tags.member.{place}.")
        if len(tag["Key"]) > 128 or len(tag.get("Value") or "") > 256:
            raise bad_value(tag["Key"], f"Tags.member.{place}")


def _check_served(params: Mapping[str, Any]) -> None:
    for name in ("EvaluationCriteria", "EvaluationInterval", "WarmUpConfiguration", "ActionConfiguration"):
        if params.get(name) is not None:
            raise invalid_value(f"The parameter {name} is not served by this CloudWatch.")
    if "WallClockWindow" in (params.get("EvaluationWindow") or {}):
        raise invalid_value("Wall clock evaluation windows are not served by this CloudWatch.")
    if params.get("ThresholdMetricId") is not None or params.get("ComparisonOperator") in BAND_OPERATORS:
        raise invalid_value("Alarms on anomaly detection bands are not served by this CloudWatch.")


def _check_options(params: Mapping[str, Any]) -> None:
    treatment, few = params.get("TreatMissingData"), params.get("EvaluateLowSampleCountPercentile")
    if treatment is not None and treatment not in TREATMENTS:
        raise validation(
            f"The value {treatment} is not supported for TreatMissingData parameter. "
            "Supported values are [breaching, notBreaching, ignore, missing]."
        )
    if few is not None and few not in ("evaluate", "ignore"):
        raise validation(
            f"Option {few} is not supported. Supported options for parameter "
            "EvaluateLowSampleCountPercentile are evaluate and ignore."
        )


def _check_periods(n: int, m: int | None, period_s: int) -> None:
    for name, value in (("evaluationPeriods", n), ("datapointsToAlarm", m)):
        if value is not None and value < 1:
            raise constraint(value, name, "Member must have value greater than or equal to 1")
    if m is not None and m > n:
        raise validation("DatapointsToAlarm must be less than or equal to EvaluationPeriods.")
    longest_s = 7 * _DAY_S if period_s >= 3600 else _DAY_S
    if n * period_s > longest_s:
        raise validation(
            "Metrics cannot be checked across more than "
            + ("seven days" if period_s >= 3600 else "a day")
            + " (EvaluationPeriods * Period must be <= "
            + f"{longest_s})."
        )


def _from_single(params: Mapping[str, Any]) -> tuple[list[Query], Query, int]:
    require(params, "MetricName", "Namespace", "Period")
    _check_alarm_period(params["Period"], "Period")
    statistic, extended = params.get("Statistic"), params.get("ExtendedStatistic")
    if (statistic is None) == (extended is None):
        raise validation("Exactly one of Statistic and ExtendedStatistic must be specified.")
    check_enum(params, "Statistic", BASIC)
    check_enum(params, "Unit", STANDARD_UNITS)
    if extended is not None:
        _check_extended(extended)
    elif params.get("EvaluateLowSampleCountPercentile") is not None:
        raise validation("EvaluateLowSampleCountPercentile is supported for percentile statistics only.")
    metric = {name: params.get(name) for name in ("Namespace", "MetricName", "Dimensions")}
    stat = {"Metric": metric, "Period": params["Period"], "Stat": statistic or extended, "Unit": params.get("Unit")}
    query = parse_queries([{"Id": "m1", "MetricStat": stat}], "Metrics")[0]
    return [query], query, params["Period"]


def _check_extended(extended: str) -> None:
    refusal = validation(f"The value {extended} for parameter ExtendedStatistic is not supported.")
    try:
        statistic = parse_statistic(extended)
    except ValueError as error:
        raise refusal from error
    if statistic.is_basic:
        raise refusal


def _check_alarm_period(period_s: int, at: str) -> None:
    if period_s not in (10, 20, 30) and (period_s < 60 or period_s % 60):
        raise validation(f"{at} must be 10, 20, 30 or a multiple of 60.")


def _from_metrics(params: Mapping[str, Any]) -> tuple[list[Query], Query, int]:
    for name in _SINGLE_ONLY:
        if params.get(name):
            raise invalid_combination(
                f"The parameters Metrics and {name} are mutually exclusive and you have specified both."
            )
    listed: Sequence[Mapping[str, Any]] = params["Metrics"]
    if len(listed) > MOST_QUERIES:
        raise validation(f"The collection Metrics must not have a size greater than {MOST_QUERIES}.")
    queries = parse_queries(listed, "Metrics")
    watched = [query for query in queries if query.is_returned]
    if len(watched) != 1:
        raise validation("Exactly one element of the metrics list should return data.")
    periods = {query.metric.period_s for query in queries if query.metric}
    periods |= {query.period_s for query in queries if query.period_s is not None}
    if any(uses_search(query) for query in queries):
        raise validation("SEARCH is not supported on Metric Alarms.")
    if not periods:
        raise validation("Period must be specified for the expression that the alarm watches.")
    if len(periods) > 1:
        raise validation("All metrics of a metric math alarm must have the same period.")
    period_s = periods.pop()
    _check_alarm_period(period_s, "Period")
    return queries, watched[0], period_s


def several_series_refusal(query: Query) -> AwsError:
    """The refusal of an alarm on an expression that gives an array."""
    return expression_refusal(query.id, "The expression must give a single time series")
