"""GetMetricData, GetMetricStatistics and ListMetrics."""

from __future__ import annotations

from typing import Any

import pytest
from cloudwatch_client import START_NS, Cloud

from labs.observability.cloudwatch.wire import from_wire
from labs.units import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS

Shape = dict[str, Any]
POD = (("PodName", "frontend"),)


def stat(query_id: str, metric: str = "Requests", statistic: str = "Sum", **more: Any) -> Shape:
    dimensions = [{"Name": name, "Value": value} for name, value in more.pop("dimensions", ())]
    period, unit = more.pop("period", 60), more.pop("unit", None)
    inner: Shape = {
        "Metric": {"Namespace": "Shop", "MetricName": metric, "Dimensions": dimensions},
        "Period": period,
        "Stat": statistic,
    }
    if unit:
        inner["Unit"] = unit
    return {"Id": query_id, "MetricStat": inner, **more}


def math(query_id: str, expression: str, **more: Any) -> Shape:
    return {"Id": query_id, "Expression": expression, **more}


def ask(cloud: Cloud, *queries: Shape, minutes: int = 10, **more: Any) -> Shape:
    params: Shape = {
        "MetricDataQueries": list(queries),
        "StartTime": START_NS,
        "EndTime": START_NS + minutes * MINUTE_NS,
        **more,
    }
    return cloud("GetMetricData", **params)


def values(cloud: Cloud, *queries: Shape, **more: Any) -> list[list[float]]:
    more.setdefault("ScanBy", "TimestampAscending")
    return [result["Values"] for result in ask(cloud, *queries, **more)["MetricDataResults"]]


@pytest.fixture
def shop(cloud: Cloud) -> Cloud:
    """Ten minutes: Requests 10, 20, ..., 100 and Errors 5 in minutes 2 and 3 only."""
    for minute in range(10):
        at_ns = START_NS + minute * MINUTE_NS
        cloud.watch.put("Shop", "Requests", (), at_ns, 10.0 * (minute + 1), unit="Count")
        cloud.watch.put("Shop", "Requests", POD, at_ns, 1.0, unit="Count")
        if minute in (2, 3):
            cloud.watch.put("Shop", "Errors", (), at_ns, 5.0, unit="Count")
    cloud.wait(10)
    return cloud


def test_the_newest_point_comes_first_unless_told(shop: Cloud) -> None:
    (result,) = ask(shop, stat("m1"), minutes=3)["MetricDataResults"]
    assert result["Values"] == [30.0, 20.0, 10.0]
    assert result["Timestamps"] == [START_NS + minute * MINUTE_NS for minute in (2, 1, 0)]
    assert (result["Id"], result["Label"], result["StatusCode"]) == ("m1", "Requests", "Complete")
    assert values(shop, stat("m1"), minutes=3) == [[10.0, 20.0, 30.0]]


def test_dimensions_match_exactly(shop: Cloud) -> None:
    assert values(shop, stat("m1", dimensions=POD), minutes=2) == [[1.0, 1.0]]
    assert values(shop, stat("m1", dimensions=(*POD, ("a", "b")))) == [[]]


def test_the_error_rate_by_metric_math(shop: Cloud) -> None:
    queries = (
        stat("e", "Errors", ReturnData=False),
        stat("r", ReturnData=False),
        math("rate", "100*FILL(e,0)/r", Label="error rate"),
    )
    (result,) = ask(shop, *queries, minutes=5, ScanBy="TimestampAscending")["MetricDataResults"]
    assert result["Values"] == pytest.approx([0, 0, 100 * 5 / 30, 100 * 5 / 40, 0])
    assert result["Label"] == "error rate"


def test_fill_adds_nothing_after_now(shop: Cloud) -> None:
    assert values(shop, stat("e", "Errors", ReturnData=False), math("f", "FILL(e,0)"), minutes=60) == [
        [0, 0, 5, 5, 0, 0, 0, 0, 0, 0]
    ]


def test_a_longer_period_sums_and_a_partial_one_holds_what_was_asked_for(shop: Cloud) -> None:
    assert values(shop, stat("m1", period=300)) == [[150.0, 400.0]]
    start_ns = START_NS + 3 * MINUTE_NS + 20 * SECOND_NS
    (result,) = ask(shop, stat("m1", period=300), StartTime=start_ns)["MetricDataResults"]
    assert result["Timestamps"] == [START_NS + 5 * MINUTE_NS, START_NS]
    assert result["Values"] == [400.0, 90.0]


