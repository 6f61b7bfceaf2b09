"""Selectors under random input."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from labs.api.selectors import parse_label_selector, selector_from_label_selector

settings.register_profile("deterministic", derandomize=True, deadline=None, database=None)
settings.load_profile("deterministic")

WORDS = st.sampled_from(["a", "b", "app", "web", "in", "notin", "x-1", "5"])
LABELS = st.dictionaries(WORDS, WORDS, max_size=4)
EXPRESSIONS = st.one_of(
    st.builds(
        lambda key, operator, values: {"key": key, "operator": operator, "values": values},
        WORDS,
        st.sampled_from(["In", "NotIn"]),
        st.lists(WORDS, min_size=1, max_size=3),
    ),
    st.builds(
        lambda key, operator: {"key": key, "operator": operator}, WORDS, st.sampled_from(["Exists", "DoesNotExist"])
    ),
)
SELECTORS = st.builds(
    lambda labels, expressions: {"matchLabels": labels, "matchExpressions": expressions},
    LABELS,
    st.lists(EXPRESSIONS, max_size=3),
)


def is_met(expression: dict[str, Any], labels: dict[str, str]) -> bool:
    found = labels.get(expression["key"])
    match expression["operator"]:
        case "In":
            return found in expression["values"]
        case "NotIn":
            return found not in expression["values"]
        case "Exists":
            return found is not None
    return found is None


@given(SELECTORS, LABELS)
def test_a_selector_matches_when_each_part_does(selector: dict[str, Any], labels: dict[str, str]) -> None:
    expected = all(labels.get(key) == wanted for key, wanted in selector["matchLabels"].items()) and all(
        is_met(expression, labels) for expression in selector["matchExpressions"]
    )

    assert selector_from_label_selector(selector).matches(labels) == expected


@given(SELECTORS, LABELS)
def test_a_selectors_text_selects_the_same(selector: dict[str, Any], labels: dict[str, str]) -> None:
    original = selector_from_label_selector(selector)

    assert parse_label_selector(str(original)).matches(labels) == original.matches(labels)


@given(st.text(alphabet="ab=!,()<> in-/", max_size=12))
def test_any_text_is_refused_or_has_a_canonical_form(text: str) -> None:
    try:
        selector = parse_label_selector(text)
    except ValueError:
        return
    assert str(parse_label_selector(str(selector))) == str(selector)
