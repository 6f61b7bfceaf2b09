"""Tokens of service accounts, issued on request and recognised again; and those that the server was given.

A token is a JSON Web Token as upstream's, but signed with a secret of this server (HS256), which nobody outside it
needs to verify. Source: kubernetes/kubernetes pkg/serviceaccount/{claims,jwt}.go,
pkg/registry/core/serviceaccount/storage/token.go.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labs.api.store import Object, Store
from labs.api.users import AUTHENTICATED, User, account_groups, account_name
from labs.sim.loop import Loop
from labs.sim.streams import Streams
from labs.units import SECOND_NS

ISSUER = "https://kubernetes.default.svc"
CREDENTIAL_ID = "authentication.kubernetes.io/credential-id"
_BINDINGS = {"pod": "pods", "secret": "secrets", "node": "nodes"}


@dataclass(frozen=True, slots=True)
class Bound:
    """The object that a token dies with: ``kind`` is pod, secret or node."""

    kind: str
    object: Object


class TokenAuthority:
    """Issues and recognises the tokens of one cluster."""

    def __init__(self, loop: Loop, streams: Streams, store: Store) -> None:
        self._loop = loop
        self._streams = streams
        self._store = store
        self._key = streams.uuid("tokens/key").encode()
        self._key_id = hashlib.sha256(self._key).hexdigest()[:40]
        self._static: list[tuple[bytes, User]] = []

    def admit(self, token: str, user: User) -> None:
        """Recognise ``token`` as ``user``'s, as a server with a token file does."""
        self._static.append((token.encode(), user))

    def issue(self, account: Object, audiences: Sequence[str], seconds: int, bound: Sequence[Bound] = ()) -> str:
        """A token of a service account for ``seconds`` from now."""
        metadata = account["metadata"]
        now_s = self._loop.now_ns // SECOND_NS
        private: dict[str, Any] = {
            "namespace": metadata["namespace"],
            "serviceaccount": {"name": metadata["name"], "uid": metadata["uid"]},
        }
        for item in bound:
            of = item.object["metadata"]
            private[item.kind] = {"name": of["name"], "uid": of["uid"]}
        return self._signed(
            {
                "aud": list(audiences),
                "exp": now_s + seconds,
                "iat": now_s,
                "iss": ISSUER,
                "jti": self._streams.uuid("tokens/jti"),
                "kubernetes.io": private,
                "nbf": now_s,
                "sub": account_name(metadata["namespace"], metadata["name"]),
            }
        )

    def authenticate(self, token: str, audiences: Sequence[str] = (ISSUER,)) -> User | None:
        """The user of a token, or None for one that is not ours, not valid now, or whose objects have gone."""
        given = token.encode(errors="replace")
        for known, user in self._static:
            if ISSUER in audiences and hmac.compare_digest(known, given):
                return user
        claims = self._verified(token)
        now_s = self._loop.now_ns // SECOND_NS
        if claims is None or not claims["nbf"] <= now_s < claims["exp"]:
            return None
        private = claims["kubernetes.io"]
        namespace, name = private["namespace"], private["serviceaccount"]["name"]
        is_live = self._is_live("serviceaccounts", namespace, private["serviceaccount"])
        bound = {kind: private[kind] for kind in _BINDINGS if kind in private}
        lives = (self._is_live(_BINDINGS[kind], namespace, item) for kind, item in bound.items())
        if not is_live or not all(lives) or not any(audience in claims["aud"] for audience in audiences):
            return None
        extra = {CREDENTIAL_ID: [f"JTI={claims['jti']}"]}
        for kind, item in bound.items():
            if kind != "secret":
                extra[f"authentication.kubernetes.io/{kind}-name"] = [item["name"]]
                extra[f"authentication.kubernetes.io/{kind}-uid"] = [item["uid"]]
        groups = (*account_groups(namespace), AUTHENTICATED)
        return User(account_name(namespace, name), groups, private["serviceaccount"]["uid"], extra)

    def _is_live(self, resource: str, namespace: str, reference: dict[str, str]) -> bool:
        place = "" if resource == "nodes" else namespace
        obj = self._store.get(resource, place, reference["name"])
        return obj is not None and obj["metadata"]["uid"] == reference["uid"]

    def _signed(self, claims: dict[str, Any]) -> str:
        head = {"alg": "HS256", "kid": self._key_id}
        text = ".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (head, claims))
        return f"{text}.{self._signature(text)}"

    def _signature(self, text: str) -> str:
        return _encoded(hmac.new(self._key, text.encode(errors="replace"), hashlib.sha256).digest())

    def _verified(self, token: str) -> dict[str, Any] | None:
        text, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._signature(text).encode(), signature.encode(errors="replace")):
            return None
        claims: dict[str, Any] = json.loads(_decoded(text.partition(".")[2]))
        return claims


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
