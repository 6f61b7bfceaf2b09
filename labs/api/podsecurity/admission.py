"""The admission plug-in PodSecurity. Source: pod-security-admission admission/admission.go."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from labs import errors
from labs.api.apiserver import Attributes, raise_invalid
from labs.api.objects import at
from labs.api.podsecurity.evaluate import evaluate, told
from labs.api.podsecurity.policy import LEVELS, Policy, Standard, policy_of
from labs.api.store import Object, Store

TEMPLATES: dict[str, tuple[str, ...]] = {
    "replicationcontrollers": ("spec", "template"),
    "podtemplates": ("template",),
    "deployments.apps": ("spec", "template"),
    "replicasets.apps": ("spec", "template"),
    "statefulsets.apps": ("spec", "template"),
    "daemonsets.apps": ("spec", "template"),
    "jobs.batch": ("spec", "template"),
    "cronjobs.batch": ("spec", "jobTemplate", "spec", "template"),
}
"""Where each kind of workload keeps its pods' template."""

MAX_PODS_CHECKED = 3000


class PodSecurity:
    """Refuses pods, and warns of workloads, that break the standard of their namespace."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def admit(self, attributes: Attributes) -> None:
        """Raises 403 for a pod, and 422 for labels that name no standard."""
        resource, subresource = attributes.type.resource, attributes.subresource
        if subresource not in ("", "ephemeralcontainers") or attributes.operation not in ("CREATE", "UPDATE"):
            return
        if resource == "namespaces":
            self._admit_namespace(attributes)
        elif resource == "pods":
            self._admit_pod(attributes)
        elif resource in TEMPLATES:
            template = at(attributes.object, *TEMPLATES[resource])
            if template is not None:
                _warn(self._policy(attributes), template, attributes)

    def _policy(self, attributes: Attributes) -> Policy:
        namespace = self._store.get("namespaces", "", attributes.object["metadata"].get("namespace", ""))
        return policy_of((namespace or {"metadata": {}})["metadata"].get("labels"))[0]

    def _admit_pod(self, attributes: Attributes) -> None:
        pod, old = attributes.object, attributes.old
        if old is not None and not _is_significant(pod, old):
            return
        policy = self._policy(attributes)
        found = evaluate(policy.enforce, pod)
        if found:
            why = f'violates PodSecurity "{policy.enforce}": {told(found)}'
            raise errors.forbidden("pods", pod["metadata"].get("name", ""), why)
        _warn(policy, pod, attributes)

    def _admit_namespace(self, attributes: Attributes) -> None:
        metadata = attributes.object["metadata"]
        policy, problems = policy_of(metadata.get("labels"))
        if attributes.old is None:
            raise_invalid(attributes.type, metadata["name"], problems)
            return
        before, old_problems = policy_of(attributes.old["metadata"].get("labels"))
        if problems != old_problems:
            raise_invalid(attributes.type, metadata["name"], problems)
        new, old = policy.enforce, before.enforce
        is_relaxed = new.version == old.version and LEVELS.index(new.level) <= LEVELS.index(old.level)
        if new != old and new.level != "privileged" and not is_relaxed:
            attributes.warnings.extend(self._warnings_of(metadata["name"], new))

    def _warnings_of(self, namespace: str, standard: Standard) -> list[str]:
        """Which of the pods that are there would be refused."""
        pods = self._store.list("pods", namespace)
        names: defaultdict[str, list[str]] = defaultdict(list)
        for pod in pods[:MAX_PODS_CHECKED]:
            found = evaluate(standard, pod)
            if found:
                names[", ".join(finding.reason for finding in found)].append(pod["metadata"]["name"])
        if not names:
            return []
        first = f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{standard}"'
        return [first, *sorted(f"{_counted(pods)}: {reason}" for reason, pods in names.items())]


def _counted(names: list[str]) -> str:
    others = len(names) - 1
    if not others:
        return names[0]
    return f"{min(names)} (and {others} other {'pod' if others == 1 else 'pods'})"


def _warn(policy: Policy, template: Any, attributes: Attributes) -> None:
    found = evaluate(policy.warn, template)
    if found:
        attributes.warnings.append(f'would violate PodSecurity "{policy.warn}": {told(found)}')


def _is_significant(pod: Object, old: Object) -> bool:
    """Of what can change in a pod, only containers and their images matter."""
    return any(
        [(item["name"], item.get("image")) for item in pod["spec"].get(key) or ()]
        != [(item["name"], item.get("image")) for item in old["spec"].get(key) or ()]
        for key in ("initContainers", "containers", "ephemeralContainers")
    )
