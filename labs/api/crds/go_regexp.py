"""Go's regular expressions (RE2) as Python's ``re`` reads them.

Source: Go's regexp/syntax. What RE2 has and ``re`` has not (``\\pL``) is refused by ``compiled``.
"""

from __future__ import annotations

import re
from functools import lru_cache

POSIX_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": "\\t ",
    "digit": "0-9",
    "lower": "a-z",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\t\\n\\v\\f\\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_TOKEN = re.compile(r"\\.|\[:(\w+):\]|[\[\]$]", re.DOTALL)


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """The pattern for ``re.search``. Raises ``re.error`` for one that is not well formed."""
    return re.compile(_translated(pattern), re.ASCII)


def _translated(pattern: str) -> str:
    parts: list[str] = []
    is_in_class, last = False, 0
    for token in _TOKEN.finditer(pattern):
        parts.append(pattern[last : token.start()])
        last, text = token.end(), token[0]
        if text == r"\z":
            text = r"\Z"
        elif token[1] and is_in_class:
            text = POSIX_CLASSES.get(token[1], text)
        elif text == "[" and is_in_class:
            text = r"\["
        elif text == "[":
            is_in_class = True
        elif text == "]":
            is_in_class = False
        elif text == "$" and not is_in_class:
            text = r"\Z"
        parts.append(text)
    return "".join(parts) + pattern[last:]
