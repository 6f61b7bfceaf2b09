"""The Kubernetes documentation's walk-through of the HorizontalPodAutoscaler, word by word."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from lab_server import LabServer

PHP_APACHE = Path(__file__).parent / "manifests" / "php-apache.yaml"
GENERATE_LOAD = (
    "run load-generator --image=busybox:1.28 --restart=Never"
    " -- /bin/sh -c 'while sleep 0.01; do wget -q -O- http://php-apache; done'"
)


def kubectl(server: LabServer, command: str) -> str:
    printed = server.kubectl(*shlex.split(command))
    assert printed.code == 0, printed.text
    return printed.out


def status(server: LabServer) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(kubectl(server, "get hpa php-apache -o json"))["status"]
    return found


def test_load_scales_php_apache_out_and_its_end_scales_it_in(server: LabServer) -> None:
    kubectl(server, f"apply -f {PHP_APACHE}")
    kubectl(server, "autoscale deployment php-apache --cpu=50% --min=1 --max=10")
    kubectl(server, "wait --for=condition=Available deploy/php-apache --timeout=100s")
    kubectl(server, GENERATE_LOAD)
    server.advance("5m")
    # One generator asks again as soon as it is answered: it keeps about half a core busy, of which each pod takes 100m.
    under_load = status(server)
    assert 3 <= under_load["currentReplicas"] <= 7
    assert 30 <= under_load["currentMetrics"][0]["resource"]["current"]["averageUtilization"] <= 55
    kubectl(server, "delete pod load-generator --now")
    server.advance("8m")
    assert status(server)["currentReplicas"] == 1
