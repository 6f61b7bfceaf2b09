"""The ``format`` of strings and numbers in schemas.

Source: apiextensions-apiserver pkg/apiserver/validation/formats.go; kube-openapi pkg/validation/strfmt.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import date
from ipaddress import IPv4Address, IPv6Address, ip_interface
from urllib.parse import urlsplit

from labs.api import names
from labs.units import parse_rfc3339

Check = Callable[[str], bool]
_HOSTNAME = re.compile(
    r"([a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?)(\.[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?)*\.?"
)
_GO_DURATION = re.compile(r"[-+]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)")
_WORDY_DURATION = re.compile(
    r"([0-9]+)\s*(ns|us|µs|ms|s|m|h|d|w|(nano|micro|milli)?(s|secs?|seconds?)|mins?|minutes?|h|hrs?|hours?|days?|weeks?)"
)
_EMAIL = re.compile(r"[^@\s<>\"]+@[^@\s<>\"]+")


def _takes(check: Callable[[str], object]) -> Check:
    """Whether ``check`` returns without a ValueError."""

    def passes(text: str) -> bool:
        try:
            check(text)
        except ValueError:
            return False
        return True

    return passes


def _matches(pattern: str) -> Check:
    return lambda text: re.fullmatch(pattern, text) is not None


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except binascii.Error:
        return False
    return True


def _is_uri(text: str) -> bool:
    """``url.ParseRequestURI``: absolute, or a path from the root."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(text) and " " not in text and (bool(parts.scheme) or text.startswith("/"))


def _is_network(text: str) -> bool:
    ip_interface(text)
    if "/" not in text:
        raise ValueError(text)
    return True


_UUID = "[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?%s-?%s-?[0-9a-fA-F]{12}"
CHECKS: dict[str, Check] = {
    "bsonobjectid": _matches("[0-9a-fA-F]{24}"),
    "uri": _is_uri,
    "email": lambda text: _EMAIL.fullmatch(text) is not None,
    "hostname": lambda text: len(text) <= 255 and _HOSTNAME.fullmatch(text) is not None,
    "ipv4": _takes(IPv4Address),
    "ipv6": _takes(IPv6Address),
    "cidr": _takes(_is_network),
    "mac": _matches(
        "([0-9a-fA-F]{2}([:-])[0-9a-fA-F]{2}(\\2[0-9a-fA-F]{2}){4,6})|([0-9a-fA-F]{4}(\\.[0-9a-fA-F]{4}){2,3})"
    ),
    "uuid": _matches(_UUID % ("[0-9a-fA-F]{4}", "[0-9a-fA-F]{4}")),
    "uuid3": _matches(_UUID % ("3[0-9a-fA-F]{3}", "[0-9a-fA-F]{4}")),
    "uuid4": _matches(_UUID % ("4[0-9a-fA-F]{3}", "[89abAB][0-9a-fA-F]{3}")),
    "uuid5": _matches(_UUID % ("5[0-9a-fA-F]{3}", "[89abAB][0-9a-fA-F]{3}")),
    "isbn10": _matches("([0-9][- ]?){9}[0-9xX]"),
    "isbn13": _matches("([0-9][- ]?){12}[0-9]"),
    "isbn": _matches("([0-9][- ]?){9}[0-9xX]|([0-9][- ]?){12}[0-9]"),
    "ssn": _matches("[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{4}"),
    "hexcolor": _matches("#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "rgbcolor": _matches(r"rgb\(\s*[0-9]{1,3}\s*,\s*[0-9]{1,3}\s*,\s*[0-9]{1,3}\s*\)"),
    "byte": _is_base64,
    "password": lambda text: True,
    "date": lambda text: len(text) == 10 and _takes(date.fromisoformat)(text),
    "duration": lambda text: bool(_GO_DURATION.fullmatch(text) or _WORDY_DURATION.fullmatch(text.strip())),
    "datetime": _takes(parse_rfc3339),
    "k8sshortname": lambda text: not names.dns1123_label(text),
    "k8slongname": lambda text: not names.dns1123_subdomain(text),
}
"""Of the formats of strings that are checked; any other says nothing."""

NUMBER_FORMATS = {"integer": ("int32", "int64"), "number": ("float", "double")}


def is_checked(format_name: str, type_name: str) -> bool:
    """Whether a format is one that the server knows for values of this type."""
    if type_name in NUMBER_FORMATS:
        return format_name in NUMBER_FORMATS[type_name]
    return type_name in ("", "string") and format_name.replace("-", "") in CHECKS


def fits(format_name: str, text: str) -> bool:
    """Whether a text has a format that is checked."""
    return CHECKS[format_name.replace("-", "")](text)