def test_array_expressions_give_several_results_of_one_id(shop: Cloud) -> None:
    queries = (stat("m1", ReturnData=False), stat("m2", dimensions=POD, ReturnData=False), math("all", "METRICS() * 2"))
    results = ask(shop, *queries, minutes=1)["MetricDataResults"]
    assert [(result["Id"], result["Label"], result["Values"]) for result in results] == [
        ("all", "Requests", [20.0]),
        ("all", "frontend Requests", [2.0]),
    ]


def test_search_finds_by_namespace_dimension_names_and_terms(shop: Cloud) -> None:
    shop.watch.put("Shop", "Requests", (("PodName", "backend"),), START_NS, 3.0)
    found = ask(shop, math("s", "SEARCH('{Shop,PodName} MetricName=\"Requests\"', 'Sum', 60)"), minutes=1)
    assert [(r["Label"], r["Values"]) for r in found["MetricDataResults"]] == [
        ("backend Requests", [3.0]),
        ("frontend Requests", [1.0]),
    ]
    for terms, expected in (
        ('PodName="frontend"', 1),
        ("front", 0),
        ("frontend", 1),
        ("NOT frontend", 1),
        ("PodName=(front* OR backend)", 1),
        ('MetricName="Request"', 0),
        ("requests PodName=(frontend OR backend)", 2),
        ("nothing", 0),
    ):
        query = math("s", f"SEARCH('{{Shop,PodName}} {terms}', 'Sum', 60)")
        assert len(ask(shop, query)["MetricDataResults"]) == expected, terms


def test_a_search_stops_at_500_series_and_says_so(cloud: Cloud) -> None:
    for number in range(501):
        cloud.watch.put("Shop", "Requests", (("PodName", f"p{number}"),), START_NS, 1.0)
    answer = ask(cloud, math("s", "SEARCH('{Shop,PodName} Requests', 'Sum', 60)"))
    assert len(answer["MetricDataResults"]) == 500
    assert [message["Code"] for message in answer["Messages"]] == ["MaxMetricsExceeded"]


def test_default_labels_add_what_differs(shop: Cloud) -> None:
    results = ask(shop, stat("a", statistic="Sum"), stat("b", statistic="Minimum", period=300))["MetricDataResults"]
    assert [result["Label"] for result in results] == ["Requests Sum 60", "Requests Minimum 300"]


def test_dynamic_labels(shop: Cloud) -> None:
    label = "${LABEL} max ${MAX} of ${PROP('Dim.PodName')} ${UNKNOWN}"
    (result,) = ask(shop, stat("a", dimensions=POD, Label=label))["MetricDataResults"]
    assert result["Label"] == "Requests max 1 of frontend ${UNKNOWN}"


def test_mixed_units_give_the_first_unit_and_say_so(cloud: Cloud) -> None:
    cloud.watch.put("Shop", "Time", (), START_NS, 1.0, unit="Seconds")
    cloud.watch.put("Shop", "Time", (), START_NS, 60_000.0, unit="Milliseconds")
    (result,) = ask(cloud, stat("m1", "Time"))["MetricDataResults"]
    assert result["Values"] == [60_000.0]
    assert result["Messages"] == [
        {"Code": "MultipleUnits", "Value": "Multiple units returned: '[Milliseconds, Seconds]'"}
    ]
    assert values(cloud, stat("m1", "Time", unit="Seconds")) == [[1.0]]
    assert values(cloud, stat("m1", "Time", unit="Bytes")) == [[]]


def test_pages_hold_max_datapoints_and_join_to_the_whole(shop: Cloud) -> None:
    queries = (stat("m1"), stat("e", "Errors"), stat("m2", dimensions=POD))
    joined: dict[str, list[float]] = {}
    token, pages = None, 0
    while True:
        more = {"NextToken": token} if token else {}
        page = ask(shop, *queries, MaxDatapoints=7, **more)
        assert sum(len(result["Values"]) for result in page["MetricDataResults"]) <= 7
        for result in page["MetricDataResults"]:
            joined.setdefault(result["Id"], []).extend(result["Values"])
        pages, token = pages + 1, page.get("NextToken")
        statuses = {result["Id"]: result["StatusCode"] for result in page["MetricDataResults"]}
        if pages == 1:
            assert statuses == {"m1": "PartialData", "e": "PartialData", "m2": "PartialData"}
        shop.wait(0.1)
        shop.watch.put("Shop", "Requests", (), START_NS, 1000.0, unit="Count")
        if token is None:
            break
    assert pages == 4
    assert set(statuses.values()) == {"Complete"}
    assert joined == {"m1": [10.0 * n for n in range(10, 0, -1)], "e": [5.0, 5.0], "m2": [1.0] * 10}


