"""Karpenter's kinds: the definitions that its chart installs, and their rules.

The definitions are the published ones (``labs/api/data``). Of their rules, which are written in CEL, these are the ones
that are checked; each message is the definition's. Source: aws/karpenter-provider-aws pkg/apis/crds.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from labs.api.apiserver import ApiServer
from labs.api.crds.kinds import Rules
from labs.api.deletion import CRDS
from labs.api.objects import at
from labs.api.resources import ResourceType
from labs.api.store import Object
from labs.api.strategy import FieldError

MANAGER = "helm"
COMPARISONS = ("Gt", "Lt", "Gte", "Lte")
ALIAS_FAMILIES = {
    "al2": "AL2",
    "al2023": "AL2023",
    "bottlerocket": "Bottlerocket",
    "windows2019": "Windows2019",
    "windows2022": "Windows2022",
    "windows2025": "Windows2025",
}
ALIAS = re.compile(r"[a-zA-Z0-9]+@.+")
AMI_KEYS = ("tags", "id", "name", "alias", "ssmParameter")
SELECTORS: Mapping[str, tuple[str, ...]] = {
    "subnetSelectorTerms": ("tags", "id"),
    "securityGroupSelectorTerms": ("tags", "id", "name"),
}
RESTRICTED_TAGS = ("eks:eks-cluster-name", "karpenter.sh/nodepool", "karpenter.sh/nodeclaim")
NO_VALUE = "requirements with operator 'In' must have a value defined"
NOT_ONE = "requirements operator 'Gt', 'Lt', 'Gte', or 'Lte' must have a single positive integer value"
TOO_FEW = "requirements with 'minValues' must have at least that many values specified in the 'values' field"


@cache
def karpenter_definitions() -> tuple[Object, ...]:
    """The definitions of NodePool, NodeClaim and EC2NodeClass; to be read, not changed."""
    packed = files("labs.api.data").joinpath("karpenter_crds.json.gz").read_bytes()
    return tuple(json.loads(gzip.decompress(packed)))


def install_karpenter(api: ApiServer) -> None:
    """Create the definitions, which has the kinds served."""
    for definition in karpenter_definitions():
        api.create(CRDS, definition, user="system:admin", manager=MANAGER)


def _broken(path: str, type_name: str, message: str) -> FieldError:
    return FieldError("FieldValueInvalid", path, f'Invalid value: "{type_name}": {message}')


def node_pool_problems(new: Object, old: Object | None) -> Iterator[FieldError]:
    """What breaks the rules of a NodePool; ``old`` is what an update replaces."""
    spec = new["spec"]
    if "replicas" in spec:
        if spec.get("limits") and set(spec["limits"]) != {"nodes"}:
            yield _broken("spec", "object", "only 'limits.nodes' is supported on static NodePools")
        if "weight" in spec:
            yield _broken("spec", "object", "'weight' is not supported on static NodePools")
    if old is not None and ("replicas" in spec) != ("replicas" in old["spec"]):
        modes = "static (replicas set) and dynamic (replicas unset) provisioning modes"
        yield _broken("spec", "object", f"Cannot transition NodePool between {modes}")
    budgets = at(spec, "disruption", "budgets") or []
    if any(("schedule" in budget) != ("duration" in budget) for budget in budgets):
        yield _broken("spec.disruption.budgets", "array", "'schedule' must be set with 'duration'")
    template = spec["template"]["spec"]
    reference = "spec.template.spec.nodeClassRef"
    for key in ("group", "kind") if old is not None else ():
        if template["nodeClassRef"][key] != at(old, "spec", "template", "spec", "nodeClassRef", key):
            yield _broken(reference, "object", f"nodeClassRef.{key} is immutable")
    yield from _reference_problems(template["nodeClassRef"], reference)
    labels = "spec.template.metadata.labels"
    for key in at(spec, "template", "metadata", "labels") or {}:
        yield from _label_problems(key, labels, "object", names_pool=True)
    yield from _requirement_problems(template["requirements"], "spec.template.spec.requirements", names_pool=True)


def node_claim_problems(new: Object, old: Object | None) -> Iterator[FieldError]:
    """What breaks the rules of a NodeClaim."""
    spec = new["spec"]
    if old is not None and spec != old["spec"]:
        yield _broken("spec", "object", "spec is immutable")
    yield from _reference_problems(spec["nodeClassRef"], "spec.nodeClassRef")
    yield from _requirement_problems(spec["requirements"], "spec.requirements", names_pool=False)


def _reference_problems(reference: Mapping[str, str], path: str) -> Iterator[FieldError]:
    for key in ("group", "kind", "name"):
        if not reference[key]:
            yield _broken(f"{path}.{key}", "string", f"{key} may not be empty")


def _requirement_problems(items: Sequence[Mapping[str, Any]], path: str, *, names_pool: bool) -> Iterator[FieldError]:
    inside = [item for item in items if item["operator"] == "In"]
    if any(not item.get("values") for item in inside):
        yield _broken(path, "array", NO_VALUE)
    if any(item["operator"] in COMPARISONS and not _is_whole(item.get("values") or ()) for item in items):
        yield _broken(path, "array", NOT_ONE)
    if any(len(item.get("values") or ()) < item["minValues"] for item in inside if "minValues" in item):
        yield _broken(path, "array", TOO_FEW)
    for index, item in enumerate(items):
        yield from _label_problems(item["key"], f"{path}[{index}].key", "string", names_pool=names_pool)


def _is_whole(values: Sequence[str]) -> bool:
    return len(values) == 1 and values[0].isdigit()


def _label_problems(key: str, path: str, type_name: str, *, names_pool: bool) -> Iterator[FieldError]:
    """Labels that Karpenter gives itself; ``names_pool``: the pool's own name is one of them."""
    known = ("karpenter.sh/capacity-type", "karpenter.sh/nodepool")
    domain = key.split("/")[0]
    if domain.endswith("karpenter.sh") and key not in known:
        yield _broken(path, type_name, 'label domain "karpenter.sh" is restricted')
    if key == "kubernetes.io/hostname" or (names_pool and key == known[1]):
        yield _broken(path, type_name, f'label "{key}" is restricted')
    if domain.endswith("karpenter.k8s.aws") and key not in _aws_labels():
        yield _broken(path, type_name, 'label domain "karpenter.k8s.aws" is restricted')


