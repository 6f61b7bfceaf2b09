"""What an API server serves: types, their versions and rules, and who follows their writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from labs.api.resources import BY_RESOURCE, ResourceType
from labs.api.store import Object
from labs.api.strategy import Strategy
from labs.errors import no_such_resource

Follower = Callable[[Object], None]
_PLAIN = Strategy()


class VirtualResource(Protocol):
    """A resource that is computed when it is read, such as ``pods.metrics.k8s.io``."""

    def get(self, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        ...

    def list(self, namespace: str | None) -> list[Object]:
        """All objects (of one namespace), in order of namespace and name."""
        ...


@dataclass(slots=True, kw_only=True)
class Served:
    """Types by resource (in the version in which objects are stored), and what belongs to them."""

    types: dict[str, ResourceType] = field(default_factory=lambda: dict(BY_RESOURCE))
    strategies: dict[str, Strategy] = field(default_factory=dict)
    virtual: dict[str, VirtualResource] = field(default_factory=dict)
    versions: dict[str, tuple[ResourceType, ...]] = field(default_factory=dict)
    """Of custom resources: the versions beside that in which objects are stored."""
    followers: dict[str, Follower] = field(default_factory=dict)
    """By resource: who is told, within the write, of an object that was stored or removed."""
    served_changes: int = 0
    """How often the custom resources that are served have changed."""

    def register_virtual(self, kind: ResourceType, provider: VirtualResource) -> None:
        """Serve a read-only resource whose objects ``provider`` computes."""
        self.types[kind.resource] = kind
        self.virtual[kind.resource] = provider

    def serve(self, types: Sequence[ResourceType], strategies: Sequence[Strategy], follower: Follower) -> None:
        """Serve a custom resource in these versions, the one in which objects are stored first."""
        resource = types[0].resource
        self.withdraw(resource)
        self.types[resource], self.versions[resource] = types[0], tuple(types[1:])
        for kind, strategy in zip(types, strategies, strict=True):
            self.strategies[_key(kind)] = strategy
        self.followers[resource] = follower

    def withdraw(self, resource: str) -> None:
        """Serve a custom resource no longer."""
        for kind in (self.types.pop(resource, None), *self.versions.pop(resource, ())):
            if kind is not None:
                self.strategies.pop(_key(kind), None)
        self.followers.pop(resource, None)
        self.served_changes += 1

    def all_types(self) -> Iterator[ResourceType]:
        """Every type, in each of its versions."""
        yield from self.types.values()
        for others in self.versions.values():
            yield from others

    def type_of(self, resource: str) -> ResourceType:
        """The type of a resource, in the version in which its objects are stored. Raises 404 where it is not served."""
        found = self.types.get(resource)
        if found is None:
            raise no_such_resource()
        return found

    def rules(self, kind: ResourceType) -> Strategy:
        """The rules of a type, in this version of it."""
        return self.strategies.get(_key(kind), _PLAIN)

    def follow(self, resource: str, obj: Object) -> None:
        """Tell who follows a resource of an object that was stored or removed."""
        follower = self.followers.get(resource)
        if follower is not None:
            follower(obj)


def _key(kind: ResourceType) -> str:
    return kind.resource if kind.custom is None else f"{kind.resource}/{kind.version}"
