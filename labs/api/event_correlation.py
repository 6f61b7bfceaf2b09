"""Which events of one component are counted up, which are combined, and which are dropped.

Source: kubernetes/client-go tools/record/events_cache.go (EventCorrelator with its default options).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from labs.units import SECOND_NS

MAX_SIMILAR = 10
"""Messages within ``SIMILAR_WINDOW_NS`` from which on similar events are combined into one."""
SIMILAR_WINDOW_NS = 600 * SECOND_NS
SPAM_BURST = 25
SPAM_REFILL_NS = 300 * SECOND_NS
"""Of one object a component may tell this many events at once, and one more in each period."""
CACHE_ENTRIES = 4096
COMBINED = "(combined from similar events): "

Key = tuple[str, ...]
ValueT = TypeVar("ValueT")


@dataclass(slots=True)
class Sighting:
    """An event as it was written last."""

    namespace: str
    name: str
    count: int
    first_timestamp: str


@dataclass(slots=True)
class _Similar:
    """The messages of one object and reason, oldest first."""

    last_ns: int
    messages: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class _Bucket:
    """A token bucket, its level counted in nanoseconds of refilling."""

    level_ns: int
    last_ns: int


class Recent(Generic[ValueT]):
    """A map that forgets what was used longest ago."""

    def __init__(self, size: int = CACHE_ENTRIES) -> None:
        self._size = size
        self._entries: OrderedDict[Key, ValueT] = OrderedDict()

    def get(self, key: Key) -> ValueT | None:
        """The value, which counts as used now; or None."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def put(self, key: Key, value: ValueT) -> ValueT:
        """Keep a value; the oldest one goes when there are too many."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)
        return value


class EventCorrelator:
    """The memory of one recorder."""

    def __init__(self) -> None:
        self.sightings: Recent[Sighting] = Recent()
        self._similar: Recent[_Similar] = Recent()
        self._buckets: Recent[_Bucket] = Recent()

    def combine(self, subject: Key, detail: Key, message: str, now_ns: int) -> tuple[Key, str]:
        """``EventAggregate``: the key to count under, and the message to write.

        ``subject``: object, component, type and reason; ``detail``: what else tells two events apart. The set of
        messages loses its oldest, where upstream loses any.
        """
        similar = self._similar.get(subject)
        if similar is None or now_ns - similar.last_ns > SIMILAR_WINDOW_NS:
            similar = self._similar.put(subject, _Similar(now_ns))
        similar.last_ns = now_ns
        similar.messages[message] = None
        if len(similar.messages) < MAX_SIMILAR:
            return (*subject, *detail, message), message
        del similar.messages[next(iter(similar.messages))]
        return subject, COMBINED + message

    def is_spam(self, source: Key, now_ns: int) -> bool:
        """``EventSourceObjectSpamFilter``: whether ``source`` (component and object) has told too much."""
        full_ns = SPAM_BURST * SPAM_REFILL_NS
        bucket = self._buckets.get(source) or self._buckets.put(source, _Bucket(full_ns, now_ns))
        bucket.level_ns = min(full_ns, bucket.level_ns + now_ns - bucket.last_ns)
        bucket.last_ns = now_ns
        if bucket.level_ns < SPAM_REFILL_NS:
            return True
        bucket.level_ns -= SPAM_REFILL_NS
        return False