@cache
def _aws_labels() -> frozenset[str]:
    """The labels that the rule on ``spec.template.metadata.labels`` lets through."""
    schema = karpenter_definitions()[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for key in ("spec", "template", "metadata", "labels"):
        schema = schema["properties"][key]
    texts = [rule["rule"] for rule in schema["x-kubernetes-validations"]]
    return frozenset(re.findall(r'"(karpenter\.k8s\.aws/[^"]+)"', " ".join(texts)))


def node_class_problems(new: Object, old: Object | None) -> Iterator[FieldError]:
    """What breaks the rules of an EC2NodeClass."""
    spec = new["spec"]
    if ("role" in spec) == ("instanceProfile" in spec):
        yield _broken("spec", "object", "must specify exactly one of ['role', 'instanceProfile']")
    terms = spec["amiSelectorTerms"]
    aliases = [term["alias"] for term in terms if "alias" in term]
    for alias in aliases:
        family = ALIAS_FAMILIES.get(alias.split("@")[0])
        if family and spec.get("amiFamily") not in (None, "Custom", family):
            text = f"if set, amiFamily must be '{family}' or 'Custom' when using {'an' if family[0] == 'A' else 'a'}"
            yield _broken("spec", "object", f"{text} {family} alias")
    if not aliases and "amiFamily" not in spec:
        yield _broken("spec", "object", "must specify amiFamily if amiSelectorTerms does not contain an alias")
    yield from _ami_problems(terms, aliases)
    for key, choices in SELECTORS.items():
        yield from _selector_problems(spec[key], choices, f"spec.{key}")
    for key in ("role", "instanceProfile"):
        if spec.get(key) == "":
            yield _broken(f"spec.{key}", "string", f"{key} cannot be empty")
    yield from _tag_problems(spec.get("tags") or ())


def _ami_problems(terms: Sequence[Mapping[str, Any]], aliases: Sequence[str]) -> Iterator[FieldError]:
    path, alone = "spec.amiSelectorTerms", "is mutually exclusive, cannot be set with a combination of other"
    if any(not set(term) & set(AMI_KEYS) for term in terms):
        yield _broken(path, "array", f"expected at least one, got none, {list(AMI_KEYS)}")
    for key in ("id", "alias"):
        others = {"id", "alias", "tags", "name", "owner"} - {key}
        if any(key in term and others & set(term) for term in terms):
            yield _broken(path, "array", f"'{key}' {alone} fields in amiSelectorTerms")
    if aliases and len(terms) != 1:
        yield _broken(path, "array", f"'alias' {alone} amiSelectorTerms")
    for index, term in enumerate(terms):
        alias = term.get("alias")
        if alias is not None and not ALIAS.fullmatch(alias):
            text = "'alias' is improperly formatted, must match the format 'family@version'"
            yield _broken(f"{path}[{index}].alias", "string", text)
        elif alias is not None:
            family, _, version = alias.partition("@")
            yield from _family_problems(family, version, f"{path}[{index}].alias")


def _family_problems(family: str, version: str, path: str) -> Iterator[FieldError]:
    if family not in ALIAS_FAMILIES:
        known = ", ".join(f"'{name}'" for name in ALIAS_FAMILIES)
        yield _broken(path, "string", f"family is not supported, must be one of the following: {known}")
    elif family.startswith("windows") and version != "latest":
        yield _broken(path, "string", "windows families may only specify version 'latest'")


def _selector_problems(terms: Sequence[Mapping[str, Any]], choices: tuple[str, ...], path: str) -> Iterator[FieldError]:
    if not terms:
        yield _broken(path, "array", f"{path.removeprefix('spec.')} cannot be empty")
        return
    if any(not set(term) & set(choices) for term in terms):
        yield _broken(path, "array", f"expected at least one, got none, {list(choices)}")
    for index, term in enumerate(terms):
        if any(not key or not value for key, value in (term.get("tags") or {}).items()):
            yield _broken(f"{path}[{index}].tags", "object", "empty tag keys or values aren't supported")


def _tag_problems(keys: Iterable[str]) -> Iterator[FieldError]:
    for key in keys:
        if not key:
            yield _broken("spec.tags", "object", "empty tag keys aren't supported")
        elif key in (*RESTRICTED_TAGS, "karpenter.k8s.aws/ec2nodeclass"):
            yield _broken("spec.tags", "object", f"tag contains a restricted tag matching {key}")
        elif key.startswith("kubernetes.io/cluster"):
            yield _broken("spec.tags", "object", "tag contains a restricted tag matching kubernetes.io/cluster/")


RULES: Mapping[str, Rules] = {
    "nodepools.karpenter.sh": node_pool_problems,
    "nodeclaims.karpenter.sh": node_claim_problems,
    "ec2nodeclasses.karpenter.k8s.aws": node_class_problems,
}
"""The rules of each kind, in place of their CEL."""


def rules_for(kind: ResourceType) -> Rules | None:
    """The rules of a kind whose schema is still the published one; None for any other."""
    rules = RULES.get(kind.resource)
    if rules is None or kind.custom is None:
        return None
    published = next(item for item in karpenter_definitions() if item["metadata"]["name"] == kind.resource)
    schema = published["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return rules if kind.custom.schema == schema else None
