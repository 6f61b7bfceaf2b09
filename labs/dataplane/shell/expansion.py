"""What a word of a script stands for: quotes, variables, command substitution, arithmetic, fields.

Source: POSIX.1-2017, Shell Command Language, 2.2 quoting and 2.6 word expansions. Patterns of file names are not
expanded.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Generator
from typing import Any

from labs.dataplane.shell.syntax import SyntaxFault, quoted_end
from labs.dataplane.shell.waits import Variables, Wait

Substitute = Callable[[str], Generator[Wait, Any, str]]
"""Runs a script and gives its output."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9#?@*$!-]")
_BRACED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*|[0-9#?@*$!])(?:(:?[-=+?])(.*))?", re.DOTALL)
_OPERATORS: dict[type, Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: lambda a, b: int(a / b),
    ast.Mod: lambda a, b: a - b * int(a / b),
}


class Expander:
    """Expands words with the variables of a shell."""

    def __init__(self, variables: Variables, substitute: Substitute) -> None:
        self._variables = variables
        self._substitute = substitute

    def fields(self, word: str) -> Generator[Wait, Any, list[str]]:
        """The fields of a word: an unquoted expansion is split at blanks, and may leave none."""
        fields: list[str] = []
        current: str | None = None
        for text, is_quoted in (yield from self._pieces(word)):
            if is_quoted:
                current = (current or "") + text
                continue
            pieces = text.split()
            if not pieces:
                if text and current is not None:
                    fields.append(current)
                    current = None
                continue
            if current is not None and text[0].isspace():
                fields.append(current)
                current = None
            pieces[0] = (current or "") + pieces[0]
            fields += pieces[:-1]
            current = pieces[-1]
            if text[-1].isspace():
                fields.append(current)
                current = None
        return fields if current is None else [*fields, current]

    def text(self, word: str) -> Generator[Wait, Any, str]:
        """The word as one text, as in an assignment."""
        pieces = yield from self._pieces(word)
        return "".join(text for text, _ in pieces)

    def _pieces(self, word: str) -> Generator[Wait, Any, list[tuple[str, bool]]]:
        found: list[tuple[str, bool]] = []
        position = 0
        while position < len(word):
            char = word[position]
            if char == "\\":
                found.append((word[position + 1 : position + 2], True))
                position += 2
            elif char == "'":
                end = quoted_end(word, position)
                found.append((word[position + 1 : end - 1], True))
                position = end
            elif char == '"':
                end = quoted_end(word, position)
                text = yield from self._in_quotes(word[position + 1 : end - 1])
                found.append((text, True))
                position = end
            elif char in "$`":
                text, position = yield from self._dollar(word, position)
                found.append((text, False))
            else:
                end = position + 1
                while end < len(word) and word[end] not in "\\'\"$`":
                    end += 1
                found.append((word[position:end], True))
                position = end
        return found

    def _in_quotes(self, text: str) -> Generator[Wait, Any, str]:
        out = []
        position = 0
        while position < len(text):
            char = text[position]
            if char == "\\" and text[position + 1 : position + 2] in ('"', "$", "`", "\\", "\n"):
                out.append(text[position + 1].replace("\n", ""))
                position += 2
            elif char in "$`":
                value, position = yield from self._dollar(text, position)
                out.append(value)
            else:
                out.append(char)
                position += 1
        return "".join(out)

    def _dollar(self, word: str, position: int) -> Generator[Wait, Any, tuple[str, int]]:
        if word[position] == "`":
            end = quoted_end(word, position)
            text = yield from self._substitute(word[position + 1 : end - 1])
            return text, end
        if word.startswith("$((", position):
            end = quoted_end(word, position)
            inner = yield from self._in_quotes(word[position + 3 : end - 2])
            return str(self._arithmetic(inner)), end
        if word.startswith("$(", position):
            end = quoted_end(word, position)
            text = yield from self._substitute(word[position + 2 : end - 1])
            return text, end
        if word.startswith("${", position):
            end = quoted_end(word, position)
            text = yield from self._braced(word[position + 2 : end - 1])
            return text, end
        name = _NAME.match(word, position + 1)
        if name is None:
            return "$", position + 1
        return self._value(name.group()), name.end()

    def _braced(self, text: str) -> Generator[Wait, Any, str]:
        if text.startswith("#") and len(text) > 1:
            return str(len(self._value(text[1:])))
        match = _BRACED.fullmatch(text)
        if match is None:
            raise SyntaxFault("bad substitution")
        name, how, word = match.groups()
        value = self._value(name)
        is_set = bool(value) if (how or "").startswith(":") else bool(value) or name in self._variables.values
        if how is None:
            return value
        if how.endswith("+"):
            return (yield from self._in_quotes(word)) if is_set else ""
        if is_set:
            return value
        other = yield from self._in_quotes(word)
        if how.endswith("="):
            self._variables.values[name] = other
        if how.endswith("?"):
            raise SyntaxFault(f"{name}: {other or 'parameter not set'}")
        return other

    def _value(self, name: str) -> str:
        variables = self._variables
        if name == "?":
            return str(variables.last_code)
        if name == "#":
            return str(max(0, len(variables.arguments) - 1))
        if name in "@*" and name:
            return " ".join(variables.arguments[1:])
        if name == "$":
            return "1"
        if name.isdigit():
            return variables.arguments[int(name)] if int(name) < len(variables.arguments) else ""
        return variables.values.get(name, "")

    def _arithmetic(self, text: str) -> int:
        try:
            return self._evaluate(ast.parse(text.strip().replace("/", "//") or "0", mode="eval").body)
        except (SyntaxError, ZeroDivisionError) as error:
            raise SyntaxFault(f"arithmetic syntax error: {text.strip()}") from error

    def _evaluate(self, node: ast.expr) -> int:
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.Name):
            return int(self._value(node.id) or 0)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self._evaluate(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return _OPERATORS[type(node.op)](self._evaluate(node.left), self._evaluate(node.right))
        raise SyntaxFault("arithmetic syntax error")
