"""/healthz, /livez and /readyz, each check of them, and ``?verbose``.

Source: kubernetes/apiserver pkg/server/healthz/healthz.go (the form), pkg/server/{healthz,hooks}.go (the checks).
"""

from __future__ import annotations

from labs.api.rest.message import Request, Response, text

NOT_FOUND_PAGE = "404 page not found\n"
READY_ONLY = ("etcd-readiness", "informer-sync", "shutdown")
HOOKS = (
    "start-apiserver-admission-initializer",
    "generic-apiserver-start-informers",
    "priority-and-fairness-config-consumer",
    "priority-and-fairness-filter",
    "storage-object-count-tracker-hook",
    "start-apiextensions-informers",
    "start-apiextensions-controllers",
    "crd-informer-synced",
    "start-system-namespaces-controller",
    "start-cluster-authentication-info-controller",
    "start-kube-apiserver-identity-lease-controller",
    "start-kube-apiserver-identity-lease-garbage-collector",
    "start-legacy-token-tracking-controller",
    "start-service-ip-repair-controllers",
    "rbac/bootstrap-roles",
    "scheduling/bootstrap-system-priority-classes",
    "priority-and-fairness-config-producer",
    "bootstrap-controller",
    "start-kubernetes-service-cidr-controller",
    "aggregator-reload-proxy-client-cert",
    "start-kube-aggregator-informers",
    "apiservice-status-local-available-controller",
    "apiservice-status-remote-available-controller",
    "apiservice-registration-controller",
    "apiservice-discovery-controller",
    "kube-apiserver-autoregistration",
)
OPENAPI_HOOKS = ("apiservice-openapi-controller", "apiservice-openapiv3-controller")
CHECKS = (
    "ping",
    "log",
    "etcd",
    "etcd-readiness",
    "informer-sync",
    *(f"poststarthook/{name}" for name in HOOKS),
    "autoregister-completion",
    *(f"poststarthook/{name}" for name in OPENAPI_HOOKS),
    "shutdown",
)
ENDPOINTS = ("healthz", "livez", "readyz")


def respond_health(request: Request, parts: list[str]) -> Response:
    """The answer of a health endpoint, or of one check of it; all are well as long as anything answers."""
    endpoint, check = parts[0], "/".join(parts[1:])
    checks = [name for name in CHECKS if endpoint == "readyz" or name not in READY_ONLY]
    if check:
        return text(200, "ok") if check in checks else text(404, NOT_FOUND_PAGE)
    if "verbose" not in request.query:
        return text(200, "ok")
    excluded = list(request.query.get("exclude", ()))
    lines = [f"[+]{name} excluded: ok" if name in excluded else f"[+]{name} ok" for name in checks]
    unknown = sorted({name for name in excluded if name not in checks})
    if unknown:
        quoted = ",".join(f'"{name}"' for name in unknown)
        lines.append(f"warn: some health checks cannot be excluded: no matches for {quoted}")
    return text(200, "\n".join([*lines, f"{endpoint} check passed", ""]))
