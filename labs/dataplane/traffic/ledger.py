"""The account of every request: what became of it, when, where. Ground truth for metrics and plots."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from labs.dataplane.traffic.call import Call, Span
from labs.dataplane.traffic.outcome import OK, Outcome

if TYPE_CHECKING:
    from labs.dataplane.traffic.sources import Source

ROW = np.dtype(
    [
        ("intended_ns", "<i8"),
        ("finished_ns", "<i8"),
        ("target_us", "<u4"),
        ("response_bytes", "<u4"),
        ("station", "<i4"),
        ("source", "<u2"),
        ("outcome", "u1"),
        ("attempts", "u1"),
    ]
)
"""``target_us``: from sending the last attempt (a gateway: from the gateway) to its end, as ALB's
TargetResponseTime; ``station``: index of the station that the last attempt was sent to, or -1."""

_pack = Struct("<qqIIiHBB").pack
_APP_504 = int(Outcome.APP_504)
_TARGET_US_MAX = 2**32 - 1
_SEALED_ROWS = 1 << 16
_SEALED_BYTES = _SEALED_ROWS * ROW.itemsize


@dataclass(frozen=True, slots=True)
class Place:
    """What a station index in the ledger stands for."""

    name: str
    service: str
    zone: str


@dataclass(frozen=True, slots=True)
class Conservation:
    """Where all requests are: ``arrived`` = ``answered`` (200) + ``failed`` + ``in_flight``.

    Each number has a count of its own, so that the sum is a check. A source is told of a reply when
    it is sent, so one on its way back counts as answered; its row has the time of its arrival.
    """

    arrived: int
    answered: int
    failed: int
    in_flight: int

    @property
    def holds(self) -> bool:
        """Whether every request is accounted for."""
        return self.arrived == self.answered + self.failed + self.in_flight


@dataclass(frozen=True, slots=True)
class Summary:
    """What one source can say of its requests, for the report that its program prints."""

    outcomes: dict[str, int]
    """Ended requests by the name of their outcome, the frequent and the rare alike."""
    response_bytes: int
    latencies_ns: NDArray[np.int64]
    """From the intended time, in ascending order."""

    def percentile_ns(self, percent: float) -> int:
        """The latency at ``percent`` as ``ab`` takes it: element n * percent / 100, at most the last."""
        index = min(int(len(self.latencies_ns) * percent / 100), len(self.latencies_ns) - 1)
        return int(self.latencies_ns[index]) if index >= 0 else 0


class Ledger:
    """One row for each finished request, packed; whole blocks are sealed as numpy arrays."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self.sources: list[Source] = []
        self.traces: list[list[Span]] = []
        """Spans of the sampled requests that ended, for whoever takes them away."""
        self._sealed: list[NDArray[np.void]] = []
        self._recent = bytearray()

    def add_place(self, name: str, service: str, zone: str) -> int:
        """A new station's index."""
        self.places.append(Place(name, service, zone))
        return len(self.places) - 1

    def add_source(self, source: Source) -> int:
        """A new source's index."""
        self.sources.append(source)
        return len(self.sources) - 1

    def record(self, source: Source, call: Call, finished_ns: int, outcome: int) -> None:
        """A request of ``source`` ended."""
        path = call.path
        station, target_us, response_bytes = -1, 0, 0
        if path is not None:
            station = path.station.index
            target_us = (finished_ns - call.sent_ns - source.front_ns) // 1000
            if outcome <= _APP_504:
                response_bytes = path.station.profile.response_bytes
        self._recent += _pack(
            call.intended_ns,
            finished_ns,
            target_us if 0 <= target_us <= _TARGET_US_MAX else 0,
            response_bytes,
            station,
            source.index,
            outcome,
            call.attempt & 255,
        )
        if len(self._recent) >= _SEALED_BYTES:
            self._seal()
        if call.span is not None:
            self.traces.append(call.span.trace)

    def _seal(self) -> None:
        """Move the recent rows to an array of their own."""
        self._sealed.append(np.frombuffer(bytes(self._recent), ROW))
        self._recent = bytearray()

    def __len__(self) -> int:
        return len(self._sealed) * _SEALED_ROWS + len(self._recent) // ROW.itemsize

    def rows(self, start: int = 0) -> NDArray[np.void]:
        """The rows from number ``start`` on, in the order in which they were recorded.

        A publisher keeps ``len(ledger)`` as the next start. Rows are not quite in order of
        ``finished_ns``, and those of replies on their way lie up to one latency in the future.
        """
        blocks = self._sealed[start // _SEALED_ROWS :]
        start -= (len(self._sealed) - len(blocks)) * _SEALED_ROWS
        parts = [*blocks, np.frombuffer(bytes(self._recent), ROW)]
        return np.concatenate(parts)[start:] if len(parts) > 1 else parts[0][start:]

    def columns(self) -> dict[str, Any]:
        """Ground truth as columns, ready for ``pandas.DataFrame``: ``ROW``, and latency and names."""
        rows = self.rows()
        columns: dict[str, Any] = {name: rows[name] for name in ROW.names or ()}
        columns["latency_ns"] = rows["finished_ns"] - rows["intended_ns"]
        places = [*self.places, Place("", "", "")]
        columns["station"] = [places[index].name for index in rows["station"]]
        columns["zone"] = [places[index].zone for index in rows["station"]]
        columns["source"] = [self.sources[index].name for index in rows["source"]]
        columns["outcome"] = [Outcome(code).name for code in rows["outcome"]]
        return columns

    def conservation(self, source: Source | None = None, service: str | None = None) -> Conservation:
        """The account of one source, of all that enter at ``service``, or of all."""
        chosen = [each for each in self.sources if source in (None, each) and service in (None, each.service)]
        rows = self.rows()
        if source is not None or service is not None:
            rows = rows[np.isin(rows["source"], [each.index for each in chosen])]
        answered = int(np.count_nonzero(rows["outcome"] == OK))
        return Conservation(
            arrived=sum(each.arrived for each in chosen),
            answered=answered,
            failed=len(rows) - answered,
            in_flight=sum(each.in_flight for each in chosen),
        )

    def summary(self, source: Source) -> Summary:
        """Counts, bytes and latencies of one source's ended requests."""
        rows = self.rows()
        rows = rows[rows["source"] == source.index]
        counts = np.bincount(rows["outcome"], minlength=len(Outcome))
        return Summary(
            outcomes={each.name: int(counts[each]) for each in Outcome if counts[each]},
            response_bytes=int(rows["response_bytes"].sum(dtype=np.int64)),
            latencies_ns=np.sort(rows["finished_ns"] - rows["intended_ns"]),
        )

    def digest(self) -> str:
        """BLAKE2b of every row: the same seed gives the same digest."""
        folded = hashlib.blake2b(digest_size=16)
        for block in self._sealed:
            folded.update(block.tobytes())
        folded.update(self._recent)
        return folded.hexdigest()
