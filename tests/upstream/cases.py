"""The requests of a comparison, by suite. Every write is a dry run or is refused, so that the order changes nothing."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from upstream.mutations import additions, by_value, resolved, samples, schema_of
from upstream.servers import Ask, Server

from labs.api.resources import BUILT_IN
from labs.api.views import VIEW_TYPES

NAMESPACE = "diff"
TYPES = {(kind.api_version, kind.kind): kind for kind in (*BUILT_IN, *VIEW_TYPES)}
CORPUS = Path(__file__).with_name("corpus.yaml")
JSON_PATCH, MERGE_PATCH = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC_PATCH, APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
AS = "application/json;v=v1;g=meta.k8s.io;as="
STUDENT = "student-token"
TEMPLATED = (
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "PodTemplate",
    "ReplicationController",
)
LARGE = ("Pod", "CustomResourceDefinition")


@dataclass(frozen=True, slots=True)
class Subject:
    """An object of the corpus and where it lives."""

    manifest: dict[str, Any]
    collection: str

    @property
    def kind(self) -> str:
        return str(self.manifest["kind"])

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    @property
    def label(self) -> str:
        """The start of its cases' names."""
        return f"{self.kind}/{self.name}"

    @property
    def path(self) -> str:
        return f"{self.collection}/{self.name}"

    def with_metadata(self, **changes: Any) -> dict[str, Any]:
        """The manifest with other metadata."""
        return {**self.manifest, "metadata": {**self.manifest["metadata"], **changes}}


def subjects() -> list[Subject]:
    """The corpus."""
    loaded = [manifest for manifest in yaml.safe_load_all(CORPUS.read_text("utf-8")) if manifest]
    manifests = json.loads(json.dumps(loaded, default=str).replace('"NS"', f'"{NAMESPACE}"'))
    return [Subject(manifest, collection(manifest)) for manifest in manifests]


def collection(manifest: Mapping[str, Any]) -> str:
    """The path of the objects of a manifest's kind."""
    version = manifest["apiVersion"]
    kind = TYPES[(version, manifest["kind"])]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return f"{root}/namespaces/{NAMESPACE}/{kind.plural}" if kind.is_namespaced else f"{root}/{kind.plural}"


def prepare(server: Server) -> dict[str, Any]:
    """Make the namespace and the corpus; what is there already stays. Returns the refusals of what is not."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    server.send(Ask("namespace", "POST", "/api/v1/namespaces", namespace))
    server.send(Ask("account", "POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", account))
    refused = {}
    for subject in subjects():
        answer = server.send(Ask(subject.label, "POST", subject.collection, subject.manifest))
        if answer.code != 201 and server.send(Ask(subject.label, "GET", subject.path)).code != 200:
            refused[subject.label] = answer.body
    return refused


def is_picked(name: str, percent: float) -> bool:
    """Whether a case belongs to a sample of so many percent: the same ones each time."""
    return zlib.crc32(name.encode()) % 10_000 < percent * 100


def share_of(subject: Subject, mutation: str) -> float:
    """Percent of such mutations that are enough: pods' templates are pods again, and all kinds' metadata are alike."""
    is_addition, place = ":+" in mutation, mutation.partition(":")[0]
    if mutation.endswith("full"):
        return 100
    if "template.spec" in place and subject.kind in TEMPLATED:
        return 12
    if is_addition and subject.kind in LARGE:
        return 6 if subject.kind == "CustomResourceDefinition" else 40
    return 15 if is_addition and place.startswith("metadata") else 100


def mutated(subject: Subject) -> Iterator[tuple[str, Any]]:
    """The enough of its mutations: name and object."""
    for mutations in (by_value(subject.manifest), additions(subject.manifest)):
        for mutation, changed in mutations:
            if is_picked(f"{subject.label} {mutation}", share_of(subject, mutation)):
                yield mutation, changed


def creates(subject: Subject) -> Iterator[Ask]:
    """The object and its mutations are made."""
    path = f"{subject.collection}?dryRun=All"
    fresh = f"{subject.name}-fresh"
    yield Ask("base", "POST", path, subject.with_metadata(name=fresh))
    for mutation, changed in mutated(Subject(subject.with_metadata(name=fresh), subject.collection)):
        yield Ask(mutation, "POST", path, changed)


def updates(subject: Subject) -> Iterator[Ask]:
    """The object is replaced by its mutations."""
    for mutation, changed in mutated(subject):
        yield Ask(mutation, "PUT", f"{subject.path}?dryRun=All", changed)


def statuses(subject: Subject) -> Iterator[Ask]:
    """The object's status is replaced, field by field, by samples of its schema."""
    schema = schema_of(subject.manifest) or {}
    rule = schema.get("properties", {}).get("status", {})
    for field, inner in resolved(rule).get("properties", {}).items():
        for name, value in samples(inner):
            body = {**subject.manifest, "status": {field: value}}
            yield Ask(f"{field}:+{name}", "PUT", f"{subject.path}/status?dryRun=All", body)


