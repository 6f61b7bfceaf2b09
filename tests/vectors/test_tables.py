"""`tables.json`: kubernetes pkg/printers/internalversion."""

from typing import Any

import pytest

from labs.api.tables.render import render_table
from labs.units import parse_rfc3339

VECTORS = "tables"


@pytest.mark.parametrize("is_wide", [True, False], ids=["wide", "default"])
def test_tables_print_as_the_api_server_does(case: dict[str, Any], conventions: dict[str, Any], is_wide: bool) -> None:
    document, expected = case["in"]["object"], case["expect"]
    group, _, version = document["apiVersion"].rpartition("/")
    kind = (group, version, document["kind"].removesuffix("List"))
    objects = document["items"] if document["kind"].endswith("List") else [document]

    table = render_table(kind, objects, parse_rfc3339(conventions["now"]), is_wide)

    assert [row["cells"] for row in table["rows"]] == expected["wide" if is_wide else "default"]
    assert [_as_lists(row.get("conditions", [])) for row in table["rows"]] == expected.get(
        "conditions", [[] for _ in objects]
    )
    if is_wide:
        columns = [
            [column[key] for key in ("name", "type", "format", "priority")] for column in table["columnDefinitions"]
        ]
        assert columns == expected["columns"]


def _as_lists(conditions: list[dict[str, str]]) -> list[list[str]]:
    return [[each[key] for key in ("type", "status", "reason", "message")] for each in conditions]
