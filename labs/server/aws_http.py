"""The AWS door: checks the access key, finds the service and the protocol, answers through the world."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp import web

from labs.errors import AwsError
from labs.server.aws_protocol import AwsRequest, ServiceCodec, encode_error
from labs.server.pacing import Pacer

_CREDENTIAL = re.compile(r"Credential=([^/]+)/\d{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
SIGNING_NAMES = {"monitoring": "cloudwatch"}
"""Signing name of each service that is served, and its botocore name."""

READING = ("Describe", "Get", "List")
"""How the names of actions begin that change nothing."""


class AwsApis(Protocol):
    """What the door needs of a world."""

    def call_aws(self, service: str, action: str, params: dict[str, Any]) -> Mapping[str, Any]:
        """Answer one action. Raises AwsError."""
        ...


class AwsDoor:
    """One handler for every service."""

    def __init__(self, apis: AwsApis, access_key_id: str, pacer: Pacer) -> None:
        self._apis = apis
        self._access_key_id = access_key_id
        self._pacer = pacer
        self._codecs: dict[str, ServiceCodec] = {}
        self._requests = 0

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a signed POST."""
        self._requests += 1
        request_id = f"00000000-0000-4000-8000-{self._requests:012x}"
        headers = {name.lower(): value for name, value in request.headers.items()}
        protocol = "json" if "x-amz-target" in headers else "query"
        try:
            service = self._service(headers)
            codec = self._codec(service)
            call = codec.decode(headers, await _body(request))
            result = self._apis.call_aws(service, call.action, call.params)
            self._count(service, call)
            content_type, body = codec.encode(call, result, request_id)
        except AwsError as error:
            content_type, extra, body = encode_error(protocol, error, request_id)
            extra["x-amzn-RequestId"] = request_id
            return web.Response(status=error.http_status, body=body, content_type=content_type, headers=extra)
        return web.Response(body=body, content_type=content_type, headers={"x-amzn-RequestId": request_id})

    def _count(self, service: str, call: AwsRequest) -> None:
        if call.action.startswith(READING):
            self._pacer.requested(service, call.action, repr(call.params))
        else:
            self._pacer.acted()

    def _service(self, headers: Mapping[str, str]) -> str:
        found = _CREDENTIAL.search(headers.get("authorization", ""))
        if found is None:
            raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
        access_key_id, _, signing_name = found.groups()
        if access_key_id != self._access_key_id:
            raise AwsError("InvalidClientTokenId", "The security token included in the request is invalid.", 403)
        if signing_name not in SIGNING_NAMES:
            served = ", ".join(sorted(SIGNING_NAMES.values()))
            raise AwsError("InvalidAction", f"This lab does not serve {signing_name}; it serves: {served}.", 400)
        return SIGNING_NAMES[signing_name]

    def _codec(self, service: str) -> ServiceCodec:
        if service not in self._codecs:
            self._codecs[service] = ServiceCodec(service)
        return self._codecs[service]


async def _body(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise AwsError("RequestEntityTooLarge", "The body of the request is too large.", 413) from None
