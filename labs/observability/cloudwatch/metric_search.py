"""SEARCH expressions: ``{Namespace,Dim1,Dim2} MetricName="x" Dim1=("a" OR "b") text``.

Source: the user guide's "Search expression syntax". A quoted term matches the whole text; a bare one matches a
run of its tokens (words, and the parts of CamelCase), without regard to case. Terms beside each other mean AND.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from labs.observability.cloudwatch.math.syntax import MathError
from labs.observability.cloudwatch.store import MetricKey

Test = Callable[[MetricKey], bool]

_SCHEMA = re.compile(r"\s*\{([^}]*)\}(.*)", re.DOTALL)
_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[()=]|[^\s()="]+)')
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_RUNS = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True, slots=True)
class Search:
    """A parsed search: namespace and dimension names (None when there is no schema) and the test of a metric."""

    namespace: str | None
    dimension_names: frozenset[str]
    test: Test

    def finds(self, key: MetricKey) -> bool:
        """Whether the metric is found."""
        if self.namespace is not None:
            names = frozenset(name for name, _ in key.dimensions)
            if key.namespace != self.namespace or names != self.dimension_names:
                return False
        return self.test(key)


def parse_search(query: str) -> Search:
    """A search expression. Raises MathError when it is none."""
    schema = _SCHEMA.fullmatch(query)
    namespace, names, rest = None, frozenset[str](), query
    if schema:
        parts = [part.strip().strip('"') for part in schema.group(1).split(",")]
        namespace, names, rest = parts[0], frozenset(parts[1:]), schema.group(2)
    tokens = _TOKEN.findall(rest)
    if "".join(tokens) != re.sub(r"\s+(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", "", rest.strip()):
        raise MathError("Invalid syntax in SEARCH")
    test = _Parser(tokens).whole() if tokens else _anything
    return Search(namespace, names, test)


def _anything(key: MetricKey) -> bool:
    return True


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._position = 0

    def whole(self) -> Test:
        test = self._any_of(None)
        if self._position != len(self._tokens):
            raise MathError("Invalid syntax in SEARCH")
        return test

    def _peek(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._position += 1
        return token

    def _any_of(self, field: str | None) -> Test:
        test = self._all_of(field)
        while self._peek() == "OR":
            self._take()
            test = _either(test, self._all_of(field))
        return test

    def _all_of(self, field: str | None) -> Test:
        test = self._not(field)
        while self._peek() not in ("", ")", "OR"):
            if self._peek() == "AND":
                self._take()
            test = _both(test, self._not(field))
        return test

    def _not(self, field: str | None) -> Test:
        if self._peek() == "NOT":
            self._take()
            inner = self._not(field)
            return lambda key: not inner(key)
        return self._term(field)

    def _term(self, field: str | None) -> Test:
        token = self._take()
        if token == "(":
            test = self._any_of(field)
            if self._take() != ")":
                raise MathError("Invalid syntax in SEARCH")
            return test
        if token in ("", ")", "=", "AND", "OR"):
            raise MathError("Invalid syntax in SEARCH")
        if self._peek() == "=":
            self._take()
            return self._term(token.strip('"'))
        return _matcher(field, token)


def _both(left: Test, right: Test) -> Test:
    return lambda key: left(key) and right(key)


def _either(left: Test, right: Test) -> Test:
    return lambda key: left(key) or right(key)


def _matcher(field: str | None, token: str) -> Test:
    if token.startswith('"'):
        exact = re.sub(r"\\(.)", r"\1", token[1:-1])
        return lambda key: any(text == exact for text in _texts(key, field))
    wanted = _words(token)
    return lambda key: any(_has_run(text, token, wanted) for text in _texts(key, field))


def _texts(key: MetricKey, field: str | None) -> list[str]:
    """The texts of a metric that a term of ``field`` (any when None) is compared with."""
    if field == "Namespace":
        return [key.namespace]
    if field == "MetricName":
        return [key.name]
    if field is not None:
        return [value for name, value in key.dimensions if name == field.removeprefix(":aws.")]
    return [key.namespace, key.name, *(text for dimension in key.dimensions for text in dimension)]


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(text)]


def _has_run(text: str, token: str, wanted: list[str]) -> bool:
    if text.lower() == token.lower() or token.lower() in (run.lower() for run in _RUNS.findall(text)):
        return True
    words, length = _words(text), len(wanted)
    return bool(wanted) and any(words[i : i + length] == wanted for i in range(len(words) - length + 1))
