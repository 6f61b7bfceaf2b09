"""The demand catalogue: what each known image asks of its machine for one request, as typed rows.

A pod may override any field for itself with the annotation ``chaos-crunch.io/demand``: a JSON object, merged
into the row. A real cluster ignores the annotation, so that the same manifest is valid there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Literal

from labs.api.store import Object
from labs.dataplane.images import full_name
from labs.dataplane.traffic.demand import Demand
from labs.dataplane.traffic.policy import KeepAlive, Policy, RetryBudget
from labs.dataplane.traffic.station import Profile
from labs.errors import UsageError
from labs.units import MILLISECOND_NS

DEMAND_ANNOTATION = "chaos-crunch.io/demand"
LARGEST = 1e9
"""No field means anything from here up."""


@dataclass(frozen=True, slots=True)
class CallModel:
    """One call downstream that every request makes, after the CPU work, in order."""

    url: str
    env: str = ""
    """Variable that holds another URL."""
    timeout_ms: float = 2000.0
    attempts: int = 1
    has_retry_budget: bool = False
    max_connections: int = 0
    """Kept connections; 0 opens one for each call."""
    max_waiting: int = 0
    connect_round_trips: int = 1

    def policy(self) -> Policy:
        """The client's rules."""
        return Policy(
            timeout_ns=round(self.timeout_ms * MILLISECOND_NS),
            attempts=self.attempts,
            budget=RetryBudget() if self.has_retry_budget else None,
            keep_alive=KeepAlive(self.max_connections, self.max_waiting) if self.max_connections else None,
            connect_round_trips=self.connect_round_trips,
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One row. The fields about requests hold for servers only."""

    kind: Literal["server", "shopper", "canary", "fortio", "stress", "idle"] = "idle"
    about: str = ""
    cpu_ms: float = 1.0
    cv: float = 1.0
    shape: Literal["exponential", "lognormal", "gamma", "fixed"] = "lognormal"
    wait_ms: float = 0.0
    """Waiting without CPU, with the same spread."""
    response_bytes: int = 1000
    port: int = 8080
    """Where it listens when its container names no port."""
    error_rate: float = 0.0
    workers: int = 16
    queue_limit: int = 128
    startup_s: float = 1.0
    """Median time from the start to listening, on one core."""
    startup_sigma: float = 0.1
    startup_cpu_ms: float = 50.0
    cold_requests: int = 0
    cold_factor: float = 1.0
    on_term: Literal["exit", "drain", "ignore"] = "exit"
    """``exit`` resets what is in flight; ``drain`` finishes it first; ``ignore`` waits for KILL."""
    exit_code_on_term: int = 143
    idle_millicores: float = 1.0
    memory_mib: float = 12.0
    memory_mib_per_call: float = 0.0
    calls: tuple[CallModel, ...] = ()

    def profile(self) -> Profile:
        """What one request asks of the server."""
        wait = Demand(self.wait_ms, self.cv, self.shape) if self.wait_ms else None
        return Profile(
            cpu=Demand(self.cpu_ms, self.cv, self.shape),
            wait=wait,
            response_bytes=self.response_bytes,
            error_rate=self.error_rate,
            cold_requests=self.cold_requests,
            cold_factor=self.cold_factor,
        )


_CHOICES = {
    "kind": ("server", "shopper", "canary", "fortio", "stress", "idle"),
    "shape": ("exponential", "lognormal", "gamma", "fixed"),
    "on_term": ("exit", "drain", "ignore"),
}


def parse_entry(row: Mapping[str, Any]) -> Entry:
    """The typed row. Raises UsageError for a field that does not exist, has another type or is out of range."""
    for name, value in row.items():
        if name != "calls":
            _check_field(Entry, name, value)
    calls = row.get("calls") or ()
    if not isinstance(calls, (list, tuple)):
        raise UsageError(f"The field 'calls' of a demand is a list; {calls!r} is not.")
    entry = Entry(**{**row, "calls": tuple(_parse_call(call) for call in calls)})
    if entry.workers < 1 or entry.error_rate > 1:
        raise UsageError("A demand has at least 1 worker and an error_rate of at most 1; mend the number.")
    return entry


def _parse_call(row: Any) -> CallModel:
    if not isinstance(row, dict) or not row.get("url"):
        raise UsageError(f'A call downstream is an object such as {{"url": "http://backend"}}; {row!r} is not.')
    for name, value in row.items():
        _check_field(CallModel, name, value)
    return CallModel(**row)


def _check_field(row_type: type[Entry] | type[CallModel], name: str, value: Any) -> None:
    known = {field.name: "" if field.name == "url" else field.default for field in fields(row_type)}
    if name not in known:
        raise UsageError(f"The demand catalogue has no field {name!r}; use one of {', '.join(sorted(known))}.")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise UsageError(f"The field {name!r} of a demand is one of {', '.join(_CHOICES[name])}; {value!r} is not.")
    default = known[name]
    wanted = (int, float) if isinstance(default, float) else type(default)
    if isinstance(value, bool) != isinstance(default, bool) or not isinstance(value, wanted):
        raise UsageError(f"The field {name!r} of a demand is like {default!r}; {value!r} is not.")
    if isinstance(value, (int, float)) and not 0 <= value < LARGEST:
        raise UsageError(f"The field {name!r} of a demand is a number from 0 up; {value!r} is not.")


@cache
def _rows() -> dict[str, dict[str, Any]]:
    text = files("labs.dataplane").joinpath("data/catalogue.json").read_text("utf-8")
    rows: dict[str, dict[str, Any]] = json.loads(text)
    return rows


@lru_cache(maxsize=1024)
def _entry_of(name: str) -> Entry:
    return parse_entry(_rows().get(name, {}))


def program_name(image: str) -> str:
    """The last part of an image's name, by which the catalogue knows it."""
    name = full_name(image)
    name = name.partition("@")[0]
    return name.rpartition("/")[2].partition(":")[0]


def entry_for(pod: Object, container: Object) -> Entry:
    """The row of a container's image with the pod's overrides; an unknown image idles.

    Raises UsageError when the annotation cannot be used.
    """
    name = program_name(container["image"])
    text = (pod["metadata"].get("annotations") or {}).get(DEMAND_ANNOTATION)
    if text is None:
        return _entry_of(name)
    try:
        override = json.loads(text)
    except json.JSONDecodeError:
        override = None
    if not isinstance(override, dict):
        raise UsageError(f'The annotation {DEMAND_ANNOTATION} is a JSON object such as {{"cpu_ms": 20}}; fix {text!r}.')
    return parse_entry({**_rows().get(name, {}), **override})
