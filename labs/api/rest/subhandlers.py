"""Subresources on the wire: scale, binding, eviction, finalize.

Source: kubernetes/kubernetes pkg/registry/core/pod/rest, pkg/registry/apps/deployment/storage.
"""

from __future__ import annotations

from labs import errors
from labs.api.apiserver import ApiServer
from labs.api.deletion import DeleteOptions
from labs.api.objects import at
from labs.api.rest import bodies, patching
from labs.api.rest.message import Request
from labs.api.rest.options import options_from_body, write_options
from labs.api.rest.routes import Route
from labs.api.rest.strict import check_body, check_fields
from labs.api.rest.writes import Written
from labs.api.store import Object
from labs.errors import ApiError

CREATED: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def scale(api: ApiServer, request: Request, route: Route) -> Written:
    """GET, PUT and PATCH of ``/scale``."""
    resource = route.type.resource
    kind = route.type
    current = api.get_scale(resource, route.namespace, route.name, kind=kind)
    if route.verb == "get":
        return Written(current, is_status=True)
    options = write_options(request, "UpdateOptions" if route.verb == "update" else "PatchOptions")
    if route.verb == "update":
        wanted = bodies.decode_as(request, "autoscaling/v1", "Scale")
    else:
        wanted = patching.patched_scale(current, request)
    check_body("autoscaling", "v1", "Scale", wanted)
    if wanted["metadata"].get("name") not in (None, "", route.name):
        name = wanted["metadata"]["name"]
        raise errors.bad_request(f"the name of the object ({name}) does not match the name on the URL ({route.name})")
    replicas = at(wanted, "spec", "replicas")
    metadata = {**wanted["metadata"], "name": route.name, "namespace": route.namespace}
    if route.verb == "patch":
        given = patching.patch_version(request)
        metadata["resourceVersion"] = given or ""
    if options.is_dry_run:
        return Written({**current, "spec": {"replicas": replicas or 0}}, is_status=True)
    wanted = {**wanted, "metadata": metadata}
    changed = api.put_scale(resource, wanted, kind=kind, user=request.user, manager=options.manager)
    return Written(changed, is_status=True)


def bind(api: ApiServer, request: Request, route: Route) -> Written:
    """POST of a Binding."""
    binding = bodies.decode_as(request, "v1", "Binding")
    check_body("", "v1", "Binding", binding)
    name = route.name or binding["metadata"].get("name") or ""
    target = binding.get("target") or {}
    problems = []
    if target.get("kind") not in (None, "", "Node"):
        problems.append(f'target.kind: Unsupported value: "{target["kind"]}": supported values: "Node", "<empty>"')
    if not target.get("name"):
        problems.append("target.name: Required value")
    if problems:
        # BindingREST returns the bare list of problems, which the server knows no code for.
        raise ApiError(500, "", problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")
    api.bind(route.namespace, name, target["name"])
    return Written(CREATED, 201, is_status=True)


def evict(api: ApiServer, request: Request, route: Route) -> Written:
    """POST of an Eviction."""
    body = bodies.decode_as(request, "policy/v1", "Eviction")
    check_body("policy", "v1", "Eviction", body)
    name = body["metadata"].get("name") or route.name
    if name != route.name:
        raise errors.bad_request("name in URL does not match name in Eviction object")
    given = dict(body.get("deleteOptions") or {})
    if request.query.get("dryRun"):
        given["dryRun"] = ["All"]
    options: DeleteOptions = options_from_body(given)
    api.evict(route.namespace, route.name, options)
    return Written(CREATED, 201, is_status=True)


def finalize(api: ApiServer, request: Request, route: Route) -> Written:
    """PUT of ``namespaces/<name>/finalize``."""
    namespace = bodies.decode(request, route.type)
    check_fields(route.type, namespace, "Ignore")
    namespace["metadata"]["name"] = route.name
    changed = api.update("namespaces", namespace, subresource="finalize", user=request.user)
    return Written(changed)
