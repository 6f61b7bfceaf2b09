"""The network between one client and one station, with the faults that lie on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labs.dataplane.traffic.station import Station


@dataclass(frozen=True, slots=True)
class Impairment:
    """A fault on one direction; ``loss`` of 1 is a partition."""

    delay_ns: int = 0
    jitter_ns: int = 0
    """Half-width of a uniform spread around the delay."""
    loss: float = 0.0


CLEAR = Impairment()


class Path:
    """One client's way to one station. ``out_ns`` and ``back_ns`` are what a clear packet takes."""

    __slots__ = (
        "_latency_ns",
        "_round_trips",
        "back",
        "back_ns",
        "connect_and_out_ns",
        "deliver",
        "is_plain",
        "out",
        "out_ns",
        "outstanding",
        "station",
    )

    def __init__(self, station: Station, latency_ns: int, round_trips: int) -> None:
        self.station = station
        self.deliver = station.deliver
        self.outstanding = 0
        self._latency_ns = latency_ns
        self._round_trips = round_trips
        self.impair(CLEAR, CLEAR)

    def impair(self, out: Impairment, back: Impairment) -> None:
        """Set the faults of both directions; ``CLEAR`` takes one away."""
        self.out = out
        self.back = back
        self.out_ns = self._latency_ns + out.delay_ns
        self.back_ns = self._latency_ns + back.delay_ns
        self.connect_and_out_ns = self.out_ns + self._round_trips * (self.out_ns + self.back_ns)
        self.is_plain = not (out.jitter_ns or out.loss or back.jitter_ns or back.loss)

    def set_latency(self, latency_ns: int) -> None:
        """The one-way latency without faults; calls on the wire keep theirs."""
        self._latency_ns = latency_ns
        self.impair(self.out, self.back)
