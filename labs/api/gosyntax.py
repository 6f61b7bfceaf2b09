"""What Go's decoder says of a text that is no JSON.

Source: Go encoding/json scanner.go, whose state machine reads bytes and stops at the first that does not fit.
"""

from __future__ import annotations

from collections.abc import Callable

from labs.api.gotext import quoted

_END = "unexpected end of JSON input"
_BLANKS = " \t\r\n"
_DIGITS = "0123456789"
_LITERALS = ("true", "false", "null")


def syntax_fault(text: str) -> str:
    """The error of the decoder, which is the first one that it meets. ``text`` must not be JSON."""
    scanner = _Scanner(text.encode(errors="surrogatepass").decode("latin-1"))
    try:
        scanner.value("looking for beginning of value")
        scanner.skip_blanks()
        scanner.refuse("after top-level value")
    except _SyntaxFault as fault:
        return str(fault)
    return _END


class _SyntaxFault(Exception):
    """The end of the scan."""


class _Scanner:
    """Reads one value after another; each character stands for a byte."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def value(self, context: str) -> None:
        """Read one value of any kind."""
        self.skip_blanks()
        letter = self._letter
        literal = next((each for each in _LITERALS if letter and each.startswith(letter)), "")
        if letter == "{":
            self._collection("}", self._member, "after object key:value pair")
        elif letter == "[":
            self._collection("]", self._element, "after array element")
        elif letter == '"':
            self._string()
        elif literal:
            self._literal(literal)
        elif letter == "-" or (letter and letter in _DIGITS):
            self._number()
        else:
            self.refuse(context)

    def skip_blanks(self) -> None:
        """Go on to the next byte that is no blank."""
        while self._letter and self._letter in _BLANKS:
            self._position += 1

    def refuse(self, context: str) -> None:
        """End the scan at this byte."""
        letter = self._letter
        raise _SyntaxFault(f"invalid character {_shown(letter)} {context}" if letter else _END)

    @property
    def _letter(self) -> str:
        """The byte at hand, empty at the end."""
        return self._text[self._position : self._position + 1]

    def _expect(self, letters: str, context: str) -> None:
        if not self._letter or self._letter not in letters:
            self.refuse(context)
        self._position += 1

    def _expect_within(self, letters: str, context: str) -> None:
        """The same in the middle of a word or number, where the end of the text reads as a blank."""
        if not self._letter:
            raise _SyntaxFault(f"invalid character ' ' {context}")
        self._expect(letters, context)

    def _collection(self, end: str, read: Callable[[], None], context: str) -> None:
        self._position += 1
        self.skip_blanks()
        if self._letter == end:
            self._position += 1
            return
        while True:
            read()
            self.skip_blanks()
            if self._letter == end:
                self._position += 1
                return
            self._expect(",", context)

    def _element(self) -> None:
        self.value("looking for beginning of value")

    def _member(self) -> None:
        self.skip_blanks()
        if self._letter != '"':
            self.refuse("looking for beginning of object key string")
        self._string()
        self.skip_blanks()
        self._expect(":", "after object key")
        self.value("looking for beginning of value")

    def _literal(self, literal: str) -> None:
        for number, letter in enumerate(literal):
            self._expect_within(letter, f"in literal {literal} (expecting {_shown(letter)})" if number else "")

    def _string(self) -> None:
        self._position += 1
        while self._letter != '"':
            if not self._letter or self._letter < " ":
                self.refuse("in string literal")
            if self._letter == "\\":
                self._escape()
            else:
                self._position += 1
        self._position += 1

    def _escape(self) -> None:
        self._position += 1
        is_code = self._letter == "u"
        self._expect_within('bfnrt\\/"u', "in string escape code")
        for _ in range(4 if is_code else 0):
            self._expect_within(_DIGITS + "abcdefABCDEF", "in \\u hexadecimal character escape")

    def _number(self) -> None:
        if self._letter == "-":
            self._position += 1
        if self._letter == "0":
            self._position += 1
        else:
            self._digits("in numeric literal")
        if self._letter == ".":
            self._position += 1
            self._digits("after decimal point in numeric literal")
        if self._letter and self._letter in "eE":
            self._position += 1
            if self._letter and self._letter in "+-":
                self._position += 1
            self._digits("in exponent of numeric literal")

    def _digits(self, context: str) -> None:
        self._expect_within(_DIGITS, context)
        while self._letter and self._letter in _DIGITS:
            self._position += 1


def _shown(letter: str) -> str:
    """``quoteChar``: the byte as Go shows it, between single quotes."""
    special = {"'": "\\'", '"': '"'}
    return f"'{special.get(letter) or quoted(letter)[1:-1]}'"