def reads(subject: Subject) -> Iterator[Ask]:
    """One object, in every form and by every user."""
    path = subject.path
    yield Ask("get", "GET", path)
    for form in ("Table", "PartialObjectMetadata"):
        yield Ask(f"get as {form}", "GET", path, accept=AS + form)
    yield Ask("get as YAML", "GET", path, accept="application/yaml")
    yield Ask("get as what is not served", "GET", path, accept="application/foo")
    yield Ask("get missing", "GET", f"{subject.collection}/nosuch")
    for sub in ("status", "scale", "nosuch"):
        yield Ask(f"get /{sub}", "GET", f"{path}/{sub}")
    for version in ("99999999", "abc"):
        yield Ask(f"get of version {version}", "GET", f"{path}?resourceVersion={version}")
    yield Ask("get by a student", "GET", path, token=STUDENT)
    yield Ask("get by nobody", "GET", path, token="")


LIST_OPTIONS = (
    "fieldSelector=metadata.name%3D{name}",
    "fieldSelector=metadata.name!%3D{name}",
    f"fieldSelector=metadata.namespace%3D{NAMESPACE}",
    "fieldSelector=spec.nosuch%3Dx",
    "fieldSelector=status.phase%3DRunning",
    "fieldSelector=spec.nodeName%3Dx",
    "fieldSelector=spec.unschedulable%3Dtrue",
    "fieldSelector=type%3DOpaque",
    "fieldSelector=reason%3DStarted",
    "fieldSelector=status.successful%3D1",
    "fieldSelector=a",
    "labelSelector=a%3D%3D%3Db",
    "labelSelector=app%20in%20(web,x)",
    "limit=-1",
    "limit=1x",
    "resourceVersionMatch=Exact",
    "resourceVersion=1&resourceVersionMatch=Foo",
    "continue=xx",
    "resourceVersion=3&continue=abc",
    "sendInitialEvents=true",
    "timeoutSeconds=abc",
    "watch=1&resourceVersion=abc",
)


def lists(subject: Subject) -> Iterator[Ask]:
    """The collection, with every option and in every form, and what it does not allow."""
    path = subject.collection
    only_this = f"{path}?fieldSelector=metadata.name%3D{subject.name}"
    for option in LIST_OPTIONS:
        yield Ask(f"list {option}", "GET", f"{path}?{option.format(name=subject.name)}")
    for included in ("None", "Metadata", "Object"):
        yield Ask(f"table with {included}", "GET", f"{only_this}&includeObject={included}", accept=f"{AS}Table")
    yield Ask("table with what is not known", "GET", f"{path}?includeObject=Foo", accept=f"{AS}Table")
    yield Ask("metadata", "GET", only_this, accept=f"{AS}PartialObjectMetadataList")
    yield Ask("list as what is not served", "GET", path, accept="application/foo")
    for method, body in (("GET", None), ("DELETE", None), ("POST", subject.manifest)):
        yield Ask(f"{method} by a student", method, path, body, token=STUDENT)
    yield Ask("PUT to a collection", "PUT", path, subject.manifest)
    yield Ask("PATCH of a collection", "PATCH", path, {}, MERGE_PATCH)
    yield Ask("POST to an object", "POST", subject.path, subject.manifest)


