"""Manifests: from YAML files to objects."""

from __future__ import annotations

from pathlib import Path

import yaml

from labs.api.store import Object
from labs.errors import UsageError

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's parser where PyYAML has it: about ten times faster."""


def read_manifests(place: Path) -> list[Object]:
    """The objects of a YAML file, or of every .yaml and .yml file below a folder in order of path.

    Raises UsageError when the place or a file in it cannot be used.
    """
    if not place.exists():
        raise UsageError(f"There is no file or folder {str(place)!r}; the shop's manifests are in 'kubernetes/'.")
    files = sorted([*place.rglob("*.yaml"), *place.rglob("*.yml")]) if place.is_dir() else [place]
    if not files:
        raise UsageError(f"The folder {str(place)!r} holds no .yaml file.")
    return [obj for file in files for obj in _read(file)]


def _read(file: Path) -> list[Object]:
    try:
        return parse_manifests(file.read_text(encoding="utf-8"), file.name)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The file {file.name} cannot be read: {error}.") from None


def parse_manifests(text: str, name: str) -> list[Object]:
    """The objects of a YAML text; ``name`` is what to call it in an error. Raises UsageError."""
    try:
        documents = list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" near line {mark.line + 1}" if mark is not None else ""
        raise UsageError(f"The file {name} is not valid YAML{line}; check its indentation there.") from None
    objects = [document for document in documents if document is not None]
    for obj in objects:
        if not isinstance(obj, dict) or not {"apiVersion", "kind", "metadata"} <= obj.keys():
            raise UsageError(
                f"The file {name} holds something that is no Kubernetes object; "
                "each needs apiVersion, kind and metadata."
            )
    return objects
