"""`labs.connect`: what it sets up, what it leaves alone, and what it says when its server has gone."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from kubernetes import client
from labs.course.connect import ClusterLab, Lab, SimulatedLab, WaitTimeout, connect
from labs.course.explain import GONE
from labs.course.requests import COLUMNS, requests
from labs.errors import UsageError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with connect() as lab:
        yield lab


def test_the_clients_of_this_process_see_the_cluster(lab: Lab) -> None:
    assert len(client.CoreV1Api().list_node().items) == 2
    assert boto3.client("cloudwatch").list_metrics()["Metrics"]


def test_time_is_the_clusters_and_moves_when_told(lab: Lab) -> None:
    before = lab.now()
    assert lab.now() == before
    assert (lab.wait("90s") - before).total_seconds() == 90
    assert (lab.wait(until=lambda: (lab.now() - before).total_seconds() >= 100, every="5 s") - before).seconds == 100


def test_the_requests_of_this_lab_are_a_table(lab: Lab) -> None:
    client.CoreV1Api().list_namespaced_pod("kube-system")
    table = requests(lab)
    last = table.iloc[-1]
    assert tuple(table.columns) == COLUMNS
    assert (last["verb"], last["resource"], last["namespace"], last["code"]) == ("list", "pods", "kube-system", 200)
    assert last["userAgent"].startswith("OpenAPI-Generator/")
    assert last["time"] == lab.now().replace(microsecond=last["time"].microsecond)


def test_on_a_real_cluster_one_sentence_says_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = "arn:aws:eks:us-east-1:111122223333:cluster/shop"
    context = {"name": "x", "context": {"cluster": cluster, "user": "u"}}
    file = tmp_path / "config"
    servers = [{"name": cluster, "cluster": {"server": "https://127.0.0.1:1"}}]
    whole = {"current-context": "x", "contexts": [context], "clusters": servers, "users": [{"name": "u", "user": {}}]}
    file.write_text(json.dumps(whole))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))
    monkeypatch.setattr(client.Configuration, "_default", None)
    table = requests(ClusterLab())
    assert table.empty
    assert tuple(table.columns) == COLUMNS
    assert "the CloudWatch log group /aws/eks/shop/cluster." in capsys.readouterr().out


def test_what_does_not_come_true_is_one_sentence(lab: Lab) -> None:
    with pytest.raises(WaitTimeout, match="still not true"):
        lab.wait(until=lambda: False, timeout="20 s")
    for wrong in ({}, {"length": "1 s", "until": lambda: True}, {"length": "soon"}, {"length": -1}, {"until": True}):
        with pytest.raises(UsageError):
            lab.wait(**wrong)


def test_manifests_are_applied_and_refused(lab: Lab, tmp_path: Path) -> None:
    manifest = tmp_path / "map.yaml"
    manifest.write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: mine}}", encoding="utf-8")
    assert lab.apply(manifest) == ["configmap/mine"]
    with pytest.raises(UsageError, match="no file or folder"):
        lab.apply(tmp_path / "missing.yaml")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [({"target": "moon"}, "'sim'"), ({"seed": "seven"}, "whole number"), ({"seed": True}, "whole number"),
     ({"speed": -1.0}, "speed")],
)  # fmt: skip
def test_wrong_arguments_are_one_sentence(arguments: dict[str, object], sentence: str) -> None:
    SimulatedLab.replace()
    before = dict(os.environ)
    with pytest.raises(UsageError, match=sentence):
        connect(**arguments)  # type: ignore[arg-type]
    assert dict(os.environ) == before


def test_nothing_of_the_users_is_read_or_written(tmp_path: Path) -> None:
    traps = {".kube/config": ": no YAML [", ".aws/config": "no INI\n[", ".aws/credentials": "no INI\n["}
    for name, text in traps.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    code = """
    import os, shutil, subprocess, sys, tempfile
    from pathlib import Path
    import boto3, labs
    from kubernetes import client
    before = dict(os.environ)
    lab = labs.connect()
    assert len(client.CoreV1Api().list_node().items) == 2
    assert boto3.client("cloudwatch").list_metrics()["Metrics"]
    assert shutil.which("kubectl") == str(Path(sys.executable).with_name("kubectl"))
    subprocess.run(["kubectl", "get", "nodes"], check=True, capture_output=True)
    lab.apply("kubernetes/shop")
    folder = Path(os.environ["KUBECONFIG"]).parent
    lab.close()
    lab.close()
    assert dict(os.environ) == before
    assert not folder.exists()
    assert not [path for path in Path(tempfile.gettempdir()).iterdir() if path.name != "home"]
    """
    (tmp_path / "tmp").mkdir()
    user = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path / "tmp"), "AWS_PROFILE": "trap", "KUBECONFIG": "trap"}
    finished = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **user},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == set(traps)
    assert {name: (tmp_path / name).read_text(encoding="utf-8") for name in traps} == traps


def kill_server(lab: Lab) -> None:
    assert isinstance(lab, SimulatedLab)
    lab._sidecar._process.send_signal(signal.SIGKILL)
    lab._sidecar._process.wait()


def test_a_server_that_has_gone_is_one_sentence_and_can_be_replaced() -> None:
    before = dict(os.environ)
    lab = connect()
    kill_server(lab)
    for call in (lab.now, lambda: lab.wait("1 s")):
        with pytest.raises(UsageError) as lost:
            call()
        assert str(lost.value) == GONE
    lab.close()
    lab.close()
    assert repr(lab).endswith("closed>")
    assert dict(os.environ) == before
    gc.collect()


def test_a_second_lab_closes_the_first_and_leaves_the_environment_as_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    SimulatedLab.replace()
    before = dict(os.environ)
    first = connect()
    capsys.readouterr()
    with connect() as second:
        assert capsys.readouterr().out == "The lab that was connected before is closed now.\n"
        assert repr(first).endswith("closed>")
        assert len(client.CoreV1Api().list_node().items) == 2
        first.close()
        assert os.environ["AWS_ENDPOINT_URL"] == second._sidecar.endpoints.aws  # type: ignore[attr-defined]
    assert dict(os.environ) == before


@pytest.mark.parametrize("folder", ["/dev/full", "/not/there"])
def test_without_a_folder_for_files_nothing_starts(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    SimulatedLab.replace()
    before = dict(os.environ)
    monkeypatch.setattr("tempfile.tempdir", folder)
    with pytest.raises(UsageError, match="No folder for temporary files can be used") as refused:
        connect()
    assert "TMPDIR" in str(refused.value)
    assert dict(os.environ) == before


def test_a_server_that_lacks_a_package_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SimulatedLab.replace()
    (tmp_path / "aiohttp.py").write_text("raise ModuleNotFoundError(\"No module named 'aiohttp'\")", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    with pytest.raises(UsageError, match=r"No module named 'aiohttp'\); run 'pip install -r requirements.txt'"):
        connect()
