"""Which form the client wants: JSON, YAML, a Table, metadata only, aggregated discovery.

Source: kubernetes/apiserver pkg/endpoints/handlers/negotiation, pkg/endpoints/handlers/response.go.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from labs.errors import ApiError

NOT_ACCEPTABLE = (
    "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, "
    "application/vnd.kubernetes.protobuf, application/json;stream=watch, "
    "application/vnd.kubernetes.protobuf;stream=watch"
)
FORMS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")


@dataclass(frozen=True, slots=True)
class Form:
    """``as_kind`` is Table, PartialObjectMetadata(List) or empty; ``is_yaml``: YAML in place of JSON."""

    as_kind: str = ""
    as_version: str = "v1"
    is_yaml: bool = False

    @property
    def is_table(self) -> bool:
        """Whether a Table is wanted."""
        return self.as_kind == "Table"

    @property
    def is_metadata(self) -> bool:
        """Whether only the metadata is wanted."""
        return self.as_kind.startswith("PartialObjectMetadata")


@lru_cache(maxsize=256)
def parse_accept(accept: str) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Media types with their parameters, best first (by q, then by place)."""
    ranked: list[tuple[float, int, str, tuple[tuple[str, str], ...]]] = []
    for index, item in enumerate(accept.split(",")):
        media, *raw = (part.strip() for part in item.split(";"))
        pairs = tuple((key.strip(), value.strip()) for key, _, value in (part.partition("=") for part in raw))
        quality = dict(pairs).get("q", "1")
        weight = float(quality) if quality.replace(".", "", 1).isdigit() else 1.0
        if media:
            ranked.append((-weight, index, media.lower(), pairs))
    return tuple((media, pairs) for _, _, media, pairs in sorted(ranked))


def negotiate(accept: str) -> Form:
    """The first form that can be served. Raises 406 when there is none."""
    if not accept:
        return Form()
    for media, pairs in parse_accept(accept):
        if media in ("application/json", "application/*", "*/*", "application/yaml"):
            parameters = dict(pairs)
            wanted = parameters.get("as", "")
            if wanted and (wanted not in FORMS or parameters.get("g") != "meta.k8s.io"):
                continue
            version = parameters.get("v", "v1")
            if version not in ("v1", "v1beta1"):
                continue
            return Form(wanted, version, media == "application/yaml")
    raise ApiError(406, "NotAcceptable", NOT_ACCEPTABLE, {})


def discovery_version(accept: str) -> str:
    """The version of ``APIGroupDiscoveryList`` that is the first acceptable form, empty for plain discovery."""
    for media, pairs in parse_accept(accept):
        if media not in ("application/json", "application/*", "*/*"):
            continue
        parameters = dict(pairs)
        if not parameters.get("as"):
            return ""
        if parameters["as"] == "APIGroupDiscoveryList" and parameters.get("v") in ("v2", "v2beta1"):
            return parameters["v"]
    return ""
