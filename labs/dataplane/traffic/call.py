"""One attempt to call one station, and the span that a sampled trace keeps of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from labs.dataplane.traffic.client import Client
    from labs.dataplane.traffic.path import Path


class Span:
    """Times of one attempt, for traces; a time is 0 until it has come."""

    __slots__ = (
        "arrived_ns",
        "attempt",
        "left_ns",
        "outcome",
        "parent",
        "sent_ns",
        "started_ns",
        "station",
        "trace",
    )

    def __init__(self, trace: list[Span], parent: Span | None, sent_ns: int, attempt: int = 1) -> None:
        self.trace = trace
        """All spans of the request, in the order of sending."""
        self.parent = parent
        self.station = ""
        self.attempt = attempt
        self.sent_ns = sent_ns
        self.arrived_ns = 0
        self.started_ns = 0
        self.left_ns = 0
        self.outcome = -1
        """What the station answered; -1 while it has not."""
        trace.append(self)


class Call:
    """An attempt, seen from both ends: the caller waits while ``is_open``, the station works.

    The two ends part when the caller times out: the call is closed, yet stays in its station.
    """

    __slots__ = (
        "arrived_ns",
        "attempt",
        "child",
        "client",
        "due_ns",
        "intended_ns",
        "is_open",
        "outcome",
        "parent",
        "path",
        "sent_ns",
        "span",
        "step",
    )

    arrived_ns: int
    outcome: int

    def __init__(self, client: Client, parent: Call | None, intended_ns: int, sent_ns: int) -> None:
        self.client = client
        self.parent = parent
        """The call that waits for this one in the caller's station; None for a source of load."""
        self.intended_ns = intended_ns
        self.sent_ns = sent_ns
        """When this attempt began, waiting for a connection included; the time-out counts from here."""
        self.attempt = 1
        self.path: Path | None = None
        """The way to the station; None until an endpoint was picked."""
        self.is_open = True
        self.child: Call | None = None
        self.step = -1
        """-1 until the CPU work is done, then the index of the next call downstream."""
        self.due_ns = 0
        """When the present phase ends; an event of any other time is out of date."""
        self.span: Span | None = None


class Owner(Protocol):
    """Who is told how a call ended: a station, or a source of load."""

    def answered(self, call: Call, at_ns: int, outcome: int) -> None:
        """``call`` ended at ``at_ns``, which may lie a network latency ahead for a source."""

    def replaced(self, call: Call, by: Call) -> None:
        """``by`` is the next attempt of ``call``."""
