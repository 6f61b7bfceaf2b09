"""Terminals of JupyterLab: they find the lab that was connected last, and nothing of the user's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from labs.course.connect import connect
from labs.course.sidecar import Endpoints
from labs.course.terminal import FOLDER, Terminal, terminal_environment


def run(folder: Path, *command: str) -> str:
    """What a command in such a terminal prints."""
    program = str(Path(sys.executable).with_name(command[0]))
    finished = subprocess.run(
        [program, *command[1:]],
        env=terminal_environment(folder) | {"HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    return finished.stdout + finished.stderr


def test_kubectl_and_aws_in_a_terminal_talk_to_the_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with connect():
        assert run(tmp_path, "kubectl", "get", "nodes", "-o", "name").count("node/") == 2
        assert "ContainerInsights" in run(tmp_path, "aws", "cloudwatch", "list-metrics")
        assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.glob("[ak]*") if path.is_file())
    assert not list(tmp_path.glob("aws-*"))
    assert not (tmp_path / "kubeconfig").exists()


def endpoints(folder: Path, aws: str) -> Endpoints:
    kubeconfig = folder / "of-the-lab"
    kubeconfig.write_text(aws, encoding="utf-8")
    return Endpoints("https://k", aws, str(kubeconfig), "us-east-1", "AKIA", "secret", "http://c", "http://l")


def test_the_last_lab_keeps_the_terminal_when_an_older_one_closes(tmp_path: Path) -> None:
    first = Terminal(endpoints(tmp_path, "http://one"), str(tmp_path))
    second = Terminal(endpoints(tmp_path, "http://two"), str(tmp_path))
    first.close()
    assert "http://two" in (tmp_path / "aws-config").read_text(encoding="utf-8")
    second.close()
    assert not (tmp_path / "aws-config").exists()


@pytest.mark.parametrize("folder", [None, "missing"])
def test_a_kernel_outside_our_jupyterlab_writes_nothing(tmp_path: Path, folder: str | None) -> None:
    place = None if folder is None else str(tmp_path / folder)
    Terminal(endpoints(tmp_path, "http://one"), place).close()
    assert [path.name for path in tmp_path.iterdir()] == ["of-the-lab"]


def test_the_users_own_aws_settings_stay_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    environment = terminal_environment(tmp_path)
    assert "mine" not in {environment.get("AWS_PROFILE"), environment.get("AWS_ACCESS_KEY_ID")}
    assert environment["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