def test_a_token_of_another_request_is_refused(shop: Cloud) -> None:
    token = ask(shop, stat("m1"), MaxDatapoints=1)["NextToken"]
    params = {"MetricDataQueries": [stat("m2")], "StartTime": START_NS, "EndTime": START_NS + HOUR_NS}
    for wrong in (token, "x", "e30="):
        assert shop.refusal("GetMetricData", **params, NextToken=wrong).code == "InvalidNextToken"


@pytest.mark.parametrize(
    ("age", "period", "kept"),
    [
        (3 * HOUR_NS - MINUTE_NS, 10, True),
        (3 * HOUR_NS + MINUTE_NS, 10, False),
        (13 * DAY_NS, 60, True),
        (16 * DAY_NS, 60, False),
        (16 * DAY_NS, 300, True),
        (64 * DAY_NS, 300, False),
        (64 * DAY_NS, 3600, True),
        (456 * DAY_NS, 3600, False),
    ],
)
def test_old_data_is_kept_for_long_periods_only(cloud: Cloud, age: int, period: int, kept: bool) -> None:
    cloud.watch.put("Shop", "Requests", (), START_NS - age, 1.0, resolution_s=1)
    found = values(cloud, stat("m1", period=period), StartTime=START_NS - age - HOUR_NS, EndTime=START_NS)
    assert found == [[1.0] if kept else []]


@pytest.mark.parametrize(
    ("queries", "code", "words"),
    [
        ([stat("1a")], "ValidationError", "not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$"),
        ([stat("a"), stat("a")], "ValidationError", "not unique"),
        ([{"Id": "a"}], "ValidationError", "Exactly one"),
        ([{**stat("a"), "Expression": "b"}], "ValidationError", "Exactly one"),
        ([stat("a", period=45)], "InvalidParameterValue", "Period"),
        ([stat("a", period=90)], "InvalidParameterValue", "Period"),
        ([stat("a", statistic="p200")], "InvalidParameterValue", "p200"),
        ([stat("a", unit="Apples")], "InvalidParameterValue", "Unit"),
        ([math("a", "b + 1")], "ValidationError", "Error in expression 'a': Undefined variable 'b'"),
        ([math("a", "a + 1")], "ValidationError", "Circular"),
        ([math("a", "b + 1"), math("b", "a + 1")], "ValidationError", "Circular"),
        ([stat("m"), math("a", "AVG(m)")], "ValidationError", "Error in expression 'a'"),
        ([math("a", "1 +")], "ValidationError", "Invalid syntax"),
        ([math("a", "x" * 2049)], "ValidationError", "2048"),
        ([math("a", "SELECT AVG(x) FROM y")], "ValidationError", "Metrics Insights"),
        ([stat("a", ReturnData=False)], "ValidationError", "ReturnData"),
        (
            [{"Id": "a", "MetricStat": {"Metric": {"MetricName": "x"}, "Period": 60, "Stat": "Sum"}}],
            "MissingParameter",
            "MetricDataQueries.member.1.MetricStat.Metric.Namespace",
        ),
        ([stat(f"a{i}") for i in range(501)], "ValidationError", "500"),
        ([], "MissingParameter", "MetricDataQueries"),
    ],
)
def test_bad_queries_are_refused(cloud: Cloud, queries: list[Shape], code: str, words: str) -> None:
    refusal = cloud.refusal("GetMetricData", MetricDataQueries=queries, StartTime=START_NS, EndTime=START_NS + 1)
    assert refusal.code == code
    assert words in refusal.message


@pytest.mark.parametrize("more", [{"EndTime": START_NS}, {"ScanBy": "x"}, {"MaxDatapoints": 100_801}])
def test_bad_ranges_are_refused(cloud: Cloud, more: Shape) -> None:
    params = {"MetricDataQueries": [stat("a")], "StartTime": START_NS, "EndTime": START_NS + 1, **more}
    assert cloud.refusal("GetMetricData", **params).code == "ValidationError"


def statistics(**more: Any) -> Shape:
    return {
        "Namespace": "Shop",
        "MetricName": "Requests",
        "StartTime": START_NS,
        "EndTime": START_NS + HOUR_NS,
        "Period": 300,
        **more,
    }


def test_metric_statistics_by_unit_with_all_that_was_asked(shop: Cloud) -> None:
    answer = shop("GetMetricStatistics", **statistics(Statistics=["Average", "Sum"]))
    assert answer["Label"] == "Requests"
    assert answer["Datapoints"] == [
        {"Timestamp": START_NS, "Unit": "Count", "Average": 30.0, "Sum": 150.0},
        {"Timestamp": START_NS + 5 * MINUTE_NS, "Unit": "Count", "Average": 80.0, "Sum": 400.0},
    ]
    (first, _) = shop("GetMetricStatistics", **statistics(ExtendedStatistics=["p50", "tm60"]))["Datapoints"]
    assert first["ExtendedStatistics"] == {"p50": 30.0, "tm60": 20.0}
    assert shop("GetMetricStatistics", **statistics(Statistics=["Sum"], Unit="Bytes"))["Datapoints"] == []


