"""The queries of one request (MetricStat or Expression), computed on demand.

Serves GetMetricData and alarms alike; knows neither paging nor the order of results.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labs.errors import AwsError
from labs.observability.cloudwatch.ingest import datum_key, dimensions_of, unit_refusal
from labs.observability.cloudwatch.labels import Source, default_labels, filled_label
from labs.observability.cloudwatch.math.evaluation import evaluate
from labs.observability.cloudwatch.math.functions import Span
from labs.observability.cloudwatch.math.syntax import MathError, Node, functions, names, parse
from labs.observability.cloudwatch.math.values import Floats, Series, Value, values_at
from labs.observability.cloudwatch.metric_search import parse_search
from labs.observability.cloudwatch.reading import is_valid_period, read, rounded_start
from labs.observability.cloudwatch.refusals import invalid_value, require, validation
from labs.observability.cloudwatch.statistics import Statistic, parse_statistic
from labs.observability.cloudwatch.store import MetricKey, MetricStore
from labs.observability.cloudwatch.units import STANDARD_UNITS
from labs.units import DAY_NS, SECOND_NS

MOST_SEARCHED = 500
"""Series that one SEARCH gives at most."""

_ID = re.compile(r"[a-z][a-zA-Z0-9_]{0,254}")
_LONGEST_EXPRESSION = 2048


@dataclass(frozen=True, slots=True)
class MetricStat:
    """One metric to read."""

    key: MetricKey
    statistic: Statistic
    period_s: int
    unit: str | None


@dataclass(frozen=True, slots=True)
class Query:
    """One checked query; either ``metric`` or ``tree`` is set."""

    id: str
    metric: MetricStat | None
    tree: Node | None
    label: str | None
    is_returned: bool
    period_s: int | None


def parse_queries(listed: Sequence[Mapping[str, Any]], parameter: str = "MetricDataQueries") -> list[Query]:
    """The checked queries of a request. Raises AwsError."""
    queries = [_parse_query(query, f"{parameter}.member.{i}.") for i, query in enumerate(listed, 1)]
    ids = [query.id for query in queries]
    if len(set(ids)) != len(ids):
        raise validation(f"The values for parameter id in {parameter} are not unique.")
    for query in queries:
        if query.tree is None:
            continue
        for name in names(query.tree):
            if name not in ids:
                raise expression_refusal(query.id, f"Undefined variable '{name}'")
    return queries


def expression_refusal(query_id: str, why: str) -> AwsError:
    """The refusal of an expression that cannot be read or computed."""
    return validation(f"Error in expression '{query_id}': {why}")


def _parse_query(query: Mapping[str, Any], prefix: str) -> Query:
    require(query, "Id", prefix=prefix)
    if not _ID.fullmatch(query["Id"]):
        raise validation(
            f"The value {query['Id']} for parameter {prefix}Id is not matching the expected pattern "
            "^[a-z][a-zA-Z0-9_]*$."
        )
    stat, expression = query.get("MetricStat"), query.get("Expression")
    if (stat is None) == (expression is None):
        raise validation(f"Exactly one of the parameters {prefix}MetricStat and {prefix}Expression must be specified.")
    period_s = query.get("Period")
    if period_s is not None:
        _check_period(period_s, f"{prefix}Period")
    return Query(
        id=query["Id"],
        metric=None if stat is None else _parse_stat(stat, f"{prefix}MetricStat."),
        tree=None if expression is None else _parse_expression(query["Id"], expression, prefix),
        label=query.get("Label"),
        is_returned=query.get("ReturnData") is not False,
        period_s=period_s,
    )


def _parse_expression(query_id: str, expression: str, prefix: str) -> Node:
    if not 1 <= len(expression) <= _LONGEST_EXPRESSION:
        raise validation(f"The parameter {prefix}Expression must have 1 to {_LONGEST_EXPRESSION} characters.")
    if expression.lstrip().upper().startswith("SELECT "):
        raise expression_refusal(query_id, "Metrics Insights queries are not served by this CloudWatch")
    try:
        return parse(expression)
    except MathError as error:
        raise expression_refusal(query_id, str(error)) from error


def _parse_stat(stat: Mapping[str, Any], prefix: str) -> MetricStat:
    require(stat, "Metric", "Period", "Stat", prefix=prefix)
    metric = stat["Metric"]
    require(metric, "Namespace", "MetricName", prefix=f"{prefix}Metric.")
    dimensions_of(metric.get("Dimensions"), f"{prefix}Metric.")
    _check_period(stat["Period"], f"{prefix}Period")
    try:
        statistic = parse_statistic(stat["Stat"])
    except ValueError as error:
        raise invalid_value(f"The value {stat['Stat']} for parameter {prefix}Stat is invalid.") from error
    unit = stat.get("Unit")
    if unit is not None and unit not in STANDARD_UNITS:
        raise unit_refusal(f"{prefix}Unit")
    return MetricStat(datum_key(metric["Namespace"], metric), statistic, stat["Period"], unit)


def _check_period(period_s: int, at: str) -> None:
    if not is_valid_period(period_s):
        raise invalid_value(f"The parameter {at} must be 1, 5, 10, 20, 30 or a multiple of 60.")


@dataclass(frozen=True, slots=True)
class Result:
    """One time series of the answer, in rising order of time."""

    id: str
    series: Series
    messages: tuple[tuple[str, str], ...] = ()


class Computation:
    """The queries of a request over [start, end), as can be read at ``as_of_ns``. One use.

    ``notices`` are code and text of what concerns the request as a whole; complete after ``results``.
    """

    def __init__(
        self,
        store: MetricStore,
        queries: Sequence[Query],
        span_ns: tuple[int, int],
        as_of_ns: int,
        phase_ns: int = 0,
    ) -> None:
        self._store = store
        self._queries = {query.id: query for query in queries}
        self._span_ns = span_ns
        self._as_of_ns = as_of_ns
        self._phase_ns = phase_ns
        self._values: dict[str, Value] = {}
        self._messages: dict[str, tuple[tuple[str, str], ...]] = {}
        self._counts: dict[str, Series] = {}
        self._open: list[str] = []
        self.notices: list[tuple[str, str]] = []
        self._sources = {q.id: _source(q.metric) for q in queries if q.metric is not None}
        self._default_labels = dict(zip(self._sources, default_labels(list(self._sources.values())), strict=True))

    def results(self) -> list[Result]:
        """The series of all queries that are to be returned. Raises AwsError."""
        results: list[Result] = []
        for query in self._queries.values():
            if query.is_returned:
                results.extend(self.results_of(query))
        return results

    def results_of(self, query: Query) -> list[Result]:
        """The series of one query. Raises AwsError when the value is no series."""
        try:
            value = self.value_of(query.id)
        except MathError as error:
            raise expression_refusal(query.id, str(error)) from error
        if isinstance(value, Series):
            series = replace(value, label=self._label(query, value))
            return [Result(query.id, series, self._messages.get(query.id, ()))]
        if isinstance(value, tuple):
            named = (replace(member, label=self._label(query, member)) for member in value)
            return [Result(query.id, member) for member in named]
        raise expression_refusal(query.id, "The expression does not give a time series")

    def sample_counts(self, series: Series) -> Floats:
        """Samples behind each point of ``series``: of the only metric, or the fewest of several; else 0."""
        counts = [values_at(count, series.stamps_ns, 0.0) for count in self._counts.values()]
        return counts[0] if len(counts) == 1 else values_at(series, series.stamps_ns, 0.0) * 0

    def value_of(self, query_id: str) -> Value:
        """See ``math.evaluation.Surroundings``."""
        if query_id in self._values:
            return self._values[query_id]
        query = self._queries.get(query_id)
        if query is None:
            raise MathError(f"Undefined variable '{query_id}'")
        if query_id in self._open:
            raise MathError("Circular dependency in the metrics list.")
        self._open.append(query_id)
        value: Value
        if query.metric is not None:
            value = self._read(query_id, query.metric)
        else:
            assert query.tree is not None
            value = evaluate(query.tree, self._span(query), self)
        self._open.pop()
        self._values[query_id] = value
        return value

    def metrics(self, part_of_id: str) -> tuple[Series, ...]:
        """See ``math.evaluation.Surroundings``."""
        found = [query for query in self._queries.values() if query.metric and part_of_id in query.id]
        values = [(query, self.value_of(query.id)) for query in found]
        return tuple(
            replace(value, label=self._label(query, value)) for query, value in values if isinstance(value, Series)
        )

    def search(self, query: str, statistic: str, period_s: int) -> tuple[Series, ...]:
        """See ``math.evaluation.Surroundings``. Series come in order of their metrics' keys."""
        search = parse_search(query)
        try:
            wanted = parse_statistic(statistic)
        except ValueError as error:
            raise MathError(f"Invalid statistic '{statistic}' in SEARCH") from error
        if not is_valid_period(period_s):
            raise MathError("Invalid period in SEARCH")
        keys = [k for k in self._store.metrics(self._as_of_ns, self._as_of_ns - 14 * DAY_NS) if search.finds(k)]
        if len(keys) > MOST_SEARCHED:
            self.notices.append(("MaxMetricsExceeded", "Maximum allowed metrics exceeded"))
        stats = [MetricStat(key, wanted, period_s, None) for key in keys[:MOST_SEARCHED]]
        labels = default_labels([_source(stat) for stat in stats])
        return tuple(replace(self._series(stat)[0], label=label) for stat, label in zip(stats, labels, strict=True))

    def _span(self, query: Query) -> Span:
        """The span that functions such as FILL cover; nothing is filled after ``as_of_ns``."""
        period_s = query.period_s or max(
            (other.metric.period_s for other in self._queries.values() if other.metric), default=60
        )
        start_ns = rounded_start(self._span_ns[0], self._as_of_ns, period_s)
        end_ns = min(self._span_ns[1], self._as_of_ns)
        return Span(start_ns, end_ns, period_s * SECOND_NS, self._phase_ns)

    def _read(self, query_id: str, stat: MetricStat) -> Series:
        series, counts, units = self._series(stat)
        self._counts[query_id] = counts
        if len(units) > 1:
            text = f"Multiple units returned: '[{', '.join(units)}]'"
            self._messages[query_id] = (("MultipleUnits", text),)
        return series

    def _series(self, stat: MetricStat) -> tuple[Series, Series, tuple[str, ...]]:
        start_ns = rounded_start(self._span_ns[0], self._as_of_ns, stat.period_s)
        span_ns = (start_ns, self._span_ns[1])
        found = read(
            self._store,
            stat.key,
            stat.statistic,
            stat.period_s,
            span_ns,
            self._as_of_ns,
            unit=stat.unit,
            phase_ns=self._phase_ns,
        )
        buckets, period_ns = found.buckets, stat.period_s * SECOND_NS
        series = Series(buckets.stamps_ns, buckets.values, period_ns)
        return series, Series(buckets.stamps_ns, buckets.counts, period_ns), found.units

    def _label(self, query: Query, series: Series) -> str:
        default = self._default_labels.get(query.id) or series.label or query.label or query.id
        if query.label is None:
            return default
        return filled_label(query.label, series.label or default, series, self._sources.get(query.id))


def _source(stat: MetricStat) -> Source:
    return Source(stat.key, stat.statistic.name, stat.period_s)


def uses_search(query: Query) -> bool:
    """Whether the query's expression searches for metrics."""
    return query.tree is not None and "SEARCH" in functions(query.tree)
