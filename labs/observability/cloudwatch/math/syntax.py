"""The grammar of metric math: text to a tree.

Lowest first: ``OR ||``, ``AND &&``, comparisons, ``+ -``, ``* /``, unary minus, ``^`` (binds to the right).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)|(?P<name>[A-Za-z][A-Za-z0-9_]*)"
    r"|(?P<text>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")|(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/^<>(),\[\]]))"
)
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("OR", "||"),
    ("AND", "&&"),
    ("==", "!=", "<", "<=", ">", ">="),
    ("+", "-"),
    ("*", "/"),
)
_DEEPEST = 60


class MathError(Exception):
    """An expression that cannot be read or computed; the text says why."""


@dataclass(frozen=True, slots=True)
class Number:
    """A literal number."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A literal text, without its quotes."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """The id of another query (first letter lower case)."""

    value: str


@dataclass(frozen=True, slots=True)
class Word:
    """A bare keyword argument such as ``REPEAT`` or ``DESC``."""

    value: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    """Unary minus."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Operation:
    """A binary operator."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Group:
    """``[m1, m2]``: an array of time series."""

    members: tuple[Node, ...]


Node = Number | Text | Name | Word | Call | Negation | Operation | Group


def parse(expression: str) -> Node:
    """The tree of an expression. Raises MathError when it is none."""
    return _Parser(_tokens(expression)).whole()


def names(node: Node) -> list[str]:
    """The ids that the tree refers to, in order and each once."""
    if isinstance(node, Name):
        return [node.value]
    children: tuple[Node, ...] = ()
    if isinstance(node, Call):
        children = node.arguments
    elif isinstance(node, Group):
        children = node.members
    elif isinstance(node, Operation):
        children = (node.left, node.right)
    elif isinstance(node, Negation):
        children = (node.operand,)
    return list(dict.fromkeys(name for child in children for name in names(child)))


def functions(node: Node) -> set[str]:
    """The names of all functions that the tree calls."""
    if isinstance(node, Call):
        return {node.function}.union(*(functions(argument) for argument in node.arguments))
    if isinstance(node, Group):
        return set().union(*(functions(member) for member in node.members))
    if isinstance(node, Operation):
        return functions(node.left) | functions(node.right)
    return functions(node.operand) if isinstance(node, Negation) else set()


def _tokens(expression: str) -> list[tuple[str, str]]:
    tokens, position = [], 0
    stripped = expression.rstrip()
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        if match is None or match.lastgroup is None:
            raise MathError("Invalid syntax")
        tokens.append((match.lastgroup, match.group(match.lastgroup)))
        position = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._position = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._binary(0)
        if self._position != len(self._tokens):
            raise MathError("Invalid syntax")
        return node

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._position] if self._position < len(self._tokens) else ("end", "")

    def _take(self) -> tuple[str, str]:
        token = self._peek()
        self._position += 1
        return token

    def _expect(self, sign: str) -> None:
        if self._take()[1] != sign:
            raise MathError("Invalid syntax")

    def _binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        node = self._binary(level + 1)
        while self._peek()[0] in ("sign", "name") and self._peek()[1] in _LEVELS[level]:
            operator = self._take()[1]
            node = Operation(operator, node, self._binary(level + 1))
        return node

    def _unary(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise MathError("The expression is nested too deeply")
        kind, text = self._peek()
        node: Node
        if kind == "sign" and text == "-":
            self._take()
            node = Negation(self._unary())
        else:
            node = self._power()
        self._depth -= 1
        return node

    def _power(self) -> Node:
        base = self._primary()
        if self._peek() == ("sign", "^"):
            self._take()
            return Operation("^", base, self._unary())
        return base

    def _primary(self) -> Node:
        kind, text = self._take()
        if kind == "number":
            return Number(float(text))
        if kind == "text":
            return Text(re.sub(r"\\(.)", r"\1", text[1:-1]))
        if kind == "name":
            if self._peek() == ("sign", "("):
                self._take()
                return Call(text, self._list(")"))
            return Name(text) if text[0].islower() else Word(text)
        if text == "(":
            node = self._binary(0)
            self._expect(")")
            return node
        if text == "[":
            return Group(self._list("]"))
        raise MathError("Invalid syntax")

    def _list(self, closing: str) -> tuple[Node, ...]:
        if self._peek() == ("sign", closing):
            self._take()
            return ()
        members = [self._binary(0)]
        while self._peek() == ("sign", ","):
            self._take()
            members.append(self._binary(0))
        self._expect(closing)
        return tuple(members)
