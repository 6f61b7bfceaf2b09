"""certificates.k8s.io/v1: signing requests.

Source: kubernetes/kubernetes pkg/apis/certificates/{helpers.go,validation/validation.go},
pkg/registry/certificates/certificates/strategy.go. Who asks is written by ``labs.api.admission.certificates``.
"""

from __future__ import annotations

import base64
import binascii

from labs.api import names
from labs.api.strategy import FieldError, Object, Part, Strategy, duplicate, forbidden, invalid, not_supported, required

USAGES = (
    "any",
    "cert sign",
    "client auth",
    "code signing",
    "content commitment",
    "crl sign",
    "data encipherment",
    "decipher only",
    "digital signature",
    "email protection",
    "encipher only",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "key agreement",
    "key encipherment",
    "microsoft sgc",
    "netscape sgc",
    "ocsp signing",
    "s/mime",
    "server auth",
    "signing",
    "timestamping",
)
SHORTEST_S = 600
DECISIONS = ("Approved", "Denied")
CONDITION_TYPES = ("Approved", "Denied", "Failed")


def request_problem(encoded: str) -> str:
    """What is wrong with a base64 PKCS#10 request in PEM, or nothing."""
    # Loaded on first use: it is large, and a cluster may never see a request.
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    try:
        pem = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return "PEM block type must be CERTIFICATE REQUEST"
    if b"-----BEGIN CERTIFICATE REQUEST-----" not in pem:
        return "PEM block type must be CERTIFICATE REQUEST"
    try:
        request = x509.load_pem_x509_csr(pem)
        if request.is_signature_valid:
            return ""
        is_rsa = isinstance(request.public_key(), RSAPublicKey)
    except (ValueError, UnsupportedAlgorithm):
        return "asn1: structure error: malformed certificate request"
    return "crypto/rsa: verification error" if is_rsa else "x509: ECDSA verification failure"


def _prepare(obj: Object) -> None:
    obj["status"] = {}


def _keep_spec(new: Object, old: Object) -> None:
    """A request never changes but in its subresources."""
    new["spec"] = old["spec"]


def _validate(obj: Object) -> list[FieldError]:
    spec = obj.get("spec") or {}
    encoded = spec.get("request") or ""
    wrong = request_problem(encoded)
    problems = [invalid("spec.request", encoded, wrong)] if wrong else []
    usages = spec.get("usages") or []
    if not usages:
        problems.append(required("spec.usages"))
    problems += [
        not_supported(f"spec.usages[{index}]", usage, USAGES)
        for index, usage in enumerate(usages)
        if usage not in USAGES
    ]
    problems += [
        duplicate(f"spec.usages[{index}]", usage) for index, usage in enumerate(usages) if usage in usages[:index]
    ]
    problems += signer_name(spec.get("signerName") or "", "spec.signerName")
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < SHORTEST_S:
        problems.append(
            invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 600 seconds (10 minutes)")
        )
    return problems


def signer_name(name: str, path: str) -> list[FieldError]:
    """``ValidateSignerName``: ``domain/path``."""
    if not name:
        return [required(path)]
    domain, slash, rest = name.partition("/")
    if not slash or "/" in rest:
        return [invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")]
    problems = [
        invalid(path, domain, f'validating label "{label}": {text}')
        for label in domain.split(".")
        for text in names.dns1123_label(label)
    ]
    if "." not in domain:
        problems.append(invalid(path, domain, "should be a domain with at least two segments separated by dots"))
    return problems + [
        invalid(path, rest, f'validating label "{label}": {text}')
        for label in rest.split(".")
        for text in names.dns1123_label(label)
    ]


def validate_conditions(new: Object, old: Object) -> list[FieldError]:
    """What approval and status may say: Approved or Denied, for good and not both; True alone."""
    conditions = (new.get("status") or {}).get("conditions") or []
    problems: list[FieldError] = []
    kinds = [item.get("type") or "" for item in conditions]
    for index, item in enumerate(conditions):
        path = f"status.conditions[{index}]"
        if not item.get("type"):
            problems.append(required(f"{path}.type"))
        elif kinds.index(item["type"]) < index:
            problems.append(duplicate(f"{path}.type", item["type"]))
        if item.get("type") in CONDITION_TYPES and item.get("status", "True") != "True":
            problems.append(not_supported(f"{path}.status", item["status"], ("True",)))
        if not item.get("status"):
            problems.append(required(f"{path}.status"))
    if "Approved" in kinds and "Denied" in kinds:
        place = f"status.conditions[{max(kinds.index('Approved'), kinds.index('Denied'))}].type"
        both = "Approved and Denied conditions are mutually exclusive"
        problems.append(invalid(place, kinds[max(kinds.index("Approved"), kinds.index("Denied"))], both))
    before = [item.get("type") for item in (old.get("status") or {}).get("conditions") or []]
    problems += [
        forbidden("status.conditions", f'updates may not remove a condition of type "{kind}"')
        for kind in CONDITION_TYPES
        if kind in before and kind not in kinds
    ]
    return problems


def _approve(sent: Object, old: Object) -> Object:
    """Approval writes conditions alone, and of those only that a request is approved or denied."""
    asked = (sent.get("status") or {}).get("conditions") or []
    status = old.get("status") or {}
    kept = [item for item in status.get("conditions") or [] if item.get("type") not in DECISIONS]
    decided = [item for item in asked if item.get("type") in DECISIONS]
    return {**old, "status": {**status, "conditions": kept + decided}}


def _sign(sent: Object, old: Object) -> Object:
    """The status is the signer's, but for what approval decided."""
    status = sent.get("status") or {}
    before = (old.get("status") or {}).get("conditions") or []
    decided = [item for item in before if item.get("type") in DECISIONS]
    others = [item for item in status.get("conditions") or [] if item.get("type") not in DECISIONS]
    conditions = {"conditions": decided + others} if decided or others else {}
    kept = {key: value for key, value in status.items() if key != "conditions"}
    return {**old, "status": {**kept, **conditions}}


CERTIFICATE_SIGNING_REQUEST = Strategy(
    prepare_for_create=_prepare,
    prepare_for_update=_keep_spec,
    validate=_validate,
    is_ratcheting=True,
    parts={"approval": Part(_approve, validate_conditions), "status": Part(_sign, validate_conditions)},
)
