"""Texts and numbers as Go's strconv quotes and reads them.

Source: Go strconv/quote.go and atoi.go; what can be printed is what unicode.IsPrint says, as does str.isprintable.
"""

from __future__ import annotations

import re

_INTEGER = re.compile("[+-]?[0-9]+", re.ASCII)
_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}


def quoted(text: str) -> str:
    """``strconv.Quote``: in double quotes, with an escape for what cannot be printed."""
    return f'"{"".join(_ESCAPES.get(letter) or _escaped(letter) for letter in text)}"'


def _escaped(letter: str) -> str:
    if letter.isprintable():
        return letter
    code = ord(letter)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def atoi_fault(text: str) -> str:
    """Why ``strconv.Atoi`` refuses ``text``, empty when it is a number of 64 bits."""
    if _INTEGER.fullmatch(text) is None:
        return "invalid syntax"
    return "" if -(2**63) <= int(text) < 2**63 else "value out of range"
