"""Who asks for a certificate, and who may approve one.

Source: kubernetes/kubernetes plugin/pkg/admission/certificates/{approval,subjectrestriction},
pkg/registry/certificates/certificates/strategy.go (PrepareForCreate).
"""

from __future__ import annotations

from labs import errors
from labs.api.apiserver import Attributes
from labs.api.objects import at
from labs.api.rbac.authorizer import RbacAuthorizer
from labs.api.rbac.rules import Inquiry
from labs.api.store import Store
from labs.api.users import User
from labs.sim.loop import Loop
from labs.units import rfc3339

GROUP = "certificates.k8s.io"
REQUESTS = f"certificatesigningrequests.{GROUP}"
_OF_THE_SERVER = ("username", "uid", "groups", "extra")


class Certificates:
    """Names the requester; lets only those approve who hold the verb ``approve`` on the signer."""

    def __init__(self, store: Store, loop: Loop) -> None:
        self._loop = loop
        self._access = RbacAuthorizer(store)

    def admit(self, attributes: Attributes) -> None:
        """Raises 403."""
        if attributes.type.resource != REQUESTS:
            return
        user = attributes.user
        if attributes.operation == "CREATE":
            spec = attributes.object.setdefault("spec", {})
            for key in _OF_THE_SERVER:
                spec.pop(key, None)
            spec |= user.info if isinstance(user, User) else {"username": user}
        elif isinstance(user, User) and attributes.subresource in ("approval", "status"):
            self._check(attributes, user, "approve" if attributes.subresource == "approval" else "sign")
        if attributes.operation == "UPDATE":
            self._set_times(attributes)

    def _set_times(self, attributes: Attributes) -> None:
        """``populateConditionTimestamps``: what a client leaves open."""
        before = {item["type"]: item for item in at(attributes.old, "status", "conditions") or ()}
        now = rfc3339(self._loop.now_ns)
        for item in at(attributes.object, "status", "conditions") or ():
            known = before.get(item.get("type"), {})
            is_same = known.get("status") == item.get("status")
            item["lastUpdateTime"] = item.get("lastUpdateTime") or now
            if not item.get("lastTransitionTime"):
                item["lastTransitionTime"] = known.get("lastTransitionTime", now) if is_same else now

    def _check(self, attributes: Attributes, user: User, verb: str) -> None:
        signer = at(attributes.old, "spec", "signerName") or ""
        names = (signer, f"{signer.partition('/')[0]}/*")
        if verb == "sign" and at(attributes.object, "status") == at(attributes.old, "status"):
            return
        if not any(self._access.allows(user, Inquiry(verb, GROUP, "signers", "", "", name)) for name in names):
            why = f'user not permitted to {verb} requests with signerName "{signer}"'
            raise errors.forbidden(REQUESTS, attributes.object["metadata"]["name"], why)
