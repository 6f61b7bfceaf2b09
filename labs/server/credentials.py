"""The secrets of one running lab, and the kubeconfig that carries them.

They are drawn from the operating system, not from the seed: a secret that follows from the seed is none.
"""

from __future__ import annotations

import json
import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme

from labs.errors import UsageError

CLUSTER_NAME = "chaos-crunch"


@dataclass(frozen=True, slots=True)
class Access:
    """Bearer token of the Kubernetes API, token of the clock, access key of the AWS APIs; what a client needs."""

    kubernetes_token: str
    control_token: str
    aws_access_key_id: str
    aws_secret_access_key: str
    context: ssl.SSLContext
    kubeconfig: Path


def issue_access(directory: Path, server_url: str) -> Access:
    """Fresh secrets and a certificate; writes the kubeconfig and the authority. Raises UsageError."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    key_id = "AKIA" + "".join(secrets.choice(alphabet) for _ in range(16))
    token = secrets.token_urlsafe(32)
    context, authority_pem = issue_certificate()
    kubeconfig = write_kubeconfig(directory, server_url, authority_pem, token)
    return Access(token, secrets.token_urlsafe(32), key_id, secrets.token_urlsafe(30), context, kubeconfig)


def issue_certificate() -> tuple[ssl.SSLContext, bytes]:
    """A server context for 127.0.0.1 and localhost, and the PEM of the authority that signed it."""
    authority = trustme.CA(organization_name="Chaos Crunch lab")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost", key_type=trustme.KeyType.ECDSA).configure_cert(context)
    return context, authority.cert_pem.bytes()


def write_kubeconfig(directory: Path, server_url: str, authority_pem: bytes, token: str) -> Path:
    """Write ``directory/kubeconfig``, readable by its owner only; returns the path.

    JSON is YAML, and needs no second writer. Raises UsageError when the folder cannot be written.
    """
    authority_path = directory / "ca.crt"
    path = directory / "kubeconfig"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": CLUSTER_NAME,
        "clusters": [
            {"name": CLUSTER_NAME, "cluster": {"server": server_url, "certificate-authority": str(authority_path)}}
        ],
        "contexts": [
            {
                "name": CLUSTER_NAME,
                "context": {"cluster": CLUSTER_NAME, "user": CLUSTER_NAME, "namespace": "default"},
            }
        ],
        "users": [{"name": CLUSTER_NAME, "user": {"token": token}}],
    }
    try:
        authority_path.write_bytes(authority_pem)
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(json.dumps(config, indent=2) + "\n")
    except OSError as error:
        raise UsageError(
            f"The folder {directory} cannot be written ({error.strerror}); name another with --directory."
        ) from error
    return path
