"""Validation of probes and lifecycle hooks.

Source: kubernetes/kubernetes pkg/apis/core/validation/validation.go (validateProbe, validateHandler,
validateLivenessProbe, validateReadinessProbe, validateStartupProbe, validateLifecycle).
"""

from __future__ import annotations

from typing import Any

from labs.api import names
from labs.api.strategies.rules import NOT_NEGATIVE
from labs.api.strategy import FieldError, forbidden, invalid, not_supported, required

HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
SCHEMES = ("HTTP", "HTTPS")
GRPC_MODES = ("Plaintext", "TLS")
NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
HEADER_RULE = (
    "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for "
    "validation is '[-A-Za-z0-9]+')"
)


def validate_hooks_and_probes(container: dict[str, Any], spec: dict[str, Any], path: str) -> list[FieldError]:
    """Of a container that may have them; ``spec`` is its pod's."""
    grace_s = spec.get("terminationGracePeriodSeconds") or 0
    problems: list[FieldError] = []
    lifecycle = container.get("lifecycle") or {}
    for hook in ("postStart", "preStop"):
        if lifecycle.get(hook) is not None:
            problems += _handler(lifecycle[hook], grace_s, f"{path}.lifecycle.{hook}")
    for kind in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(kind) is not None:
            problems += _probe(container[kind], kind, grace_s, f"{path}.{kind}")
    return problems


def _probe(probe: dict[str, Any], kind: str, grace_s: int, path: str) -> list[FieldError]:
    problems = _handler(probe, grace_s, path)
    for number in NUMBERS:
        if (probe.get(number) or 0) < 0:
            problems.append(invalid(f"{path}.{number}", probe[number], NOT_NEGATIVE))
    own_grace_s = probe.get("terminationGracePeriodSeconds")
    if own_grace_s is not None and own_grace_s <= 0:
        problems.append(invalid(f"{path}.terminationGracePeriodSeconds", own_grace_s, "must be greater than 0"))
    if kind == "readinessProbe":
        if own_grace_s is not None:
            text = "must not be set for readinessProbes"
            problems.append(invalid(f"{path}.terminationGracePeriodSeconds", own_grace_s, text))
    elif (probe.get("successThreshold") or 0) != 1:
        problems.append(invalid(f"{path}.successThreshold", probe.get("successThreshold") or 0, "must be 1"))
    return problems


def _handler(holder: dict[str, Any], grace_s: int, path: str) -> list[FieldError]:
    problems: list[FieldError] = []
    given = [name for name in HANDLERS if holder.get(name) is not None]
    for place, name in enumerate(given):
        here = f"{path}.{name}"
        if place:
            problems.append(forbidden(here, "may not specify more than 1 handler type"))
        else:
            problems += _action(name, holder[name], grace_s, here)
    return problems or ([] if given else [required(path, "must specify a handler type")])


def _action(name: str, action: dict[str, Any], grace_s: int, path: str) -> list[FieldError]:
    if name == "exec":
        return [] if action.get("command") else [required(f"{path}.command")]
    if name == "sleep":
        seconds = action.get("seconds") or 0
        if 0 <= seconds <= grace_s:
            return []
        text = f"must be non-negative and less than terminationGracePeriodSeconds ({grace_s})"
        return [invalid(path, seconds, text)]
    problems = _port(action.get("port"), f"{path}.port")
    if name == "grpc" and action.get("mode") not in (None, *GRPC_MODES):
        problems.append(not_supported(f"{path}.mode", action["mode"], GRPC_MODES))
    if name != "httpGet":
        return problems
    if not action.get("path"):
        problems.insert(0, required(f"{path}.path"))
    if action.get("scheme") not in SCHEMES:
        problems.append(not_supported(f"{path}.scheme", action.get("scheme") or "", SCHEMES))
    headers = [header.get("name") or "" for header in action.get("httpHeaders") or ()]
    is_wrong = [not name or not name.replace("-", "").isalnum() or not name.isascii() for name in headers]
    wrong = [name for name, bad in zip(headers, is_wrong, strict=True) if bad and set(name) != {"-"}]
    return problems + [invalid(f"{path}.httpHeaders", name, HEADER_RULE) for name in wrong]


def _port(port: Any, path: str) -> list[FieldError]:
    if isinstance(port, str):
        return [invalid(path, port, text) for text in names.port_name(port)]
    return port_number(port or 0, path)


def port_number(number: int, path: str) -> list[FieldError]:
    """``IsValidPortNum``."""
    return [] if 1 <= number <= 65535 else [invalid(path, number, "must be between 1 and 65535, inclusive")]
