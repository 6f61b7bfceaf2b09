"""Pointing this kernel's clients at a lab, and back.

On ``sim`` nothing of the user's is read: kubeconfig, AWS files and profiles are replaced for this process
only, by environment variables, and put back by ``restore``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from labs.course.sidecar import Endpoints

_REMOVED = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")


class Environment:
    """Environment variables that were changed, with what they were."""

    def __init__(self, endpoints: Endpoints, directory: Path) -> None:
        values: dict[str, str | None] = {
            # The kubectl and the aws of this Python go before others, whose versions may not fit.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "KUBECONFIG": endpoints.kubeconfig,
            "KUBECACHEDIR": str(directory / "kubectl-cache"),
            "AWS_ENDPOINT_URL": endpoints.aws,
            "AWS_ACCESS_KEY_ID": endpoints.aws_access_key_id,
            "AWS_SECRET_ACCESS_KEY": endpoints.aws_secret_access_key,
            "AWS_REGION": endpoints.region,
            "AWS_DEFAULT_REGION": endpoints.region,
            # Files that do not exist, so that the user's own are neither read nor needed.
            "AWS_CONFIG_FILE": str(directory / "aws-config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(directory / "aws-credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            **past_proxies(),
            **dict.fromkeys(_REMOVED),
        }
        self._before = {name: os.environ.get(name) for name in values}
        _set(values)
        _forget_session()

    def restore(self) -> None:
        """Put every variable back; once, since the user may change them after."""
        _set(self._before)
        self._before = {}
        _forget_session()


def _forget_session() -> None:
    """boto3's default session keeps the credentials of the lab before; without boto3 loaded there is none."""
    boto3: Any = sys.modules.get("boto3")
    if boto3 is not None:
        boto3.DEFAULT_SESSION = None


def past_proxies() -> dict[str, str]:
    """What keeps requests to this machine away from a proxy; both spellings, since programs read one or the other."""
    hosts = ",".join(filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), "127.0.0.1,localhost"]))
    return {"NO_PROXY": hosts, "no_proxy": hosts}


def _set(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
