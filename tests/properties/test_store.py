"""The store against a plain dict: what it lists, indexes and tells its watchers stays true under any writes."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from labs.api.objects import Object
from labs.api.resources import ResourceType
from labs.api.rest.lists import list_page
from labs.api.rest.message import Request
from labs.api.rest.options import list_options
from labs.api.rest.selection import parse_selection
from labs.api.store import Store, WatchEvent
from labs.sim.loop import Loop
from labs.sim.trace import Trace

NAMESPACES = st.sampled_from(["a", "a-b", "b"])
NAMES = st.sampled_from(["x", "x-1", "y", "z"])
LABELS = st.dictionaries(st.sampled_from(["app", "tier"]), st.sampled_from(["1", "2"]), max_size=2)


class StoreMachine(RuleBasedStateMachine):
    """Random writes; the model keeps every past state by its version."""

    @initialize()
    def begin(self) -> None:
        self.loop = Loop(0)
        self.store = Store(self.loop, Trace())
        self.model: dict[tuple[str, str], Object] = {}
        self.past: dict[int, dict[tuple[str, str], Object]] = {1: {}}
        self.seen: dict[tuple[str, str], Object] = {}
        self.versions: list[int] = []
        self.store.subscribe("things", self.notice)

    def notice(self, event: WatchEvent) -> None:
        metadata = event.object["metadata"]
        key = (metadata["namespace"], metadata["name"])
        self.versions.append(event.resource_version)
        assert (event.type == "ADDED") == (key not in self.seen)
        if event.type == "DELETED":
            del self.seen[key]
        else:
            self.seen[key] = event.object

    @rule(namespace=NAMESPACES, name=NAMES, labels=LABELS)
    def put(self, namespace: str, name: str, labels: dict[str, str]) -> None:
        obj = {"metadata": {"namespace": namespace, "name": name, "labels": labels}}
        self.model[namespace, name] = self.store.put("things", obj)
        self.past[self.store.resource_version] = dict(self.model)

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        namespace, name = data.draw(st.sampled_from(sorted(self.model)))
        last = self.store.remove("things", namespace, name)
        del self.model[namespace, name]
        self.past[self.store.resource_version] = dict(self.model)
        assert last["metadata"]["resourceVersion"] == str(self.store.resource_version)

    @rule()
    def let_watchers_hear(self) -> None:
        self.loop.run_until(self.loop.now_ns + 1_000_000)
        assert self.seen == self.model
        assert self.versions == sorted(set(self.versions))

    @rule(data=st.data())
    def list_the_past(self, data: st.DataObject) -> None:
        version = data.draw(st.sampled_from(sorted(self.past)))
        request = Request.to("GET", f"/things?resourceVersion={version}&resourceVersionMatch=Exact")
        selection = parse_selection(ResourceType("", "v1", "Thing", "things"), "", "")
        page = list_page(self.store, selection, None, list_options(request, is_watch=False))
        found = {(item["metadata"]["namespace"], item["metadata"]["name"]): item for item in page.objects}
        assert found == self.past[version]

    @invariant()
    def lists_and_indexes_agree(self) -> None:
        if not hasattr(self, "store"):
            return
        assert self.store.list("things") == [self.model[key] for key in sorted(self.model)]
        for namespace in ("a", "a-b", "b"):
            expected = [self.model[key] for key in sorted(self.model) if key[0] == namespace]
            assert self.store.list("things", namespace) == expected
        for value in ("1", "2"):
            expected = [
                self.model[key]
                for key in sorted(self.model)
                if self.model[key]["metadata"]["labels"].get("app") == value
            ]
            assert self.store.by_index("things", "label", f"app={value}") == expected


StoreMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None, derandomize=True)
TestStore = StoreMachine.TestCase
