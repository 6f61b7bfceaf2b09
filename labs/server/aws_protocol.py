"""AWS wire formats by botocore's service models: JSON and Query requests in, JSON and XML answers out.

Values inside are Python's own: timestamps are ``datetime`` with zone, blobs ``bytes``.
Source: smithy.io AWS protocols awsJson1_0 and awsQuery, as botocore 1.44 speaks them.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from labs.errors import AwsError

if TYPE_CHECKING:
    import botocore.model

SERIALIZATION = "SerializationException"
UNZIPPED_MAX_BYTES = 10 * 1024 * 1024
"""A small body must not fill the memory once it is unpacked."""


@dataclass(frozen=True, slots=True)
class AwsRequest:
    """An action of a service with its parameters, and the protocol to answer in: json or query."""

    action: str
    params: dict[str, Any]
    protocol: str


class ServiceCodec:
    """Reads requests and writes answers of one service."""

    def __init__(self, service: str) -> None:
        # With the first request for the service: a lab without one starts without them.
        import botocore.loaders
        import botocore.model

        loader = botocore.loaders.Loader()
        self.model = botocore.model.ServiceModel(loader.load_service_model(service, "service-2"))
        self.target_prefix: str = self.model.metadata.get("targetPrefix", "")
        self.xml_namespace: str = self.model.metadata.get("xmlNamespace", "")

    def decode(self, headers: Mapping[str, str], body: bytes) -> AwsRequest:
        """The request in a body; ``headers`` by lower-case name. Raises AwsError."""
        if headers.get("content-encoding") == "gzip":
            body = _unzipped(body)
        target = headers.get("x-amz-target", "")
        if target:
            return self._decode_json(target.rpartition(".")[2], body)
        return self._decode_query(body)

    def _operation(self, action: str) -> botocore.model.OperationModel:
        if action not in self.model.operation_names:
            raise AwsError("InvalidAction", f"Could not find operation {action}")
        return self.model.operation_model(action)

    def _decode_json(self, action: str, body: bytes) -> AwsRequest:
        operation = self._operation(action)
        try:
            values = json.loads(body or b"{}")
        except (ValueError, RecursionError) as error:
            raise AwsError(SERIALIZATION, "The body is not valid JSON.") from error
        return AwsRequest(action, _checked_structure(operation, _from_json(operation.input_shape, values, "")), "json")

    def _decode_query(self, body: bytes) -> AwsRequest:
        try:
            form = {key: values[0] for key, values in parse_qs(body.decode(), keep_blank_values=True).items()}
        except UnicodeDecodeError as error:
            raise AwsError(SERIALIZATION, "The body is not valid UTF-8.") from error
        if "Action" not in form:
            raise AwsError("MissingAction", "The request is missing an action or a required parameter.")
        operation = self._operation(form["Action"])
        values = _from_query(operation.input_shape, form, "")
        return AwsRequest(form["Action"], _checked_structure(operation, values), "query")

    def encode(self, request: AwsRequest, result: Mapping[str, Any], request_id: str) -> tuple[str, bytes]:
        """Content type and body of an answer."""
        shape = self._operation(request.action).output_shape
        if request.protocol == "json":
            return "application/x-amz-json-1.0", json.dumps(_to_json(shape, result)).encode()
        inner = _to_xml_members(shape, result) if shape is not None else ""
        name = request.action
        text = (
            f'<{name}Response xmlns="{self.xml_namespace}"><{name}Result>{inner}</{name}Result>'
            f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>"
        )
        return "text/xml", text.encode()


def _unzipped(body: bytes) -> bytes:
    reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        plain = reader.decompress(body, UNZIPPED_MAX_BYTES)
    except zlib.error as error:
        raise AwsError(SERIALIZATION, "The body is not valid gzip.") from error
    if reader.unconsumed_tail:
        raise AwsError("RequestEntityTooLarge", "The body of the request is too large.", 413)
    if not reader.eof:
        raise AwsError(SERIALIZATION, "The body is not valid gzip.")
    return plain


def encode_error(protocol: str, error: AwsError, request_id: str) -> tuple[str, dict[str, str], bytes]:
    """Content type, extra headers and body of a refusal."""
    fault = "Sender" if error.http_status < 500 else "Receiver"
    if protocol == "json":
        body = json.dumps({"__type": error.code, "message": error.message}).encode()
        return "application/x-amz-json-1.0", {"x-amzn-query-error": f"{error.code};{fault}"}, body
    text = (
        f"<ErrorResponse><Error><Type>{fault}</Type><Code>{escape(error.code)}</Code>"
        f"<Message>{escape(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return "text/xml", {}, text.encode()


def _checked_structure(operation: botocore.model.OperationModel, values: Any) -> dict[str, Any]:
    if values is None:
        values = {}
    shape = operation.input_shape
    for name in shape.required_members if shape is not None else ():
        if name not in values:
            raise AwsError("MissingParameter", f"The parameter {name} is required.")
    assert isinstance(values, dict)
    return values


def _wrong(path: str, what: str) -> AwsError:
    return AwsError(SERIALIZATION, f"{path or 'The body'} must be {what}.")


def _from_json(shape: Any, value: Any, path: str) -> Any:
    if shape is None or value is None:
        return None
    match shape.type_name:
        case "structure":
            if not isinstance(value, dict):
                raise _wrong(path, "an object")
            return {
                name: _from_json(member, value[name], f"{path}.{name}".lstrip("."))
                for name, member in shape.members.items()
                if value.get(name) is not None
            }
        case "list":
            if not isinstance(value, list):
                raise _wrong(path, "a list")
            return [_from_json(shape.member, item, f"{path}[{place}]") for place, item in enumerate(value)]
        case "map":
            if not isinstance(value, dict):
                raise _wrong(path, "an object")
            return {key: _from_json(shape.value, item, f"{path}.{key}") for key, item in value.items()}
        case _:
            return _scalar(shape.type_name, value, path)


def _scalar(type_name: str, value: Any, path: str) -> Any:
    try:
        match type_name:
            case "timestamp":
                return _timestamp(value)
            case "blob":
                return base64.b64decode(value, validate=True)
            case "integer" | "long":
                return int(value)
            case "double" | "float":
                return float(value)
            case "boolean":
                return value if isinstance(value, bool) else str(value).lower() == "true"
            case _:
                return str(value)
    except (ValueError, TypeError, OverflowError) as error:
        raise _wrong(path, f"a {type_name}") from error


def _timestamp(value: Any) -> datetime:
    if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime.fromtimestamp(float(value), UTC)


def _from_query(shape: Any, form: Mapping[str, str], prefix: str) -> Any:
    """Values of awsQuery: ``A.member.1.B=x``; None when nothing of the form starts with ``prefix``."""
    if shape is None:
        return None
    dotted = f"{prefix}." if prefix else ""
    match shape.type_name:
        case "structure":
            members = {
                name: _from_query(member, form, dotted + member.serialization.get("name", name))
                for name, member in shape.members.items()
            }
            found = {name: value for name, value in members.items() if value is not None}
            return found or (None if prefix else {})
        case "list":
            infix = (
                "" if shape.serialization.get("flattened") else shape.member.serialization.get("name", "member") + "."
            )
            items: list[Any] = []
            while (item := _from_query(shape.member, form, f"{dotted}{infix}{len(items) + 1}")) is not None:
                items.append(item)
            return items or None
        case "map":
            return _query_map(shape, form, dotted)
        case _:
            return _scalar(shape.type_name, form[prefix], prefix) if prefix in form else None


def _query_map(shape: Any, form: Mapping[str, str], dotted: str) -> dict[str, Any] | None:
    entries: dict[str, Any] = {}
    while (key := form.get(f"{dotted}entry.{len(entries) + 1}.key")) is not None:
        entries[key] = _from_query(shape.value, form, f"{dotted}entry.{len(entries) + 1}.value")
    return entries or None


def _to_json(shape: Any, value: Any) -> Any:
    if shape is None:
        return {}
    match shape.type_name:
        case "structure":
            return {
                name: _to_json(member, value[name])
                for name, member in shape.members.items()
                if value.get(name) is not None
            }
        case "list":
            return [_to_json(shape.member, item) for item in value]
        case "map":
            return {key: _to_json(shape.value, item) for key, item in value.items()}
        case "timestamp":
            return value.timestamp()
        case "blob":
            return base64.b64encode(value).decode()
        case _:
            return value


def _to_xml_members(shape: Any, value: Mapping[str, Any]) -> str:
    return "".join(
        _to_xml(member, value[name], member.serialization.get("name", name))
        for name, member in shape.members.items()
        if value.get(name) is not None
    )


def _to_xml(shape: Any, value: Any, tag: str) -> str:
    match shape.type_name:
        case "structure":
            inner = _to_xml_members(shape, value)
        case "list":
            inner = "".join(_to_xml(shape.member, item, "member") for item in value)
        case "map":
            inner = "".join(
                f"<entry><key>{escape(key)}</key>{_to_xml(shape.value, item, 'value')}</entry>"
                for key, item in value.items()
            )
        case "timestamp":
            inner = value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        case "boolean":
            inner = str(value).lower()
        case "blob":
            inner = base64.b64encode(value).decode()
        case _:
            inner = escape(str(value))
    return f"<{tag}>{inner}</{tag}>"
