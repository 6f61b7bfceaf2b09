"""/healthz, /livez and /readyz, whole or check by check.

Source: kubernetes/apiserver pkg/server/healthz/healthz.go (handleRootHealth, adaptCheckToHandler).
The checks are those of upstream's whose subject exists here; they hold for as long as the server answers.
"""

from __future__ import annotations

from labs.api.rest.message import Request, Response, text

_CHECKS = (
    "ping",
    "log",
    "etcd",
    "poststarthook/rbac/bootstrap-roles",
    "poststarthook/scheduling/bootstrap-system-priority-classes",
    "poststarthook/start-system-namespaces-controller",
    "poststarthook/start-service-ip-repair-controllers",
)
CHECKS = {
    "healthz": _CHECKS,
    "livez": _CHECKS,
    "readyz": (*_CHECKS[:3], "etcd-readiness", "informer-sync", *_CHECKS[3:], "shutdown"),
}
"""By path, in the order in which they are listed."""


def respond(request: Request, parts: list[str]) -> Response | None:
    """The answer to a path whose first part is one of CHECKS; None for a check that there is not."""
    root, check = parts[0], "/".join(parts[1:])
    if check:
        return text(200, "ok") if check in CHECKS[root] else None
    if "verbose" not in request.query:
        return text(200, "ok")
    excluded = {name for value in request.query.get("exclude", ()) for name in value.split(",") if name}
    lines = [f"[+]{name} {'excluded: ' if name in excluded else ''}ok" for name in CHECKS[root]]
    unknown = sorted(excluded - set(CHECKS[root]))
    if unknown:
        quoted = ",".join(f'"{name}"' for name in unknown)
        lines.append(f"warn: some health checks cannot be excluded: no matches for {quoted}")
    return text(200, "\n".join([*lines, f"{root} check passed\n"]))
