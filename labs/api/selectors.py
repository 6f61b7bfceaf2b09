"""Label and field selectors: parsed, matched and printed as upstream does.

Sources: apimachinery pkg/labels/selector.go, pkg/apis/meta/v1/helpers.go and pkg/fields/selector.go. Every refusal is a
ValueError with upstream's text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from labs.api import names
from labs.api.gojson import encoded
from labs.api.gotext import quoted

_BINARY_OPERATORS = ("in", "notin", "=", "==", "!=", "gt", "lt")
_OPERATOR_OF_TOKEN = {"in": "in", "notin": "notin", "=": "=", "==": "==", "!=": "!=", ">": "gt", "<": "lt"}
_OPERATOR_OF_EXPRESSION = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
_INTEGER = re.compile("[+-]?[0-9]+", re.ASCII)
_TOKEN = re.compile(r"[ \t\r\n]*(==|!=|[=!(),<>]|[^=!(),<> \t\r\n\0]+)\0?")
_END = ""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label; ``operator`` is one of ``in notin = == != gt lt exists !``."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether ``labels`` meet the condition; the negative ones are also met by a missing label."""
        if self.key not in labels:
            return self.operator in ("!", "!=", "notin")
        if self.operator in ("exists", "!"):
            return self.operator == "exists"
        found = labels[self.key]
        if self.operator in ("gt", "lt"):
            number, bound = _integer(found), _integer(self.values[0])
            if number is None or bound is None:
                return False
            return number > bound if self.operator == "gt" else number < bound
        return (found in self.values) == (self.operator in ("in", "=", "=="))

    def __str__(self) -> str:
        if self.operator == "!":
            return f"!{self.key}"
        if self.operator == "exists":
            return self.key
        joined = ",".join(sorted(self.values))
        if self.operator in ("in", "notin"):
            return f"{self.key} {self.operator} ({joined})"
        return f"{self.key}{ {'gt': '>', 'lt': '<'}.get(self.operator, self.operator) }{joined}"


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All of its requirements, sorted by key; None is the selector that matches nothing."""

    requirements: tuple[Requirement, ...] | None = ()
    _pairs: tuple[tuple[str, str], ...] = field(init=False, repr=False, compare=False)
    _others: tuple[Requirement, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        equal = [item for item in self.requirements or () if item.operator in ("=", "==")]
        others = tuple(item for item in self.requirements or () if item not in equal)
        object.__setattr__(self, "_pairs", tuple((item.key, item.values[0]) for item in equal))
        object.__setattr__(self, "_others", others)

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        """Whether an object with these labels is selected."""
        if self.requirements is None:
            return False
        labels = labels or {}
        for key, wanted in self._pairs:
            if labels.get(key) != wanted:
                return False
        return not self._others or all(item.matches(labels) for item in self._others)

    @property
    def is_empty(self) -> bool:
        """Whether everything is selected."""
        return self.requirements == ()

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements or ()))


EVERYTHING = LabelSelector()
NOTHING = LabelSelector(None)


@lru_cache(maxsize=1024)
def parse_label_selector(text: str) -> LabelSelector:
    """The selector of a query such as ``app=web,tier in (front,back),!canary``. Raises ValueError."""
    return LabelSelector(tuple(sorted(_Parser(text).parse(), key=lambda item: item.key)))


def selector_of(workload: Mapping[str, Any]) -> LabelSelector:
    """The parsed ``spec.selector`` of a workload; that of a ReplicationController is a plain map."""
    selector = (workload.get("spec") or {}).get("selector")
    if workload.get("kind") == "ReplicationController":
        selector = {"matchLabels": selector or {}}
    return selector_from_label_selector(selector)


def selector_from_label_selector(selector: Mapping[str, Any] | None) -> LabelSelector:
    """The selector of a ``metav1.LabelSelector``: None selects nothing, ``{}`` everything. Raises ValueError."""
    if selector is None:
        return NOTHING
    pairs = tuple((selector.get("matchLabels") or {}).items())
    expressions = tuple(
        (item.get("key", ""), item.get("operator", ""), tuple(item.get("values") or ()))
        for item in selector.get("matchExpressions") or ()
    )
    return _selector(pairs, expressions)


def format_label_selector(selector: Mapping[str, Any] | None) -> str:
    """``FormatLabelSelector``: the text for people, ``<none>`` for an empty and ``<error>`` for a wrong one."""
    try:
        return str(selector_from_label_selector(selector)) or "<none>"
    except ValueError:
        return "<error>"


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    """One condition on one field; ``operator`` is ``=`` or ``!=``."""

    field: str
    operator: str
    value: str

    def __str__(self) -> str:
        return self.field + self.operator + re.sub(r"([,=\\])", r"\\\1", self.value)


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All of its requirements, in the order of their texts."""

    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Whether an object with these fields is selected; a missing field counts as empty."""
        return all((fields.get(item.field, "") == item.value) == (item.operator == "=") for item in self.requirements)

    @property
    def is_empty(self) -> bool:
        """Whether everything is selected."""
        return not self.requirements

    def __str__(self) -> str:
        return ",".join(map(str, self.requirements))


def parse_field_selector(text: str) -> FieldSelector:
    """The selector of a query such as ``spec.nodeName=n1,status.phase!=Running``. Raises ValueError."""
    found = []
    for term in sorted(re.findall(r"(?:\\.|[^,\\]|\\$)+", text, re.DOTALL)):
        parts = re.fullmatch(r"(.*?)(!=|==|=)(.*)", term, re.DOTALL)
        if parts is None:
            raise ValueError(f"invalid selector: '{text}'; can't understand '{term}'")
        name, operator, raw = parts.groups()
        value = _unescaped(raw)
        if name or value:  # upstream's transformation drops a term of two empty sides
            found.append(FieldRequirement(name, "!=" if operator == "!=" else "=", value))
    return FieldSelector(tuple(found))


def requirement(key: str, operator: str, values: tuple[str, ...]) -> Requirement:
    """``NewRequirement``: the condition, once it is known to be valid. Raises ValueError with every fault."""
    faults = requirement_faults(key, operator, values)
    if faults:
        raise ValueError(faults[0] if len(faults) == 1 else f"[{', '.join(faults)}]")
    return Requirement(key, operator, values)


def requirement_faults(key: str, operator: str, values: tuple[str, ...], no_values: str = "null") -> list[str]:
    """What ``NewRequirement`` would say is wrong, each fault with its field; ``no_values`` prints an empty list."""
    faults = [f"key: {fault}" for fault in _faults(key, names.qualified_name(key))]
    listed = encoded(values) if values else no_values
    if operator in ("in", "notin") and not values:
        faults.append(f"values: Invalid value: {listed}: for 'in', 'notin' operators, values set can't be empty")
    if operator in ("exists", "!") and values:
        faults.append(f"values: Invalid value: {listed}: values set must be empty for exists and does not exist")
    if operator in ("gt", "lt"):
        if len(values) != 1:
            faults.append(f"values: Invalid value: {listed}: for 'Gt', 'Lt' operators, exactly one value is required")
        faults += [
            f"values[{index}]: {fault}"
            for index, value in enumerate(values)
            if _integer(value) is None
            for fault in _faults(value, ["for 'Gt', 'Lt' operators, the value must be an integer"])
        ]
    for index, value in enumerate(values):
        faults += [f"values[{index}][{key}]: {fault}" for fault in _faults(value, names.label_value(value))]
    return faults


@lru_cache(maxsize=1024)
def _selector(
    pairs: tuple[tuple[str, str], ...], expressions: tuple[tuple[str, str, tuple[str, ...]], ...]
) -> LabelSelector:
    found = [requirement(key, "=", (value,)) for key, value in sorted(pairs)]
    for key, operator, values in expressions:
        if operator not in _OPERATOR_OF_EXPRESSION:
            raise ValueError(f"{quoted(operator)} is not a valid label selector operator")
        found.append(requirement(key, _OPERATOR_OF_EXPRESSION[operator], values))
    return LabelSelector(tuple(sorted(found, key=lambda item: item.key)))


def _tokens(text: str) -> Iterator[str]:
    """The words of the lexer, which ends at a NUL; the one right after a word only ends that word."""
    position = 0
    while found := _TOKEN.match(text, position):
        yield found[1]
        position = found.end()


class _Parser:
    """The recursive descent of labels.Parse; the end of the text reads as an empty token."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._position = 0

    def parse(self) -> list[Requirement]:
        found: list[Requirement] = []
        while (token := self._peek()) != _END:
            if not _is_word(token) and token != "!":
                raise ValueError(f"found '{token}', expected: !, identifier, or 'end of string'")
            try:
                found.append(self._requirement())
            except ValueError as error:
                raise ValueError(f"unable to parse requirement: {error}") from error
            separator = self._next()
            if separator not in (_END, ","):
                raise ValueError(f"found '{separator}', expected: ',' or 'end of string'")
            if separator == "," and not _is_word(self._peek()) and self._peek() != "!":
                raise ValueError(f"found '{self._peek()}', expected: identifier after ','")
        return found

    def _requirement(self) -> Requirement:
        key = self._next()
        is_negated = key == "!"
        if is_negated:
            key = self._next()
        if not _is_word(key):
            raise ValueError(f"found '{key}', expected: identifier")
        for fault in _faults(key, names.qualified_name(key)):
            raise ValueError(f"<nil>: {fault}")
        if is_negated or self._peek() in (_END, ","):
            return requirement(key, "!" if is_negated else "exists", ())
        token = self._next()
        if token not in _OPERATOR_OF_TOKEN:
            raise ValueError(f"found '{token}', expected: {', '.join(_BINARY_OPERATORS)}")
        values = self._set() if token in ("in", "notin") else {self._value()}
        return requirement(key, _OPERATOR_OF_TOKEN[token], tuple(sorted(values)))

    def _value(self) -> str:
        if self._peek() in (_END, ","):
            return ""
        token = self._next()
        if not _is_word(token):
            raise ValueError(f"found '{token}', expected: identifier")
        return token

    def _set(self) -> set[str]:
        token = self._next()
        if token != "(":
            raise ValueError(f"found '{token}' expected: '('")
        token = self._peek()
        if token == ")":
            self._next()
            return {""}
        if not _is_word(token) and token != ",":
            raise ValueError(f"found '{token}', expected: ',', ')' or identifier")
        values = self._values()
        if self._next() != ")":
            raise ValueError(f"found '{token}', expected: ')'")
        return values

    def _values(self) -> set[str]:
        values: set[str] = set()
        while True:
            token = self._next()
            if _is_word(token):
                values.add(token)
                if self._peek() == ")":
                    return values
                if self._peek() != ",":
                    raise ValueError(f"found '{self._peek()}', expected: ',' or ')'")
            elif token == ",":
                if not values:
                    values.add("")
                if self._peek() == ")":
                    return values | {""}
                if self._peek() == ",":
                    self._next()
                    values.add("")
            else:
                raise ValueError(f"found '{token}', expected: ',', or identifier")

    def _peek(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else _END

    def _next(self) -> str:
        token = self._peek()
        self._position += 1
        return token


def _is_word(token: str) -> bool:
    return token != _END and token[0] not in "=!(),<>"


def _faults(value: str, errors: list[str]) -> list[str]:
    """``field.Invalid`` without its path: none or one."""
    return [f"Invalid value: {quoted(value)}: {'; '.join(errors)}"] if errors else []


def _integer(text: str) -> int | None:
    """``strconv.ParseInt(text, 10, 64)``, or None where that fails."""
    if _INTEGER.fullmatch(text) is None:
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None


def _unescaped(raw: str) -> str:
    """``fields.UnescapeValue``."""
    letters = iter(raw)
    value = ""
    for letter in letters:
        if letter in ",=":
            raise ValueError(f"invalid field selector: unescaped character in value: {ord(letter)}")
        if letter == "\\":
            letter = next(letters, "")
            if letter not in ("\\", ",", "="):
                raise ValueError(f"invalid field selector: invalid escape sequence: \\{letter}")
        value += letter
    return value
