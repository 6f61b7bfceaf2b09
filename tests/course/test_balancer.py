from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from labs.course import balancer
from labs.course.balancer import Balancer, find_balancer
from labs.errors import UsageError

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LATER = START + timedelta(minutes=3)


class CloudWatch:
    """Answers from values by Id: one for each minute from START, None where nothing was published."""

    def __init__(self, values: dict[str, list[float | None]], listed: list[list[str]]) -> None:
        self.values, self.listed = values, listed

    def list_metrics(self, **_: Any) -> dict[str, Any]:
        return {"Metrics": [{"Dimensions": [{"Name": "any", "Value": each} for each in one]} for one in self.listed]}

    def get_paginator(self, _: str) -> Any:
        return SimpleNamespace(paginate=self.paginate)

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        results = []
        for query in request["MetricDataQueries"]:
            known = list(enumerate(self.values.get(query["Id"], [])))
            points = [(START + timedelta(minutes=minute), value) for minute, value in known if value is not None]
            results.append(
                {"Id": query["Id"], "Timestamps": [at for at, _ in points], "Values": [v for _, v in points]}
            )
        return [{"MetricDataResults": results}]


def use(monkeypatch: pytest.MonkeyPatch, listed: list[list[str]], **values: list[float | None]) -> CloudWatch:
    found = CloudWatch(values, listed)
    monkeypatch.setattr(balancer.boto3, "client", lambda _: found)
    return found


def test_it_is_found_by_the_metric_that_carries_its_name_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, [["us-east-1a", "app/shop/1"], ["app/shop/1"], ["app/shop/1", "targetgroup/x"]])
    assert find_balancer() == Balancer("app/shop/1")


@pytest.mark.parametrize("listed", [[], [["app/shop/1"], ["app/other/2"]]])
def test_none_or_several_are_named_in_one_sentence(monkeypatch: pytest.MonkeyPatch, listed: list[list[str]]) -> None:
    use(monkeypatch, listed)
    with pytest.raises(UsageError, match="load balancers have reported requests"):
        find_balancer()


def test_only_the_formula_of_the_error_rate_is_answered() -> None:
    *counters, formula = Balancer("app/shop/1").error_rate()
    assert [each["ReturnData"] for each in counters] == [False] * 4
    assert formula["ReturnData"]
    assert all(each["Id"] in formula["Expression"] for each in counters)


def test_a_counter_that_was_not_published_is_zero_and_a_time_that_was_not_is_unknown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, [], requests=[100, 90], elb5=[None, 9], failed=[0, 9], error_percent=[0, 10], p99=[0.5, None])
    minutes = Balancer("app/shop/1").minutes(START, LATER)
    assert minutes["elb5"].tolist() == [0, 9]
    assert minutes["p99"].isna().tolist() == [False, True]


def test_a_minute_of_which_only_formulas_know_has_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, [], requests=[100, None, None], elb503=[None, 7, None], failed=[0, 7, 0], error_percent=[0, 100])
    minutes = Balancer("app/shop/1").minutes(START, LATER)
    assert minutes["requests"].tolist() == [100, 0]  # the second met no pod at all
    assert minutes["error_percent"].tolist() == [0, 100]
