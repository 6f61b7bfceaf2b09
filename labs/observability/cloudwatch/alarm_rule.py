"""The rule of a composite alarm: ``ALARM("a") AND (OK(b) OR NOT INSUFFICIENT_DATA("c"))``, TRUE, FALSE.

Source: API reference of PutCompositeAlarm. NOT binds before AND, AND before OR.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from labs.observability.cloudwatch.alarm_state import State
from labs.observability.cloudwatch.refusals import validation

LONGEST_RULE = 10_240
MOST_CHILDREN = 100
MOST_ELEMENTS = 500

_TOKEN = re.compile(
    r"\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"(?P<quoted>(?:[^\"\\]|\\.)+)\"|(?P<bare>[^\"()]+?))\s*\)"
    r"|(?P<word>AND|OR|NOT|TRUE|FALSE)\b|(?P<bracket>[()]))",
    re.IGNORECASE,
)

StateOf = Callable[[str], State | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A parsed rule: the alarms it names (names or ARNs, as written) and its test."""

    children: tuple[str, ...]
    test: Callable[[StateOf], bool]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    child: str = ""


def parse_rule(text: str) -> Rule:
    """The rule that ``text`` says. Raises ValidationError."""
    if not 1 <= len(text) <= LONGEST_RULE:
        raise validation(f"AlarmRule must have 1 to {LONGEST_RULE} characters.")
    tokens = _tokens(text)
    children = tuple(dict.fromkeys(token.child for token in tokens if token.child))
    if len(children) > MOST_CHILDREN:
        raise validation(f"AlarmRule must not have more than {MOST_CHILDREN} child alarms.")
    if sum(token.kind not in ("AND", "OR", "NOT") for token in tokens) > MOST_ELEMENTS:
        raise validation(f"AlarmRule must not have more than {MOST_ELEMENTS} elements.")
    return Rule(children, _Parser(tokens).whole())


def _tokens(text: str) -> list[_Token]:
    tokens, position = [], 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        if match is None:
            raise _syntax_error()
        child = match.group("quoted") or match.group("bare")
        kind = match.group("state") or match.group("word") or match.group("bracket")
        tokens.append(_Token(kind.upper(), re.sub(r"\\(.)", r"\1", child) if child else ""))
        position = match.end()
    return tokens


def _syntax_error() -> Exception:
    return validation("Could not parse the AlarmRule: it has a syntax error.")


_Test = Callable[[StateOf], bool]


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._position = 0

    def whole(self) -> _Test:
        test = self._any_of()
        if self._position != len(self._tokens):
            raise _syntax_error()
        return test

    def _takes(self, kind: str) -> bool:
        if self._position < len(self._tokens) and self._tokens[self._position].kind == kind:
            self._position += 1
            return True
        return False

    def _any_of(self) -> _Test:
        tests = [self._all_of()]
        while self._takes("OR"):
            tests.append(self._all_of())
        return tests[0] if len(tests) == 1 else lambda state_of: any(test(state_of) for test in tests)

    def _all_of(self) -> _Test:
        tests = [self._one()]
        while self._takes("AND"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda state_of: all(test(state_of) for test in tests)

    def _one(self) -> _Test:
        negations = 0
        while self._takes("NOT"):
            negations += 1
        test = self._atom()
        return test if negations % 2 == 0 else lambda state_of: not test(state_of)

    def _atom(self) -> _Test:
        if self._takes("("):
            test = self._any_of()
            if not self._takes(")"):
                raise _syntax_error()
            return test
        if self._takes("TRUE"):
            return lambda state_of: True
        if self._takes("FALSE"):
            return lambda state_of: False
        if self._position == len(self._tokens) or not self._tokens[self._position].child:
            raise _syntax_error()
        token = self._tokens[self._position]
        self._position += 1
        return lambda state_of: state_of(token.child) == token.kind
