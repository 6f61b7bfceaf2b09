"""The roles and bindings that a new server makes.

Source: kubernetes/kubernetes pkg/registry/rbac/rest/storage_rbac.go (PostStartHook), bootstrappolicy.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from importlib.resources import files

from labs.api.rbac.authorizer import GROUP
from labs.api.store import Object


@cache
def _policy() -> tuple[Object, ...]:
    packed = files("labs.api.data").joinpath("rbac_policy.json.gz").read_bytes()
    return tuple(json.loads(gzip.decompress(packed)))


def default_policy() -> tuple[tuple[str, Object], ...]:
    """Resource and object of each, in the order in which they are made; to be read, not changed."""
    return tuple((f"{obj['kind'].lower()}s.{GROUP}", obj) for obj in _policy())
