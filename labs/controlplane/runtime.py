"""The frame of every controller: a queue of keys, each reconciled alone, retried with a growing delay.

Reads come straight from the store, so a controller always sees its own writes: the expectations that upstream keeps
against its stale caches have nothing to guard here.

Source: kubernetes/client-go util/workqueue (default controller rate limiter: 5 ms x 2^n, at most 1000 s).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar

from labs.api.client import Client
from labs.api.store import Object, Subscriber, WatchEvent
from labs.errors import ApiError
from labs.sim.loop import Loop, Timer
from labs.units import MILLISECOND_NS, SECOND_NS

BASE_BACKOFF_NS = 5 * MILLISECOND_NS
MAX_BACKOFF_NS = 1000 * SECOND_NS
RECONCILE_LATENCY_NS = MILLISECOND_NS
"""From a key's arrival in the queue to a free worker taking it."""

Key = tuple[str, str]
"""Namespace and name."""

KeyT = TypeVar("KeyT")


class RetryError(Exception):
    """A reconcile that upstream ends with an error of its own: the key comes back after its backoff."""


def key_of(obj: Object) -> Key:
    """The key of an object."""
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


class WorkQueue(Generic[KeyT]):
    """Keys on their way to ``work``. A key that waits twice is worked on once, at the earlier time.

    A key may wait in two places, as in client-go: in the queue, and in the delaying queue in front of it. So what is
    due now does not take away what is due later. An ApiError or RetryError brings the key back after its backoff, at
    most ``max_retries`` times in a row; any other exception is a bug and ends the run.
    """

    def __init__(
        self,
        loop: Loop,
        work: Callable[[KeyT], None],
        *,
        base_backoff_ns: int = BASE_BACKOFF_NS,
        max_retries: int | None = None,
    ) -> None:
        self._loop = loop
        self._work = work
        self._base_backoff_ns = base_backoff_ns
        self._max_retries = max_retries
        self._queued: dict[KeyT, Timer] = {}
        self._delayed: dict[KeyT, Timer] = {}
        self._failures: dict[KeyT, int] = {}

    def add(self, key: KeyT, after_ns: int = RECONCILE_LATENCY_NS) -> None:
        """Have ``key`` worked on in ``after_ns``."""
        if after_ns <= RECONCILE_LATENCY_NS:
            self._wait(self._queued, key, after_ns, self._run)
        else:
            self._wait(self._delayed, key, after_ns, self._release)

    def _wait(self, waiting: dict[KeyT, Timer], key: KeyT, after_ns: int, then: Callable[[KeyT], None]) -> None:
        due_ns = self._loop.now_ns + after_ns
        timer = waiting.get(key)
        if timer is not None:
            if timer.time_ns <= due_ns:
                return
            timer.cancel()
        waiting[key] = self._loop.at(due_ns, then, key)

    def _release(self, key: KeyT) -> None:
        del self._delayed[key]
        if key not in self._queued:
            self._queued[key] = self._loop.at(self._loop.now_ns, self._run, key)

    def _run(self, key: KeyT) -> None:
        del self._queued[key]
        try:
            self._work(key)
        except (ApiError, RetryError):
            self._retry(key)
        else:
            self._failures.pop(key, None)

    def _retry(self, key: KeyT) -> None:
        failures = self._failures.get(key, 0)
        if self._max_retries is not None and failures >= self._max_retries:
            del self._failures[key]
            return
        self._failures[key] = failures + 1
        self.add(key, min(self._base_backoff_ns << min(failures, 40), MAX_BACKOFF_NS))


class Component(ABC):
    """Something that acts on the cluster through a client of its own once it is started."""

    def __init__(self, client: Client) -> None:
        self.client = client

    @abstractmethod
    def start(self) -> None:
        """Watch what the component reacts to."""

    def watch(self, resource: str, subscriber: Subscriber) -> None:
        """Hear of every object that there is, as an informer lists first, and of every later change."""
        for obj in self.client.list(resource):
            subscriber(WatchEvent("ADDED", resource, obj, None, int(obj["metadata"]["resourceVersion"])))
        self.client.subscribe(resource, subscriber)


class Controller(Component):
    """Subclasses watch in ``start``, call ``enqueue``, and do the work of one key in ``reconcile``.

    ``max_retries``: how many failures in a row drop the key (None: never); ``base_backoff_ns``: the first delay.
    """

    max_retries: ClassVar[int | None] = None
    base_backoff_ns: ClassVar[int] = BASE_BACKOFF_NS

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._queue: WorkQueue[Key] = WorkQueue(
            client.loop,
            lambda key: self.reconcile(*key),
            base_backoff_ns=self.base_backoff_ns,
            max_retries=self.max_retries,
        )

    @abstractmethod
    def reconcile(self, namespace: str, name: str) -> None:
        """Bring one object closer to what it should be."""

    def enqueue(self, namespace: str, name: str, after_ns: int = RECONCILE_LATENCY_NS) -> None:
        """Have a key reconciled in ``after_ns``, or earlier when it is queued for earlier."""
        self._queue.add((namespace, name), after_ns)

    def enqueue_object(self, event: WatchEvent) -> None:
        """A subscriber that queues the changed object itself."""
        self.enqueue(*key_of(event.object))

    def enqueue_controller_of(self, event: WatchEvent, kind: str) -> None:
        """Queue the object's controlling owner, if it is of ``kind`` (now or before the change)."""
        for obj in (event.object, event.previous):
            owner = controller_of(obj) if obj is not None else None
            if owner is not None and owner["kind"] == kind:
                self.enqueue(event.object["metadata"].get("namespace", ""), owner["name"])


def controller_of(obj: Object) -> dict[str, str] | None:
    """The owner reference with ``controller: true``, or None."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            owner: dict[str, str] = reference
            return owner
    return None


def owner_reference(owner: Object) -> dict[str, object]:
    """The reference that marks ``owner`` as the controller of a new object."""
    metadata = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
