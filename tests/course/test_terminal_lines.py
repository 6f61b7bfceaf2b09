"""Each ``kubectl`` line that the course prints works when it is typed into a lab's terminal."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from labs.course.connect import connect
from labs.course.terminal import FOLDER, terminal_environment

ROOT = Path(__file__).parents[2]
TEXTS = ("notebooks/source/*.py", "docs/*.md", "README.md", "kubernetes/**/*.yaml")
LINE = re.compile(r"`((?:kubectl|aws) [^`]+)`|^(?:# )?!?((?:kubectl|aws) .+)$", re.MULTILINE)
POD = "$(kubectl -n shop get pod -l app=frontend -o name | head -1)"
FILLED_IN = {
    "kubectl -n shop delete pod": f"kubectl -n shop delete {POD}",
    "kubectl apply": "kubectl apply -f kubernetes/shop",
    "kubectl delete": f"kubectl -n shop delete {POD}",
    "kubectl delete --grace-period=0 --force": f"kubectl -n shop delete {POD} --grace-period=0 --force",
    "kubectl describe": f"kubectl -n shop describe {POD}",
    "kubectl events": "kubectl -n shop events",
    "kubectl get": "kubectl get pods -A",
    "kubectl logs": f"kubectl -n shop logs {POD}",
    "kubectl logs --previous": (
        f"pod={POD}; kubectl -n shop exec $pod -- kill 1 && "
        "kubectl -n shop wait --for=jsonpath='{.status.containerStatuses[0].restartCount}'=1 $pod && "
        "kubectl -n shop logs --previous $pod"
    ),
    "kubectl rollout status": "kubectl -n shop rollout status deployment/frontend",
}
"""What a reader makes of a line that names a command alone."""
ELSEWHERE = ("kubectl --kubeconfig ", "aws eks update-kubeconfig ", "aws sts ")
"""Lines for a server that was started by hand, or for a cluster of one's own."""
AWS = (
    "aws cloudwatch describe-alarms",
    "aws cloudwatch get-metric-statistics --namespace ContainerInsights --metric-name cluster_node_count "
    "--dimensions Name=ClusterName,Value=chaos-crunch --statistics Average --period 60 "
    "--start-time 2026-03-02T09:00:00Z --end-time 2026-03-02T09:03:00Z",
)
"""What the notebooks ask CloudWatch for with boto3."""


def printed_lines() -> dict[str, str]:
    """Each line once, and the file that prints it first."""
    found: dict[str, str] = {}
    for path in (path for pattern in TEXTS for path in sorted(ROOT.glob(pattern))):
        text = re.sub(r"(?<=[^\n])\n# (?=[^\n!%])", " ", path.read_text(encoding="utf-8"))
        for match in LINE.finditer(text):
            found.setdefault((match[1] or match[2]).strip(), path.name)
    return {line: name for line, name in found.items() if not line.startswith(ELSEWHERE)}


def test_every_printed_line_works_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    environment = terminal_environment(tmp_path) | {"HOME": str(tmp_path)}
    lines = printed_lines()
    assert len(lines) > 25
    failed = {}
    with connect() as lab:
        lab.apply("kubernetes/shop")
        lab.apply("kubernetes/canary")
        lab.wait("3 min")
        for line in [*lines, *AWS]:
            command = ["sh", "-c", FILLED_IN.get(line, line)]
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
            if done.returncode or "default namespace" in done.stderr:  # where the course puts nothing
                failed[line] = (lines.get(line), done.stdout, done.stderr)
    assert failed == {}
