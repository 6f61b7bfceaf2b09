"""Every exercise in its three states, on two seeds: right passes, blank is open, each common mistake has its hint."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

import labs
from labs.course import checks
from labs.course.exercises import exercises_of, find_exercise, lab_names
from labs.course.exercises.exercise import (
    Exercise,
    Mistake,
    Refusal,
    State,
    Values,
    cases_of,
    is_same,
    judge,
    outcome_of,
)
from labs.errors import AwsError, UsageError

EXERCISES = [exercise for lab in lab_names() for exercise in exercises_of(lab)]
SEEDS = (1, 2)
each_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)


def a_run(exercise: Exercise, seed: int) -> Values:
    """Inputs as a run with another seed would give them."""
    return exercise.others(Random(f"run {seed}"))[0]


@each_exercise
@pytest.mark.parametrize("seed", SEEDS)
def test_the_right_answer_passes(exercise: Exercise, seed: int) -> None:
    judgement = judge(exercise, exercise.reference, a_run(exercise, seed))
    assert judgement.state is State.PASSED, judgement.symptom
    assert judgement.cases >= 3


@each_exercise
@pytest.mark.parametrize("blank", [None, ..., lambda *_: None, lambda *_: ...])
def test_a_blank_answer_is_open(exercise: Exercise, blank: Any) -> None:
    judgement = judge(exercise, blank, a_run(exercise, 1))
    is_unasked_function = callable(blank) and not callable(exercise.reference)
    assert judgement.state is (State.FAILED if is_unasked_function else State.OPEN)


@each_exercise
@pytest.mark.parametrize("seed", SEEDS)
def test_each_common_mistake_fails_with_its_own_hint(exercise: Exercise, seed: int) -> None:
    run = a_run(exercise, seed)
    for mistake in exercise.mistakes:
        judgement = judge(exercise, mistake.answer, run)
        assert judgement.state is State.FAILED, mistake.name
        assert judgement.mistake is mistake, (mistake.name, judgement.mistake and judgement.mistake.name)


@each_exercise
@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_right_for_one_run_alone_does_not_pass(exercise: Exercise, seed: int) -> None:
    run = a_run(exercise, seed)
    if not callable(exercise.reference):
        # A manifest or an alarm has no numbers to type in; its outcomes have to differ from case to case.
        outcomes = [outcome_of(exercise, exercise.reference, values) for values in cases_of(exercise, run)]
        assert not all(is_same(outcomes[0], other, 0.0) for other in outcomes[1:])
        return
    typed = exercise.reference(*cases_of(exercise, run)[0].values())
    for answer in (typed, lambda *_: typed):
        judgement = judge(exercise, answer, run)
        assert judgement.state is State.FAILED, answer


@each_exercise
def test_texts_are_complete(exercise: Exercise) -> None:
    assert len(exercise.mistakes) >= 2
    assert len(exercise.hints) >= 2
    hints = [*exercise.hints, *(mistake.hint for mistake in exercise.mistakes)]
    assert len(set(hints)) == len(hints)
    for text in (exercise.means, exercise.expected, *hints):
        assert text.endswith((".", "?"))


def test_names_are_found_and_a_wrong_one_names_those_that_there_are() -> None:
    names = [exercise.name for exercise in EXERCISES]
    assert names == sorted(set(names))
    assert [find_exercise(name) for name in names] == EXERCISES
    with pytest.raises(UsageError, match=r"'03-z'; lab 03 has 03-a, 03-b"):
        find_exercise("03-z")
    with pytest.raises(UsageError, match="like 03-a"):
        find_exercise("99-a")


def doubled(number: int) -> int:
    return 2 * number


SAMPLE = Exercise(
    name="00-a",
    section="Twice",
    needs=("number",),
    others=lambda random: [{"number": random.randrange(10, 90)} for _ in range(3)],
    reference=doubled,
    expected="the number once more than it is.",
    hints=("Think.", "Add it to itself."),
    mistakes=(Mistake("squared", lambda number: number * number, "You squared it."),),
    means="Twice is twice.",
)


@pytest.fixture(autouse=True)
def _sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """``check`` knows the sample, and counts from nought."""
    monkeypatch.setattr(checks, "find_exercise", lambda name: SAMPLE)
    checks._tries.clear()


def told(capsys: pytest.CaptureFixture[str], answer: Any = ..., number: int = 3) -> str:
    labs.check("00-a", answer, number=number)
    return capsys.readouterr().out


def test_each_further_try_shows_the_next_hint_and_the_last_names_the_section(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second, third = (told(capsys, lambda number: number + 1) for _ in range(3))
    assert "(try 1)" in first
    assert "Symptom    With this run's numbers (number = 3) it gives 4." in first
    assert "Expected   the number once more than it is." in first
    assert "Hint 1/2   Think." in first
    assert "Look at" not in first
    assert "Hint 2/2   Add it to itself.\nLook at    the section “Twice” of this lab." in second
    assert third == second.replace("try 2", "try 3")


def test_a_known_mistake_has_its_hint_and_then_the_ladder(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = (told(capsys, lambda number: number**2) for _ in range(2))
    assert "Hint       You squared it." in first
    assert "Hint 1/2" not in first
    assert "Hint       You squared it.\nHint 1/2   Think." in second


def test_a_typed_in_number_is_told_from_a_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert "The answer is 6. A value is right for one run at most" in told(capsys, 6)
    assert "right with this run's numbers, but not in general" in told(capsys, lambda number: 6)


def test_an_answer_that_raises_is_told_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    def answer(number: int) -> float:
        rest = number - number
        return number / rest

    text = " ".join(told(capsys, answer).split())
    assert (
        "(number = 3) it raises ZeroDivisionError: division by zero, in line 3 of answer: return number / rest" in text
    )
    text = " ".join(told(capsys, lambda: 1).split())
    assert "cannot be called as a function of (number): TypeError" in text
    assert "Traceback" not in text


def test_an_answer_may_spoil_what_it_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    exercise_of_lists = Exercise(
        **{name: getattr(SAMPLE, name) for name in ("name", "section", "expected", "hints", "mistakes", "means")},
        needs=("numbers",),
        others=lambda random: [{"numbers": [1, 2]}, {"numbers": [5]}],
        reference=sum,
    )

    def answer(numbers: list[int]) -> int:
        total = 0
        while numbers:
            total += numbers.pop()
        return total

    given = [4, 5]
    assert judge(exercise_of_lists, answer, {"numbers": given}).state is State.PASSED
    assert given == [4, 5]


def test_the_right_answer_and_a_blank_one_are_no_tries(capsys: pytest.CaptureFixture[str]) -> None:
    assert "still open" in told(capsys)
    assert told(capsys, doubled) == "00-a holds, with this run's numbers and with 3 others.\nTwice is twice.\n"
    assert "(try 1)" in told(capsys, lambda number: 0)


def test_numbers_of_the_run_that_are_missing_are_the_authors_error() -> None:
    with pytest.raises(UsageError, match=r"The check of 00-a needs number=\.\.\."):
        labs.check("00-a", doubled, count=3)


def test_a_refusal_of_the_engine_is_the_symptom() -> None:
    def refused(answer: Any, values: Values) -> Any:
        if answer != "good":
            raise AwsError("ValidationError", "no such statistic")
        return values["number"]

    exercise = Exercise(
        **{
            name: getattr(SAMPLE, name) for name in ("name", "section", "needs", "others", "expected", "hints", "means")
        },
        reference="good",
        mistakes=(Mistake("bad", "bad", "Look the statistic up."),),
        outcome=refused,
    )
    judgement = judge(exercise, "worse", {"number": 1})
    assert (judgement.state, judgement.symptom) == (State.FAILED, "ValidationError: no such statistic")
    assert judgement.mistake is exercise.mistakes[0]
    assert judge(exercise, "good", {"number": 1}).state is State.PASSED


@pytest.mark.parametrize(
    ("one", "other", "is_equal"),
    [
        (1, 1.0, True),
        (True, 1, False),
        (float("nan"), float("nan"), True),
        ((1, 2), [1, 2], True),
        ([1], [1, 2], False),
        ({"a": 1.0}, {"a": 1.0000000001}, True),
        ({"a": 1}, {"b": 1}, False),
        ("1", 1, False),
        (Refusal("no"), Refusal("no"), True),
        (Refusal("no"), Refusal("never"), False),
    ],
)
def test_outcomes_are_compared_by_value(one: Any, other: Any, is_equal: bool) -> None:
    assert is_same(one, other, 1e-6) is is_equal
