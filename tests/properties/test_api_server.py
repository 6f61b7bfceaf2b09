"""The API server against a model of its pods: writes, deletions with finalizers and grace, lists and watches."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from api.conftest import CONTAINER, PODS, Server
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from labs.api.rest.watches import WatchStream
from labs.errors import ApiError

NAMES = st.sampled_from(["a", "b", "c"])
LABELS = st.dictionaries(st.sampled_from(["app", "tier"]), st.sampled_from(["1", "2"]), max_size=2)
FINALIZERS = st.lists(st.sampled_from(["example.com/x", "example.com/y"]), unique=True, max_size=2)
GRACE = st.sampled_from([None, 0, 5])
DEFAULT_GRACE_S = 30
MERGE = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Pod:
    """What the model knows of a pod; ``grace_s`` is None until it is being deleted."""

    labels: dict[str, str]
    finalizers: tuple[str, ...]
    is_bound: bool = False
    phase: str = "Pending"
    grace_s: int | None = None

    @property
    def is_finished(self) -> bool:
        """Whether a deletion waits for nothing more."""
        return self.grace_s == 0 and not self.finalizers


@dataclass(slots=True)
class Watcher:
    """A stream and the state that it has told so far: versions by name."""

    stream: WatchStream
    state: dict[str, str]
    versions: list[int] = field(default_factory=list)


class ApiMachine(RuleBasedStateMachine):
    """Random requests; each answer's status is foretold, and what is stored equals the model."""

    @initialize()
    def begin(self) -> None:
        self.server = Server()
        self.model: dict[str, Pod] = {}
        self.stale: dict[str, str] = {}
        self.past: list[tuple[str, dict[str, str]]] = []
        self.watchers: list[Watcher] = []
        self.remember()

    def remember(self) -> None:
        """Keep the state of now, for a watch that begins here."""
        self.past.append((str(self.server.api.store.resource_version), self.versions()))

    def versions(self) -> dict[str, str]:
        return {pod["metadata"]["name"]: pod["metadata"]["resourceVersion"] for pod in self.stored().values()}

    def stored(self) -> dict[str, Any]:
        return {pod["metadata"]["name"]: pod for pod in self.server.expect(200, "GET", PODS)["items"]}

    def becomes(self, name: str, pod: Pod) -> None:
        if pod.is_finished:
            del self.model[name]
        else:
            self.model[name] = pod

    @rule(name=NAMES, labels=LABELS, finalizers=FINALIZERS)
    def create(self, name: str, labels: dict[str, str], finalizers: list[str]) -> None:
        metadata = {"name": name, "labels": labels, "finalizers": finalizers}
        body = {"metadata": metadata, "spec": {"containers": [CONTAINER]}}
        if name in self.model:
            self.server.expect(409, "POST", PODS, body)
            return
        made = self.server.expect(201, "POST", PODS, body)
        self.stale[name] = made["metadata"]["resourceVersion"]
        self.model[name] = Pod(labels, tuple(finalizers))

    @rule(name=NAMES)
    def bind(self, name: str) -> None:
        pod = self.model.get(name)
        try:
            self.server.client.bind("shop", name, "node-1")
        except ApiError as error:
            assert error.code == (404 if pod is None else 409)  # noqa: PT017  either end is allowed by the model
            assert pod is None or pod.is_bound or pod.grace_s is not None
        else:
            assert pod is not None
            assert not pod.is_bound
            self.model[name] = replace(pod, is_bound=True)

    @rule(name=NAMES, labels=LABELS, is_stale=st.booleans())
    def update(self, name: str, labels: dict[str, str], is_stale: bool) -> None:
        found = self.server.ask("GET", f"{PODS}/{name}")
        if name not in self.model:
            assert found.status == 404
            return
        body = found.json()
        current = body["metadata"]["resourceVersion"]
        body["metadata"] |= {"labels": labels, "resourceVersion": self.stale[name] if is_stale else current}
        is_refused = body["metadata"]["resourceVersion"] != current
        answer = self.server.expect(409 if is_refused else 200, "PUT", f"{PODS}/{name}", body)
        if not is_refused:
            kept = dict(answer["metadata"].get("labels", {}))
            assert kept == labels
            self.becomes(name, replace(self.model[name], labels=labels))

    @rule(name=NAMES, labels=LABELS)
    def patch_labels(self, name: str, labels: dict[str, str]) -> None:
        body = {"metadata": {"labels": labels}}
        status = 200 if name in self.model else 404
        self.server.expect(status, "PATCH", f"{PODS}/{name}", body, media=MERGE)
        if name in self.model:
            self.becomes(name, replace(self.model[name], labels={**self.model[name].labels, **labels}))

    @rule(name=NAMES, finalizers=FINALIZERS)
    def patch_finalizers(self, name: str, finalizers: list[str]) -> None:
        pod = self.model.get(name)
        body = {"metadata": {"finalizers": finalizers or None}}
        if pod is None:
            self.server.expect(404, "PATCH", f"{PODS}/{name}", body, media=MERGE)
        elif pod.grace_s is not None and not set(finalizers) <= set(pod.finalizers):
            # A deletion may wait for less, never for more.
            self.server.expect(422, "PATCH", f"{PODS}/{name}", body, media=MERGE)
        else:
            self.server.expect(200, "PATCH", f"{PODS}/{name}", body, media=MERGE)
            self.becomes(name, replace(pod, finalizers=tuple(finalizers)))

    @rule(name=NAMES, phase=st.sampled_from(["Running", "Succeeded"]))
    def set_status(self, name: str, phase: str) -> None:
        pod = self.model.get(name)
        body = {"status": {"phase": phase}, "metadata": {"finalizers": ["example.com/ignored"]}}
        self.server.expect(200 if pod else 404, "PATCH", f"{PODS}/{name}/status", body, media=MERGE)
        if pod is not None:
            self.model[name] = replace(pod, phase=phase)

    @rule(name=NAMES, grace_s=GRACE)
    def delete(self, name: str, grace_s: int | None) -> None:
        pod = self.model.get(name)
        body = {} if grace_s is None else {"gracePeriodSeconds": grace_s}
        self.server.expect(200 if pod else 404, "DELETE", f"{PODS}/{name}", body)
        if pod is None:
            return
        has_grace = pod.is_bound and pod.phase != "Succeeded"
        given_s = (DEFAULT_GRACE_S if grace_s is None else grace_s) if has_grace else 0
        if not given_s and not pod.finalizers:
            del self.model[name]
        else:
            self.model[name] = replace(pod, grace_s=given_s if pod.grace_s is None else min(pod.grace_s, given_s))

    @rule(place=st.integers(min_value=0, max_value=10_000))
    def watch(self, place: int) -> None:
        version, state = self.past[place % len(self.past)]
        stream = self.server.watch(f"{PODS}?watch=1&resourceVersion={version}")
        self.watchers.append(Watcher(stream, dict(state)))

    @rule()
    def pass_time(self) -> None:
        self.server.run(1)
        self.remember()

    @invariant()
    def what_is_stored_is_the_model(self) -> None:
        if not hasattr(self, "server"):
            return
        stored = self.stored()
        assert sorted(stored) == sorted(self.model)
        for name, pod in self.model.items():
            metadata, spec = stored[name]["metadata"], stored[name]["spec"]
            assert metadata.get("labels", {}) == pod.labels
            assert metadata.get("finalizers", []) == list(pod.finalizers)
            assert metadata.get("deletionGracePeriodSeconds") == pod.grace_s
            assert ("deletionTimestamp" in metadata) == (pod.grace_s is not None)
            assert stored[name]["status"]["phase"] == pod.phase
            assert ("nodeName" in spec) == pod.is_bound

    @invariant()
    def every_watch_has_told_all_that_a_list_shows(self) -> None:
        if not hasattr(self, "server"):
            return
        current = self.versions()
        for watcher in self.watchers:
            for frame in map(json.loads, watcher.stream.pull()):
                metadata = frame["object"]["metadata"]
                watcher.versions.append(int(metadata["resourceVersion"]))
                assert (frame["type"] == "ADDED") == (metadata["name"] not in watcher.state)
                if frame["type"] == "DELETED":
                    del watcher.state[metadata["name"]]
                else:
                    watcher.state[metadata["name"]] = metadata["resourceVersion"]
            assert watcher.state == current
            assert watcher.versions == sorted(set(watcher.versions))


ApiMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None, derandomize=True)
TestApiServer = ApiMachine.TestCase
