"""The patch that ``kubectl apply`` sends: what the user changed since the last apply, and nothing else.

Sources: apimachinery pkg/util/strategicpatch (CreateThreeWayMergePatch), pkg/util/jsonmergepatch
(CreateThreeWayJSONMergePatch) and pkg/util/mergepatch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from labs.api.gojson import is_identical, printed
from labs.api.patches.diff import Wanted, diff_maps
from labs.api.patches.directives import PATCH, RETAIN_KEYS, field_rules, strategy_of
from labs.api.patches.errors import PatchError
from labs.api.patches.lists import Items, is_list_of_maps, without_doubles
from labs.api.patches.merge_patch import apply_merge_patch, create_merge_patch
from labs.api.patches.strategic import merge_maps
from labs.api.schemas import Definition

Object = dict[str, Any]


def create_three_way_merge_patch(
    original: Object, modified: Object, current: Object, definition: Definition, *, overwrite: bool = True
) -> Object:
    """``CreateThreeWayMergePatch`` for a built-in kind.

    ``original`` is the last applied configuration, ``modified`` the new one, ``current`` the live object. Raises
    PatchError when apiVersion, kind or name would change, or, without ``overwrite``, when the live object was changed
    otherwise in the same place.
    """
    changes = diff_maps(current, modified, definition, Wanted(deletions=False))
    deletions = diff_maps(original, modified, definition, Wanted(changes=False))
    patch = merge_maps(deletions, changes, definition, applies=False)
    _check_identity(patch)
    if not overwrite:
        changed = diff_maps(original, current, definition, Wanted(element_order=False))
        if _maps_conflict(patch, changed, definition):
            raise PatchError(
                f"patch:\n{_yaml(patch)}\nconflicts with changes made from original to current:\n{_yaml(changed)}\n"
            )
    return patch


def create_three_way_json_merge_patch(original: Object, modified: Object, current: Object) -> Object:
    """``CreateThreeWayJSONMergePatch``, for a custom resource. Raises PatchError as above."""
    changes = _without_deletions(create_merge_patch(current, modified))
    deletions = _only_deletions(create_merge_patch(original, modified))
    patch: Object = apply_merge_patch(deletions, changes)
    _check_identity(patch)
    return patch


def _check_identity(patch: Object) -> None:
    """kubectl's preconditions: RequireKeyUnchanged and RequireMetadataKeyUnchanged."""
    metadata = patch.get("metadata")
    has_new_name = isinstance(metadata, dict) and "name" in metadata
    if "apiVersion" in patch or "kind" in patch or has_new_name:
        raise PatchError(f"precondition failed for: {printed(patch)}")


def _without_deletions(patch: Object) -> Object:
    """An empty map is a value here, but a map that holds nothing except nulls is not."""
    kept: Object = {}
    for key, value in patch.items():
        inner = _without_deletions(value) if isinstance(value, dict) and value else value
        if value is not None and (inner != {} or value == {}):
            kept[key] = inner
    return kept


def _only_deletions(patch: Object) -> Object:
    kept: Object = {}
    for key, value in patch.items():
        inner = _only_deletions(value) if isinstance(value, dict) else None
        if value is None or inner:
            kept[key] = inner
    return kept


def _maps_conflict(left: Object, right: Object, definition: Definition) -> bool:
    """``mapsHaveConflicts``, after the directives of both maps."""
    if left.get(PATCH) != right.get(PATCH):
        return True
    for key in left:
        if key not in (PATCH, RETAIN_KEYS) and key in right and _fields_conflict(left, right, key, definition):
            return True
    return False


def _fields_conflict(left: Object, right: Object, key: str, definition: Definition) -> bool:
    before, after = left[key], right[key]
    if isinstance(before, list) and isinstance(after, list):
        field = field_rules(definition, key)
        return _lists_conflict(before, after, field.element, strategy_of(field)[1], field.patch_merge_key)
    if isinstance(before, dict) and isinstance(after, dict):
        field = field_rules(definition, key)
        is_replaced = strategy_of(field)[1] == "replace" and before.get(PATCH) == after.get(PATCH)
        return not is_replaced and _maps_conflict(before, after, field.value)
    return not is_identical(before, after)


def _lists_conflict(left: Items, right: Items, element: Definition, strategy: str, merge_key: str) -> bool:
    """``slicesHaveConflicts``: lists of scalars that are merged never do."""
    holds_maps = is_list_of_maps(left, right)
    if strategy == "merge":
        return holds_maps and _keyed_conflict(_by_key(left, merge_key), _by_key(right, merge_key), element)
    if len(left) != len(right):
        return True
    if holds_maps:
        return any(_maps_conflict(before, after, element) for before, after in zip(left, right, strict=True))
    return not is_identical(sorted(without_doubles(left), key=printed), sorted(without_doubles(right), key=printed))


def _keyed_conflict(left: Mapping[str, Object], right: Mapping[str, Object], element: Definition) -> bool:
    return any(_maps_conflict(left[key], right[key], element) for key in left if key in right)


def _by_key(items: Items, merge_key: str) -> dict[str, Object]:
    for item in items:
        if merge_key not in item:
            raise PatchError(f"cannot find merge key `{merge_key}` in merging list element:{printed(item)}")
    return {printed(item[merge_key]): item for item in items}


_QUOTED = re.compile(
    r"|~|null|Null|NULL|true|True|TRUE|false|False|FALSE|y|Y|yes|Yes|YES|on|On|ON|n|N|no|No|NO|off|Off|OFF"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
    r"|[-+]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+)"
    r"|[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ][0-9:.]+(?:Z|[-+][0-9:]+)?)?"
)
"""Texts that YAML could take for something else, as go-yaml resolves them, those of YAML 1.1 included."""


class _Dumper(yaml.SafeDumper):
    """YAML as sigs.k8s.io/yaml writes it: a text that would read as something else stands in double quotes."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else '"' if _QUOTED.fullmatch(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _yaml(value: Object) -> str:
    return yaml.dump(value, Dumper=_Dumper, default_flow_style=False, sort_keys=True, allow_unicode=True)
