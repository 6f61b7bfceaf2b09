"""JSON in Go's words."""

import pytest

from labs.api.gojson import decode, encoded, is_identical, printed
from labs.api.gotext import quoted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": [1', "unexpected end of JSON input"),
        ('"open', "unexpected end of JSON input"),
        ("", "unexpected end of JSON input"),
        ("x", "invalid character 'x' looking for beginning of value"),
        ("{a: 1}", "invalid character 'a' looking for beginning of object key string"),
        ("[1 2]", "invalid character '2' after array element"),
        ("1 2", "invalid character '2' after top-level value"),
        ("NaN", "invalid character 'N' looking for beginning of value"),
        ("1e", "invalid character ' ' in exponent of numeric literal"),
        ("1.x", "invalid character 'x' after decimal point in numeric literal"),
        ("[-]", "invalid character ']' in numeric literal"),
        ("[trux]", "invalid character 'x' in literal true (expecting 'e')"),
        ('["\\x"]', "invalid character 'x' in string escape code"),
        ('["\n"]', r"invalid character '\\n' in string literal"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":1 2}', "invalid character '2' after object key:value pair"),
        ("é", "invalid character 'Ã' looking for beginning of value"),
    ],
)
def test_broken_json_is_refused_in_the_decoders_words(text: str, message: str) -> None:
    with pytest.raises(
        ValueError, match="^" + message.replace("[", r"\[").replace("(", r"\(").replace(")", r"\)") + "$"
    ):
        decode(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": [1, "x", None], "a": True}, "map[a:true b:[1 x <nil>]]"),
        (1.0, "1"),
        (0.25, "0.25"),
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (1e-5, "1e-05"),
    ],
)
def test_values_print_as_fmt_prints_them(value: object, text: str) -> None:
    assert printed(value) == text


@pytest.mark.parametrize(
    ("text", "quote"),
    [('a"b\\', r'"a\"b\\"'), ("é\u00a0", r'"é\u00a0"'), ("\x07\x7f\n", r'"\a\x7f\n"'), ("\U000e0001", r'"\U000e0001"')],
)
def test_texts_are_quoted_as_strconv_quotes_them(text: str, quote: str) -> None:
    assert quoted(text) == quote


def test_values_are_encoded_safe_for_html() -> None:
    assert encoded(["<é&>", {"a": None}]) == r'["\u003cé\u0026\u003e",{"a":null}]'


def test_numbers_of_different_kinds_are_not_identical() -> None:
    assert is_identical({"a": [1, "x"]}, {"a": [1, "x"]})
    assert not is_identical(1, 1.0)
    assert not is_identical(1, True)
