"""What /openapi/v3 says of kinds, built in and custom."""

from __future__ import annotations

from typing import Any

from api.conftest import Server

from labs.api.crds.karpenter import install_karpenter


def document(server: Server, path: str) -> dict[str, Any]:
    found: dict[str, Any] = server.expect(200, "GET", f"/openapi/v3/{path}")
    return found


def test_a_custom_kind_has_its_schema_and_the_fields_of_every_object(server: Server) -> None:
    install_karpenter(server.api)
    found = document(server, "apis/karpenter.sh/v1")
    schema = found["components"]["schemas"]["sh.karpenter.v1.NodePool"]
    assert schema["x-kubernetes-group-version-kind"] == [{"group": "karpenter.sh", "version": "v1", "kind": "NodePool"}]
    assert "disruption" in schema["properties"]["spec"]["properties"]
    assert schema["properties"]["kind"]["type"] == "string"
    assert "enum" not in schema["properties"]["kind"]
    assert "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" in found["components"]["schemas"]
    media = found["paths"]["/apis/karpenter.sh/v1/nodepools/{name}"]["patch"]["requestBody"]["content"]
    assert "application/strategic-merge-patch+json" not in media
    assert "application/merge-patch+json" in media


def test_a_built_in_kind_may_be_patched_strategically(server: Server) -> None:
    found = document(server, "apis/apps/v1")
    media = found["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]["requestBody"]["content"]
    assert "application/strategic-merge-patch+json" in media
    assert "enum" not in found["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"]["properties"]["apiVersion"]
