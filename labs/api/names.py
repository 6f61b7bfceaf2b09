"""Rules for names, keys and label values, with upstream's texts.

Each function returns the list of what is wrong, empty for a valid name. Lengths count bytes of UTF-8, as in Go.
Source: apimachinery pkg/util/validation/validation.go, pkg/api/validate/content and pkg/api/validation/generic.go.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_UNDERSCORED_LABEL = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_UNDERSCORED = rf"{_UNDERSCORED_LABEL}(\.{_UNDERSCORED_LABEL})*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_LABEL_KEY = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_LABEL_KEY})?"
_CONFIG_MAP_KEY = "[-._a-zA-Z0-9]+"
_ENV_VAR = "[-._a-zA-Z][-._a-zA-Z0-9]*"
_PERCENT = "[0-9]+%"

_ENDS_RULE = "and must start and end with an alphanumeric character"
_LABEL_RULE = f"must consist of lower case alphanumeric characters or '-', {_ENDS_RULE}"
_SUBDOMAIN_RULE = f"must consist of lower case alphanumeric characters, '-' or '.', {_ENDS_RULE}"
_LABEL_1035_RULE = (
    "must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character"
)
_KEY_RULE = f"must consist of alphanumeric characters, '-', '_' or '.', {_ENDS_RULE}"
_ENV_VAR_RULE = "must consist of alphabetic characters, digits, '_', '-', or '.', and must not start with a digit"

Rule = Callable[[str], list[str]]


def dns1123_label(text: str) -> list[str]:
    """``IsDNS1123Label``: namespaces, container and port names of services."""
    errors = _too_long(text, 63)
    if re.fullmatch(_LABEL, text) is None:
        if re.fullmatch(_SUBDOMAIN, text):
            return [*errors, "must not contain dots"]
        errors.append(_unmatched(f"a lowercase RFC 1123 label {_LABEL_RULE}", _LABEL, "my-name", "123-abc"))
    return errors


def dns1123_subdomain(text: str) -> list[str]:
    """``IsDNS1123Subdomain``: names of most objects."""
    return _subdomain(text, "characters")


def dns1123_subdomain_with_underscore(text: str) -> list[str]:
    """``IsDNS1123SubdomainWithUnderscore``: where a pod's resolver searches."""
    errors = _too_long(text, 253)
    if re.fullmatch(_UNDERSCORED, text) is None:
        subject = "must consist of lower case alphanumeric characters, '_', '-' or '.', " + _ENDS_RULE
        errors.append(_unmatched(f"a lowercase RFC 1123 subdomain {subject}", _UNDERSCORED, "example.com"))
    return errors


def _subdomain(text: str, unit: str) -> list[str]:
    errors = _too_long(text, 253, unit)
    if re.fullmatch(_SUBDOMAIN, text) is None:
        errors.append(_unmatched(f"a lowercase RFC 1123 subdomain {_SUBDOMAIN_RULE}", _SUBDOMAIN, "example.com"))
    return errors


def dns1035_label(text: str) -> list[str]:
    """``IsDNS1035Label``: names and versions of custom kinds."""
    errors = _too_long(text, 63)
    if re.fullmatch(_LABEL_1035, text) is None:
        errors.append(_unmatched(f"a DNS-1035 label {_LABEL_1035_RULE}", _LABEL_1035, "my-name", "abc-123"))
    return errors


def as_prefix(rule: Rule, text: str) -> list[str]:
    """What is wrong with ``text`` as a ``generateName``: a dash at its end is no fault."""
    if len(text) > 1 and text.endswith("-"):
        # Upstream puts the letter in place of a byte, which spoils a longer character.
        text = text[:-2] + "a" if text[-2].isascii() else text[:-1]
    return rule(text)


def qualified_name(text: str) -> list[str]:
    """``IsQualifiedName``: keys of labels, annotations and taints, with or without a prefix."""
    prefix, slash, name = text.rpartition("/")
    if "/" in prefix:
        rule = _unmatched(f"a valid label key {_KEY_RULE}", _LABEL_KEY, "MyName", "my.name", "123-abc")
        return [f"{rule} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    errors = []
    if slash:
        errors += [
            f"prefix part {error}" for error in (_subdomain(prefix, "bytes") if prefix else ["must be non-empty"])
        ]
    errors += [f"name part {error}" for error in (_too_long(name, 63, "bytes") if name else ["must be non-empty"])]
    if re.fullmatch(_LABEL_KEY, name) is None:
        errors.append(f"name part {_unmatched(_KEY_RULE, _LABEL_KEY, 'MyName', 'my.name', '123-abc')}")
    return errors


def label_value(text: str) -> list[str]:
    """``IsValidLabelValue``."""
    errors = _too_long(text, 63, "bytes")
    if re.fullmatch(_LABEL_VALUE, text) is None:
        subject = f"a valid label must be an empty string or {_KEY_RULE.removeprefix('must ')}"
        errors.append(_unmatched(subject, _LABEL_VALUE, "MyValue", "my_value", "12345"))
    return errors


def config_map_key(text: str) -> list[str]:
    """``IsConfigMapKey``: keys of config maps and secrets."""
    errors = _too_long(text, 253)
    if re.fullmatch(_CONFIG_MAP_KEY, text) is None:
        subject = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        errors.append(_unmatched(subject, _CONFIG_MAP_KEY, "key.name", "KEY_NAME", "key-name"))
    return errors + _leaves_directory(text)


def env_var_name(text: str) -> list[str]:
    """``IsEnvVarName``: the strict rule."""
    errors = []
    if re.fullmatch(_ENV_VAR, text) is None:
        subject = f"a valid environment variable name {_ENV_VAR_RULE}"
        errors.append(_unmatched(subject, _ENV_VAR, "my.env-name", "MY_ENV.NAME", "MyEnvName1"))
    return errors + _leaves_directory(text)


def relaxed_env_var_name(text: str) -> list[str]:
    """``IsRelaxedEnvVarName``: what a pod's environment may name."""
    if not text:
        return ["environment variable name must be non-empty"]
    if all(" " <= letter <= "~" and letter != "=" for letter in text):
        return []
    return ["a valid environment variable name must consist only of printable ASCII characters other than '='"]


def port_name(text: str) -> list[str]:
    """``IsValidPortName``: names of container ports and of named target ports."""
    errors = _too_long(text, 15)
    if re.fullmatch("[-a-z0-9]+", text) is None:
        errors.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if re.search("[a-z]", text) is None:
        errors.append("must contain at least one letter (a-z)")
    if "--" in text:
        errors.append("must not contain consecutive hyphens")
    if text.startswith("-") or text.endswith("-"):
        errors.append("must not begin or end with a hyphen")
    return errors


def percent(text: str) -> list[str]:
    """``IsValidPercent``."""
    if re.fullmatch(_PERCENT, text):
        return []
    subject = "a valid percent string must be a numeric string followed by an ending '%'"
    return [_unmatched(subject, _PERCENT, "1%", "93%")]


def _too_long(text: str, limit: int, unit: str = "characters") -> list[str]:
    return [f"must be no more than {limit} {unit}"] if len(text.encode()) > limit else []


def _unmatched(rule: str, pattern: str, *examples: str) -> str:
    """``RegexError``, with the double blank that upstream prints between examples."""
    listed = " or ".join(f"'{example}', " for example in examples)
    return f"{rule} (e.g. {listed}regex used for validation is '{pattern}')"


def _leaves_directory(text: str) -> list[str]:
    """A key becomes a file name in a volume."""
    if text in (".", ".."):
        return [f"must not be '{text}'"]
    return ["must not start with '..'"] if text.startswith("..") else []
