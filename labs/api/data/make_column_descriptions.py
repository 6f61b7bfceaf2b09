"""Makes ``column_descriptions.json.gz`` from the tables of a real API server.

    python -m labs.api.data.make_column_descriptions <tables.json>

The file holds each kind's ``columnDefinitions``, as ``tests/upstream/tables.py`` prints them. Kept are the kinds that
this API server lists, and of each the columns whose description differs from kind to kind.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from labs.api.data.make_go_types import pack
from labs.api.resources import BUILT_IN, DEFINED_GROUPS

COMMON = ("Name", "Age")
"""Columns that ``labs/api/tables`` describes by a field of ObjectMeta, the same for all kinds."""


def descriptions(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, dict[str, str]]:
    """What each column says of itself, by kind. Raises KeyError for a kind that the file lacks."""
    kinds = {kind.kind for kind in BUILT_IN if "list" in kind.verbs and kind.group not in DEFINED_GROUPS}
    return {
        kind: {column["name"]: column["description"] for column in tables[kind] if column["name"] not in COMMON}
        for kind in sorted(kinds)
    }


def main(tables: Path) -> None:
    """Read the tables and write the descriptions beside this file."""
    packed = pack(descriptions(json.loads(tables.read_text("utf-8"))))
    Path(__file__).with_name("column_descriptions.json.gz").write_bytes(packed)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