def test_more_than_1440_points_are_refused(cloud: Cloud) -> None:
    params = statistics(Statistics=["Sum"], Period=60, EndTime=START_NS + 2 * DAY_NS)
    refusal = cloud.refusal("GetMetricStatistics", **params)
    assert refusal.code == "InvalidParameterCombination"
    assert refusal.message == (
        "You have requested up to 2,880 datapoints, which exceeds the limit of 1,440. You may reduce the "
        "datapoints requested by increasing Period, or decreasing the time range."
    )
    params["EndTime"] = START_NS + DAY_NS
    assert cloud("GetMetricStatistics", **params)["Datapoints"] == []


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, "MissingParameter"),
        ({"Statistics": ["Sum"], "ExtendedStatistics": ["p50"]}, "InvalidParameterCombination"),
        ({"Statistics": ["p50"]}, "ValidationError"),
        ({"ExtendedStatistics": ["Sum"]}, "InvalidParameterValue"),
        ({"ExtendedStatistics": ["p500"]}, "InvalidParameterValue"),
        ({"Statistics": ["Sum"], "Period": 61}, "InvalidParameterValue"),
        ({"Statistics": ["Sum"], "EndTime": START_NS}, "InvalidParameterValue"),
        ({"Statistics": ["Sum"], "Unit": "Apples"}, "InvalidParameterValue"),
        ({"Statistics": ["Sum"], "Namespace": None}, "MissingParameter"),
    ],
)
def test_bad_statistics_requests_are_refused(cloud: Cloud, more: Shape, code: str) -> None:
    assert cloud.refusal("GetMetricStatistics", **statistics(**more)).code == code


def test_list_metrics_matches_a_subset_of_dimensions(shop: Cloud) -> None:
    def listed(**params: Any) -> list[tuple[str, int]]:
        metrics = shop("ListMetrics", **params)["Metrics"]
        return [(metric["MetricName"], len(metric["Dimensions"])) for metric in metrics]

    assert listed() == [("Errors", 0), ("Requests", 0), ("Requests", 1)]
    assert listed(MetricName="Requests") == [("Requests", 0), ("Requests", 1)]
    assert listed(Namespace="Other") == []
    assert listed(Dimensions=[{"Name": "PodName"}]) == [("Requests", 1)]
    assert listed(Dimensions=[{"Name": "PodName", "Value": "backend"}]) == []


def test_list_metrics_forgets_after_three_hours_or_two_weeks(shop: Cloud) -> None:
    shop.wait(4 * 60)
    assert shop("ListMetrics", RecentlyActive="PT3H")["Metrics"] == []
    assert len(shop("ListMetrics")["Metrics"]) == 3
    shop.wait(15 * 24 * 60)
    assert shop("ListMetrics")["Metrics"] == []
    assert shop.refusal("ListMetrics", RecentlyActive="PT1H").code == "ValidationError"


def test_list_metrics_pages_by_500(cloud: Cloud) -> None:
    for number in range(1_100):
        cloud.watch.put("Shop", f"m{number:04}", (), START_NS, 1.0)
    names: list[str] = []
    answer = cloud("ListMetrics")
    sizes = [len(answer["Metrics"])]
    while True:
        names += [metric["MetricName"] for metric in answer["Metrics"]]
        if "NextToken" not in answer:
            break
        answer = cloud("ListMetrics", NextToken=answer["NextToken"])
        sizes.append(len(answer["Metrics"]))
    assert sizes == [500, 500, 100]
    assert names == [f"m{number:04}" for number in range(1_100)]


def test_times_of_every_protocol_become_nanoseconds() -> None:
    expected = START_NS + 250_000_000
    seconds = START_NS / 1e9 + 0.25
    for text in (seconds, "2026-03-02T09:00:00.250Z", "2026-03-02T10:00:00.25+01:00"):
        assert from_wire({"StartTime": text}) == {"StartTime": expected}
    assert from_wire({"MetricData": [{"Timestamp": START_NS // SECOND_NS}]}) == {
        "MetricData": [{"Timestamp": START_NS}]
    }


def test_an_unknown_action_is_refused_with_what_is_served(cloud: Cloud) -> None:
    refusal = cloud.refusal("PutAnomalyDetector")
    assert refusal.code == "InvalidAction"
    assert "GetMetricData" in refusal.message
