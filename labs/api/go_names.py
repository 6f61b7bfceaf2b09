"""How Go calls the fields and types of a body, as its decoder names them in an error.

``labs/api/data/go_names.json.gz`` holds, by the full name of a type, the fields whose Go type the published
definitions do not tell (``v1.PreemptionPolicy`` is a string there) and the embedded structs that a field's path goes
through.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from labs.api.schemas import Definition


@cache
def _rows() -> Mapping[str, Mapping[str, tuple[str, str]]]:
    packed = files("labs.api.data").joinpath("go_names.json.gz").read_bytes()
    loaded: dict[str, Mapping[str, tuple[str, str]]] = json.loads(gzip.decompress(packed))
    return loaded


def go_place(root: Definition, path: str) -> tuple[str, str]:
    """The path of a field as Go's decoder writes it, and the field's Go type where it is known, else empty.

    ``path`` is the field's in the body, with indexes; the keys of maps are no part of Go's path.
    """
    owner, found, go_type = root, [], ""
    for part in path.split("."):
        key, indexes = re.sub(r"\[.*", "", part), part.count("[")
        if owner.is_map:
            owner = owner.field(key).value if "additionalProperties" in owner.schema else owner
            continue
        go_type, embedded = _rows().get(owner.full_name, {}).get(key, ("", ""))
        found.append(embedded + key)
        go_type = go_type[2:] if indexes and go_type.startswith("[]") else go_type
        place = owner.find(key)
        if place is None:
            break
        owner = place.element if indexes else place.value
    return ".".join(found), go_type