MERGES: Mapping[str, dict[str, Any]] = {
    "label": {"metadata": {"labels": {"x": "y"}}},
    "bad label": {"metadata": {"labels": {"x y": "y"}}},
    "label of a wrong type": {"metadata": {"labels": {"x": 1}}},
    "unknown": {"nosuch": 1, "spec": {"nosuch": 2}},
    "other name": {"metadata": {"name": "other"}},
    "other namespace": {"metadata": {"namespace": "other"}},
    "old version": {"metadata": {"resourceVersion": "1"}},
    "other uid": {"metadata": {"uid": "x"}},
}
OPERATIONS: Mapping[str, Any] = {
    "add": [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}],
    "remove": [{"op": "remove", "path": "/spec"}],
    "failing test": [{"op": "test", "path": "/metadata/name", "value": "x"}],
    "missing path": [{"op": "replace", "path": "/spec/nosuch/x", "value": 1}],
    "unknown operation": [{"op": "foo", "path": "/a"}],
    "unknown field": [{"op": "add", "path": "/nosuch", "value": 1}],
    "wrong type": [{"op": "replace", "path": "/metadata/labels", "value": 5}],
    "move": [{"op": "move", "from": "/metadata/labels/a", "path": "/metadata/labels/b"}],
    "object": {},
    "kind": [{"op": "replace", "path": "/kind", "value": "X"}],
}


def patches(subject: Subject) -> Iterator[Ask]:
    """Patches of all four kinds."""
    path = f"{subject.path}?dryRun=All"
    share = 2 if subject.kind in LARGE else 6
    for media in (MERGE_PATCH, STRATEGIC_PATCH):
        for name, patch in MERGES.items():
            yield Ask(f"{media} {name}", "PATCH", path, patch, media)
            yield Ask(f"{media} {name} strictly", "PATCH", f"{path}&fieldValidation=Strict", patch, media)
        for mutation, changed in by_value(subject.manifest):
            if is_picked(f"{media} {subject.label} {mutation}", share):
                yield Ask(f"{media} {mutation}", "PATCH", path, changed, media)
    for name, operations in OPERATIONS.items():
        yield Ask(f"{JSON_PATCH} {name}", "PATCH", path, operations, JSON_PATCH)
    yield Ask("patch of no media type", "PATCH", path, {})
    yield Ask("patch by a student", "PATCH", path, {}, MERGE_PATCH, STUDENT)


def applies(subject: Subject) -> Iterator[Ask]:
    """Server-side apply by a new manager."""
    path, owner = f"{subject.path}?dryRun=All", "&fieldManager=me"
    identity = {key: subject.manifest[key] for key in ("apiVersion", "kind")} | {"metadata": {"name": subject.name}}
    yield Ask("apply by no manager", "PATCH", path, identity, APPLY)
    bodies: dict[str, dict[str, Any]] = {
        "the same": subject.manifest,
        "the identity": identity,
        "another kind": {**identity, "kind": "Foo"},
        "another name": {**identity, "metadata": {"name": "other"}},
        "no name": {**identity, "metadata": {}},
        "an unknown field": {**subject.manifest, "nosuch": 1},
        "managed fields": subject.with_metadata(managedFields=[{"manager": "x"}]),
    }
    for name, body in bodies.items():
        yield Ask(f"apply {name}", "PATCH", path + owner, body, APPLY)
    fresh = f"{subject.collection}/fresh?dryRun=All{owner}"
    yield Ask("apply a new object", "PATCH", fresh, subject.with_metadata(name="fresh"), APPLY)
    for mutation, changed in by_value(subject.manifest):
        if is_picked(f"apply {subject.label} {mutation}", 2 if subject.kind in LARGE else 8):
            yield Ask(f"apply {mutation}", "PATCH", path + owner, changed, APPLY)
            yield Ask(f"force {mutation}", "PATCH", f"{path}{owner}&force=true", changed, APPLY)


