"""A tree and a place to look things up, to a value."""

from __future__ import annotations

from typing import Protocol

from labs.observability.cloudwatch.math import functions
from labs.observability.cloudwatch.math.functions import Span
from labs.observability.cloudwatch.math.syntax import (
    Call,
    Group,
    MathError,
    Name,
    Negation,
    Node,
    Number,
    Operation,
    Text,
)
from labs.observability.cloudwatch.math.values import Series, Value, operate

NOT_SERVED = frozenset({"ANOMALY_DETECTION_BAND", "DB_PERF_INSIGHTS", "INSIGHT_RULE_METRIC", "LAMBDA", "SERVICE_QUOTA"})
"""Functions that exist in CloudWatch and are refused here by name."""


class Surroundings(Protocol):
    """What an expression can refer to outside itself."""

    def value_of(self, query_id: str) -> Value:
        """The value of another query of the request. Raises MathError when there is none."""
        ...

    def metrics(self, part_of_id: str) -> tuple[Series, ...]:
        """The metrics (not the expressions) of the request whose id contains the text."""
        ...

    def search(self, query: str, statistic: str, period_s: int) -> tuple[Series, ...]:
        """The series of all metrics that a search expression finds."""
        ...


def evaluate(node: Node, span: Span, surroundings: Surroundings) -> Value:
    """The value of a tree. Raises MathError."""
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Name):
        return surroundings.value_of(node.value)
    if isinstance(node, Negation):
        return operate("-", 0.0, evaluate(node.operand, span, surroundings))
    if isinstance(node, Operation):
        left = evaluate(node.left, span, surroundings)
        return operate(node.operator, left, evaluate(node.right, span, surroundings))
    if isinstance(node, Call):
        return _call(node, span, surroundings)
    if isinstance(node, Group):
        return _group(node, span, surroundings)
    return node.value


def _call(node: Call, span: Span, surroundings: Surroundings) -> Value:
    if node.function in NOT_SERVED:
        raise MathError(f"The function {node.function} is not served by this CloudWatch")
    if node.function == "METRICS":
        return surroundings.metrics(_texts(node, 0, 1)[0] if node.arguments else "")
    if node.function == "SEARCH":
        query, statistic = _texts(node, 2, 3)
        period_ns = span.period_ns
        if len(node.arguments) == 3:
            period = node.arguments[2]
            if not isinstance(period, Number) or period.value < 1:
                raise MathError("Invalid period in SEARCH")
            return surroundings.search(query, statistic, int(period.value))
        return surroundings.search(query, statistic, period_ns // 1_000_000_000)
    arguments = tuple(evaluate(argument, span, surroundings) for argument in node.arguments)
    return functions.call(node.function, span, arguments)


def _texts(node: Call, least: int, most: int) -> list[str]:
    texts = [argument.value for argument in node.arguments if isinstance(argument, Text)]
    if not least <= len(node.arguments) <= most or len(texts) < max(least, 1):
        raise MathError(f"Unsupported argument type(s) for {node.function}")
    return texts


def _group(node: Group, span: Span, surroundings: Surroundings) -> Value:
    members: list[Series] = []
    for member in node.members:
        value = evaluate(member, span, surroundings)
        if isinstance(value, Series):
            members.append(value)
        elif isinstance(value, tuple):
            members.extend(value)
        else:
            raise MathError("An array can hold time series only")
    return tuple(members)
