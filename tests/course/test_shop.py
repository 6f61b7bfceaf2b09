from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from labs.course import shop
from labs.course.shop import is_rolled_out, start_shop
from labs.errors import UsageError

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def deployment(**status: Any) -> Any:
    """A Deployment that wants two pods and has them; ``status`` changes that."""
    whole = {"observed_generation": 3, "replicas": 2, "updated_replicas": 2, "available_replicas": 2} | status
    return SimpleNamespace(
        metadata=SimpleNamespace(generation=3), spec=SimpleNamespace(replicas=2), status=SimpleNamespace(**whole)
    )


@pytest.mark.parametrize(
    ("status", "is_done"),
    [
        ({}, True),
        ({"observed_generation": 2}, False),
        ({"updated_replicas": None}, False),
        ({"updated_replicas": 1}, False),
        ({"replicas": 3}, False),  # an old pod is still there
        ({"available_replicas": 1}, False),
    ],
)
def test_a_rollout_is_over_when_kubectl_says_so(status: dict[str, Any], is_done: bool) -> None:
    assert is_rolled_out(deployment(**status)) is is_done


class Clock:
    """A lab whose shop is ready after some seconds."""

    def __init__(self, ready_s: int) -> None:
        self.at, self.ready_s, self.applied = START, ready_s, []  # type: ignore[var-annotated]

    def now(self) -> datetime:
        return self.at

    def apply(self, folder: str) -> None:
        self.applied.append(folder)

    def wait(self, length_s: float | None = None, *, until: Any = None) -> None:
        self.at += timedelta(seconds=self.ready_s if until else length_s or 0)


def test_two_starts_end_in_the_same_second_whatever_the_shop_needs() -> None:
    quick, slow = Clock(10), Clock(25)
    start_shop(quick, "one", minutes=2)  # type: ignore[arg-type]
    start_shop(slow, "one", "two", minutes=2)  # type: ignore[arg-type]
    assert quick.at == slow.at == START + timedelta(minutes=2)
    assert slow.applied == ["one", "two"]


def test_a_patch_is_applied_to_the_frontend_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    patched: list[tuple[Any, ...]] = []
    api = SimpleNamespace(patch_namespaced_deployment=lambda *each: patched.append(each))
    monkeypatch.setattr(shop.kubernetes_client, "AppsV1Api", lambda: api)
    start_shop(Clock(10), "one", minutes=2, patch={"spec": {}})  # type: ignore[arg-type]
    assert patched == [("frontend", "shop", {"spec": {}})]


def test_a_shop_that_is_late_is_said_so() -> None:
    with pytest.raises(UsageError, match="more than 1 min"):
        start_shop(Clock(70), "one", minutes=1)  # type: ignore[arg-type]