DELETE_OPTIONS: Mapping[str, Any] = {
    "plain": None,
    "other uid": {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "x"}},
    "old version": {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"resourceVersion": "1"}},
    "in the foreground": {"propagationPolicy": "Foreground"},
    "unknown policy": {"propagationPolicy": "Foo"},
    "negative grace": {"gracePeriodSeconds": -1},
    "grace of a wrong type": {"gracePeriodSeconds": "x"},
    "policy twice": {"orphanDependents": True, "propagationPolicy": "Orphan"},
    "unknown dry run": {"dryRun": ["Some"]},
    "unknown field": {"foo": 1},
}


def deletes(subject: Subject) -> Iterator[Ask]:
    """The object is deleted, with every option."""
    path = f"{subject.path}?dryRun=All"
    for name, options in DELETE_OPTIONS.items():  # a body's options take the place of the query's
        yield Ask(name, "DELETE", path, options and {"dryRun": ["All"], **options})
    yield Ask("missing", "DELETE", f"{subject.collection}/nosuch?dryRun=All")
    yield Ask("by a student", "DELETE", path, token=STUDENT)


def posts(subject: Subject) -> Iterator[Ask]:
    """Bodies, media types and query parameters that a create, or an update, may not have."""
    path = f"{subject.collection}?dryRun=All"
    unknown = {**subject.with_metadata(name="fresh", nosuch=1), "nosuch2": 2}
    for option in ("Validation=Strict", "Validation=Ignore", "Validation=Warn", "Validation=x", "Manager=%07x"):
        yield Ask(f"field{option}", "POST", f"{path}&field{option}", unknown)
    yield Ask("unknown dry run", "POST", f"{subject.collection}?dryRun=x", subject.manifest)
    twice = json.dumps(subject.manifest)[:-1] + ',"metadata":{"name":"fresh"}}'
    yield Ask("a key twice", "POST", path, twice)
    yield Ask("a key twice, strictly", "POST", f"{path}&fieldValidation=Strict", twice)
    bodies: dict[str, Any] = {
        "a bad prefix": {**subject.manifest, "metadata": {"generateName": "Bad_"}},
        "another kind": {**subject.manifest, "kind": "Foo"},
        "another version": {**subject.manifest, "apiVersion": "v9"},
        "no kind": {key: value for key, value in subject.manifest.items() if key != "kind"},
        "another namespace": subject.with_metadata(namespace="other"),
        "a version": subject.with_metadata(name="fresh", resourceVersion="5"),
        "a list": [subject.manifest],
        "no JSON": "{foo",
    }
    for name, body in bodies.items():
        yield Ask(name, "POST", path, body)
    yield Ask("no YAML", "POST", path, "a: [", "application/yaml")
    yield Ask("plain text", "POST", path, subject.manifest, "text/plain")
    for key, value in (("resourceVersion", "1"), ("uid", "x")):
        yield Ask(f"PUT another {key}", "PUT", f"{subject.path}?dryRun=All", subject.with_metadata(**{key: value}))
    yield Ask("PUT another name", "PUT", f"{subject.collection}/nosuch?dryRun=All", subject.manifest)


SUITES: Mapping[str, Callable[[Subject], Iterator[Ask]]] = {
    suite.__name__: suite for suite in (creates, updates, statuses, reads, lists, patches, applies, deletes, posts)
}


def cases(suite: str, kinds: tuple[str, ...] = (), percent: float = 100) -> Iterator[Ask]:
    """A sample of a suite's requests for these kinds, or all, each under a name of its own."""
    for subject in subjects():
        if kinds and subject.kind not in kinds:
            continue
        for ask in SUITES[suite](subject):
            name = f"{suite} {subject.label} {ask.name}"
            if is_picked(f"sample {name}", percent):
                yield Ask(name, ask.method, ask.path, ask.body, ask.media, ask.token, ask.accept)
