"""JSON in Go's words."""

import pytest

from labs.api.gojson import decode, is_identical, printed


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
    ],
)
def test_broken_json_is_refused_in_the_decoders_words(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="^" + message.replace("[", r"\[") + "$"):
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


def test_numbers_of_different_kinds_are_not_identical() -> None:
    assert is_identical({"a": [1, "x"]}, {"a": [1, "x"]})
    assert not is_identical(1, 1.0)
    assert not is_identical(1, True)
