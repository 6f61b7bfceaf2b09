"""GetMetricData: order, paging and the form of the answer.

A page is filled query by query, up to ``MaxDatapoints`` points. Every page names every series; a series that
goes on on a later page has StatusCode PartialData. All pages show the data as it was at the first one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from labs.observability.cloudwatch.metric_queries import Computation, Result, parse_queries
from labs.observability.cloudwatch.paging import make_token, read_token
from labs.observability.cloudwatch.refusals import check_enum, require, validation
from labs.observability.cloudwatch.store import MetricStore

MOST_QUERIES = 500
MOST_DATAPOINTS = 100_800


def get_metric_data(store: MetricStore, now_ns: int, params: Mapping[str, Any]) -> dict[str, Any]:
    """One page of results. Raises AwsError."""
    require(params, "MetricDataQueries", "StartTime", "EndTime")
    check_enum(params, "ScanBy", ("TimestampDescending", "TimestampAscending"))
    if len(params["MetricDataQueries"]) > MOST_QUERIES:
        raise validation(f"The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}.")
    if params["StartTime"] >= params["EndTime"]:
        raise validation("The parameter StartTime must be less than the parameter EndTime.")
    size = params.get("MaxDatapoints") or MOST_DATAPOINTS
    if not 1 <= size <= MOST_DATAPOINTS:
        raise validation(f"The parameter MaxDatapoints must be between 1 and {MOST_DATAPOINTS}.")
    queries = parse_queries(params["MetricDataQueries"])
    if not any(query.is_returned for query in queries):
        raise validation("At least one of the queries must have ReturnData set to true.")
    first, as_of_ns = read_token(params, 2) or (0, now_ns)
    computation = Computation(store, queries, (params["StartTime"], params["EndTime"]), as_of_ns)
    results = computation.results()
    is_newest_first = params.get("ScanBy") != "TimestampAscending"
    answer: dict[str, Any] = {
        "MetricDataResults": _page(results, first, size, is_newest_first),
        "Messages": _messages(computation.notices),
    }
    if first + size < sum(result.series.values.size for result in results):
        answer["NextToken"] = make_token(params, first + size, as_of_ns)
    return answer


def _page(results: list[Result], first: int, size: int, is_newest_first: bool) -> list[dict[str, Any]]:
    shown, offset = [], 0
    for result in results:
        length = result.series.values.size
        start = min(max(first - offset, 0), length)
        end = min(max(first + size - offset, 0), length)
        shown.append(_result(result, start, end, is_newest_first))
        offset += length
    return shown


def _result(result: Result, start: int, end: int, is_newest_first: bool) -> dict[str, Any]:
    step = -1 if is_newest_first else 1
    stamps, values = result.series.stamps_ns[::step], result.series.values[::step]
    member: dict[str, Any] = {
        "Id": result.id,
        "Label": result.series.label,
        "Timestamps": stamps[start:end].tolist(),
        "Values": values[start:end].tolist(),
        "StatusCode": "Complete" if end == values.size else "PartialData",
    }
    if result.messages:
        member["Messages"] = _messages(result.messages)
    return member


def _messages(notices: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"Code": code, "Value": text} for code, text in notices]
