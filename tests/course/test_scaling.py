from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from labs.course import scaling
from labs.course.scaling import next_reading, percent_read, pod_use_m, watch_hpa


def hpa(percent: int | None, *, pods: int = 5, desired: int = 5, average: str = "100m") -> Any:
    """An HPA from 3 to 6 pods with a target of 80 %, as the client has it."""
    current = SimpleNamespace(average_utilization=percent, average_value=average)
    target = SimpleNamespace(resource=SimpleNamespace(target=SimpleNamespace(average_utilization=80)))
    metrics = [] if percent is None else [SimpleNamespace(resource=SimpleNamespace(current=current))]
    able = SimpleNamespace(type="AbleToScale", reason="ReadyForNewScale")
    return SimpleNamespace(
        spec=SimpleNamespace(metrics=[target], min_replicas=3, max_replicas=6),
        status=SimpleNamespace(
            current_metrics=metrics, current_replicas=pods, desired_replicas=desired, conditions=[able]
        ),
    )


class Clock:
    """A lab in which only time passes; each second the HPA is what comes next."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *states: Any) -> None:
        self.states, self.second = list(states), 0
        monkeypatch.setattr(scaling, "_read_hpa", lambda: self.states[min(self.second, len(self.states) - 1)])

    def now(self) -> int:
        return self.second

    def wait(self, length_s: int | None = None, *, until: Any = None, every: str = "") -> None:
        self.second += length_s or 0
        while until is not None and not until():
            self.second += 1


def test_an_hpa_without_a_number_has_read_none() -> None:
    assert percent_read(hpa(None)) is None
    assert percent_read(hpa(62)) == 62


def test_the_next_reading_is_the_one_with_another_value(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Clock(monkeypatch, hpa(40), hpa(40), hpa(40, average="101m"))
    assert next_reading(lab) == 40  # type: ignore[arg-type]
    assert lab.second == 2


def test_a_pod_uses_what_its_containers_use_together(monkeypatch: pytest.MonkeyPatch) -> None:
    pod = {"metadata": {"name": "a"}, "containers": [{"usage": {"cpu": "120m"}}, {"usage": {"cpu": "5000000n"}}]}
    api = SimpleNamespace(list_namespaced_custom_object=lambda *_, **__: {"items": [pod]})
    monkeypatch.setattr(scaling.kubernetes_client, "CustomObjectsApi", lambda: api)
    assert pod_use_m() == {"a": pytest.approx(125)}


@pytest.mark.parametrize(("percent", "measured", "rule"), [(160, 5, 6), (100, 4, 5), (84, 5, 5), (20, 5, 3)])
def test_the_rule_is_the_engines_own_within_the_limits(
    monkeypatch: pytest.MonkeyPatch, percent: int, measured: int, rule: int
) -> None:
    monkeypatch.setattr(scaling, "pod_use_m", lambda: dict.fromkeys("abcde"[:measured], 100.0))
    states = [hpa(percent, desired=4, average=f"{second}m") for second in range(200)]
    seen = watch_hpa(Clock(monkeypatch, *states), 1, request_m=400)  # type: ignore[arg-type]
    assert seen["time"].tolist() == [15, 30, 45, 60]
    assert seen["rule"].tolist() == [rule] * 4
    assert (seen["percent"][0], seen["measured"][0], seen["hpa"][0]) == (percent, measured, 4)
