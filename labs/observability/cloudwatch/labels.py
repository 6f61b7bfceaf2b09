"""Labels of time series: the default ones and the dynamic parts ``${...}``.

The default label of a metric is its name; when the metrics of one request differ in statistic, period or
dimension values, these are added (recorded from the service: ``metric1 Sum 60``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labs.observability.cloudwatch.math.values import Floats, Series
from labs.observability.cloudwatch.store import MetricKey

_PART = re.compile(r"\$\{([^}]*)\}")
_PROPERTY = re.compile(r"PROP\('([^']+)'\)")


@dataclass(frozen=True, slots=True)
class Source:
    """What a series was read from."""

    key: MetricKey
    statistic: str
    period_s: int


def default_labels(sources: Sequence[Source]) -> list[str]:
    """One label for each source, with what tells it from the others."""
    varied_dimensions = _varied_dimensions(sources)
    shows_statistic = len({source.statistic for source in sources}) > 1
    shows_period = len({source.period_s for source in sources}) > 1
    labels = []
    for source in sources:
        dimensions = dict(source.key.dimensions)
        parts = [dimensions[name] for name in varied_dimensions if name in dimensions]
        parts.append(source.key.name)
        parts += [source.statistic] if shows_statistic else []
        parts += [str(source.period_s)] if shows_period else []
        labels.append(" ".join(parts))
    return labels


def _varied_dimensions(sources: Sequence[Source]) -> list[str]:
    names = sorted({name for source in sources for name, _ in source.key.dimensions})
    per_name = {name: {dict(source.key.dimensions).get(name) for source in sources} for name in names}
    return [name for name, values in per_name.items() if len(values) > 1]


_AGGREGATES: Mapping[str, Callable[[Floats], float]] = {
    "MAX": np.max,
    "MIN": np.min,
    "AVG": np.mean,
    "SUM": np.sum,
    "FIRST": lambda values: float(values[0]),
    "LAST": lambda values: float(values[-1]),
    "DATAPOINT_COUNT": lambda values: float(values.size),
}


def filled_label(template: str, default: str, series: Series, source: Source | None) -> str:
    """``template`` with its dynamic parts filled; an unknown part stays as it is."""

    def part(match: re.Match[str]) -> str:
        name = match.group(1).strip()
        if name == "LABEL":
            return default
        if name in _AGGREGATES:
            return f"{float(_AGGREGATES[name](series.values)):.6g}" if series.values.size else "--"
        asked = _PROPERTY.fullmatch(name)
        if asked and source is not None:
            return _property(asked.group(1), source)
        return match.group(0)

    return _PART.sub(part, template)


def _property(name: str, source: Source) -> str:
    known = {
        "Namespace": source.key.namespace,
        "MetricName": source.key.name,
        "Stat": source.statistic,
        "Period": str(source.period_s),
        **{f"Dim.{dimension}": value for dimension, value in source.key.dimensions},
    }
    return known.get(name, "")
