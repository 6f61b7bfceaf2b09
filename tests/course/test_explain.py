"""What a learner reads when a cell fails: the error, the line, the cure, and no traceback."""

from __future__ import annotations

import json
from pathlib import Path

import botocore.exceptions
import nbformat
import pytest
import urllib3.exceptions

from kubernetes import client
from labs.course import explain
from labs.course.explain import cure, report
from labs.course.kernels import execute

ROOT = Path(__file__).parents[2]
REFUSAL = {"code": 404, "reason": "NotFound", "message": 'pods "x" not found'}


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (NameError("name 'lab' is not defined"), explain.NOT_DEFINED),
        (UnboundLocalError("own mistake"), explain.ANYTHING),
        (IndexError("index 0 is out of bounds"), explain.ANYTHING),
        (KeyboardInterrupt(), explain.STOPPED),
        (ModuleNotFoundError("No module named 'boto3'"), explain.MISSING_PACKAGE),
        (client.ApiException(status=409), explain.REFUSED),
        (botocore.exceptions.ClientError({}, "PutMetricAlarm"), explain.REFUSED),
        (botocore.exceptions.NoRegionError(), explain.UNREACHABLE),
        (urllib3.exceptions.MaxRetryError(urllib3.HTTPConnectionPool("x"), "/"), explain.UNREACHABLE),
    ],
)
def test_each_kind_of_error_has_its_cure(error: BaseException, sentence: str) -> None:
    assert cure(error) == sentence


def test_a_refusal_is_its_message_without_headers_and_body() -> None:
    error = client.ApiException(status=404, reason="Not Found", body=json.dumps(REFUSAL))
    assert report(error, None, {})[0] == 'ApiException: 404 NotFound: pods "x" not found'


def test_an_error_without_a_message_is_its_name() -> None:
    assert report(KeyboardInterrupt(), None, {}) == ["KeyboardInterrupt", explain.STOPPED]


CELLS: list[tuple[str, ...]] = [
    ("client.CoreV1Api().list_node()", "NameError: name 'client' is not defined", explain.NOT_DEFINED),
    ("!kubectl get nodes", explain.NOT_CONNECTED),
    ("import boto3, labs\nfrom kubernetes import client", ""),
    ("boto3.client('ecs').list_clusters()", explain.NOT_CONNECTED),
    ("first = labs.connect()", ""),
    ("lab = labs.connect()", "The lab that was connected before is closed now."),
    ("assert not first._sidecar.is_running", ""),
    ("client.CoreV1Api().delete_namespaced_pod('x', 'shop')", '404 NotFound: pods "x" not found', explain.REFUSED),
    ("def take(all):\n    return all[0]\n\ntake([])", "\n    take([])\n    return all[0]\n", explain.ANYTHING),
    ("%tb", "IndexError", "list index out of range"),
    ("labs.metric_frame(None, [], 0, 1)", "(raised in labs/course/observe.py, line ", explain.ANYTHING),
    ("lab._sidecar._process.kill()\n_ = lab._sidecar._process.wait()", ""),
    ("client.CoreV1Api().list_node()", explain.GONE),
    ("lab.close()", ""),
    ("lab.now()", explain.GONE),
    ("boto3.client('cloudwatch').delete_alarms(AlarmNames=['mine'])", explain.GONE),
    ("lab.apply('kubernetes/shop')", explain.GONE),
    ("labs.connect('moon')", "use 'sim' (nothing to install) or 'eks' (your cluster)."),
]
"""Cells in the order in which a learner in a hurry runs them, and what each says; the last text ends it."""


def test_no_cell_ends_with_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_PATH", str(ROOT / "labs/course/jupyter"))
    tags = {"tags": ["raises-exception"]}
    cells = [nbformat.v4.new_code_cell(source, metadata=tags) for source, *_ in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    execute(notebook, ROOT)
    for cell, (source, *said) in zip(notebook.cells, CELLS, strict=True):
        texts = ["\n".join(output.get("traceback", [])) or output.text for output in cell.outputs]
        text = "".join(texts).strip()
        assert [part for part in said if part not in text] == [], (source, text)
        assert text.endswith(said[-1]) if said[-1] else text == "", (source, text)
        assert ("Traceback (most recent call last)" in text) == (source == "%tb"), (source, text)
