"""How folders of vectors are read: whatever their files are called, and never with a case lost."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.vectors.conftest import DATA, cases
from tests.vectors.test_every_case_is_run import complaint

CASE = {"id": "one", "in": {"op": "parse", "s": "1"}, "expect": {}}


@pytest.mark.parametrize("stem", ["hpa", "patches", "selectors", "tables"])
def test_a_file_of_another_name_is_known_by_its_looks(stem: str, tmp_path: Path) -> None:
    shutil.copy(DATA / f"{stem}.json", tmp_path / "unseen.json")

    names = [case["id"] for _, case, _ in cases(tmp_path, stem)]

    document = json.loads((DATA / f"{stem}.json").read_text(encoding="utf-8"))
    lists = [value for value in document.values() if isinstance(value, list)]
    assert names == [case["id"] for cases_of_list in lists for case in cases_of_list]


@pytest.mark.parametrize(
    "document",
    [
        "{",
        "[]",
        "{}",
        json.dumps({"cases": []}),
        json.dumps({"cases": ["text"]}),
        json.dumps({"cases": [{**CASE, "id": ""}]}),
        json.dumps({"cases": [{"id": "no input", "expect": {}}]}),
        json.dumps({"cases": [{"id": "no answer", "in": {}}]}),
    ],
)
def test_what_holds_no_vectors_is_refused(document: str, tmp_path: Path) -> None:
    (tmp_path / "quantity.json").write_text(document, encoding="utf-8")

    assert cases(tmp_path, "quantity") == []
    assert complaint(tmp_path / "quantity.json").startswith("quantity.json holds no vectors")


def test_a_section_that_no_test_runs_is_named(tmp_path: Path) -> None:
    document = {"cases": [CASE], "of_tomorrow": [CASE]}
    (tmp_path / "hpa.json").write_text(json.dumps(document), encoding="utf-8")

    assert "of_tomorrow" in complaint(tmp_path / "hpa.json")
    assert complaint(DATA / "hpa.json") == ""


def test_files_of_one_stem_add_up(tmp_path: Path) -> None:
    for name in ("quantity.json", "quantity-more.json"):
        document: dict[str, Any] = {"cases": [{**CASE, "id": name}]}
        (tmp_path / name).write_text(json.dumps(document), encoding="utf-8")

    assert [case["id"] for _, case, _ in cases(tmp_path, "quantity")] == ["quantity-more.json", "quantity.json"]
