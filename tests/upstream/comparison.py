"""What differs between two answers, and in which terms many cases share it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from golden.stage import ADDRESSES, CHANCE
from upstream.servers import CRASHED, Answer

ABSENT = "<absent>"
Difference = tuple[str, Any, Any]
"""Where, what the real server says there and what ours says."""
Cause = tuple[str, str, str]
"""Reason, field and message of one cause of a refusal."""

SHOWN_MAX = 160
_OF_ONE_RUN = frozenset((*CHANCE, *ADDRESSES, "healthCheckNodePort", "lastPhaseTransitionTime", "continue"))
_RANDOM_TEXTS = (
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"0x[0-9a-f]{6,}"), "0xADDRESS"),
    (re.compile(r"kube-api-access-\w+"), "kube-api-access-X"),
    # A scheme is called by the source file that made it, which a server built as a module takes for another.
    (re.compile(r'in scheme "[^"]+\.go:\d+"'), 'in scheme "FILE"'),
)
_AGE = re.compile(r"(\d+[smhdy]){1,2}")
_GISTS = (
    (re.compile(r'((?:Invalid|Duplicate|Unsupported) value|Not found): (?:"(?:[^"\\]|\\.)*"|\S+?)(:|$)'), r"\1: V\2"),
    (re.compile(r"^.*?cannot be handled as a \w+: "), "cannot be handled: "),
    (re.compile(r'"(?:[^"\\]|\\.)*"'), '"…"'),
    (re.compile(r"\d+"), "N"),
)
_PLACES = (
    (re.compile(r"\[[^\]]*\]"), "[]"),
    (re.compile(r"^(spec\.jobTemplate\.)?(spec\.)?template\.spec\."), "spec."),
    (re.compile(r"(initContainers|ephemeralContainers)\[\]"), "containers[]"),
)


def settled(value: Any) -> Any:
    """A value without what differs between any two runs."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key not in _OF_ONE_RUN}
        return {key: [*map(_ageless, item)] if key == "cells" else settled(item) for key, item in kept.items()}
    if isinstance(value, list):
        return [settled(item) for item in value]
    if isinstance(value, str):
        for pattern, other in _RANDOM_TEXTS:
            value = pattern.sub(other, value)
    return value


def _ageless(cell: Any) -> Any:
    return "AGE" if isinstance(cell, str) and _AGE.fullmatch(cell) else settled(cell)


def differences(real: Any, ours: Any, place: str = "") -> Iterator[Difference]:
    """Of two settled values, the smallest parts that differ; lists of unequal length differ as a whole."""
    if isinstance(real, dict) and isinstance(ours, dict):
        for key in [*real, *(key for key in ours if key not in real)]:
            yield from differences(real.get(key, ABSENT), ours.get(key, ABSENT), f"{place}.{key}".lstrip("."))
    elif isinstance(real, list) and isinstance(ours, list) and len(real) == len(ours):
        for index, (theirs, own) in enumerate(zip(real, ours, strict=True)):
            yield from differences(theirs, own, f"{place}[{index}]")
    elif real != ours or isinstance(real, bool) != isinstance(ours, bool):
        yield place, real, ours


def compare(real: Answer, ours: Answer) -> list[Difference]:
    """All that differs between two answers."""
    found = list(differences(real.code, ours.code, "code"))
    found += differences(settled(real.body), settled(ours.body), "body")
    found += differences(settled(list(real.warnings)), settled(list(ours.warnings)), "warnings")
    return found


def signatures(real: Answer, ours: Answer) -> list[str]:
    """What differs, a text for each difference, without the case's names and values; empty where nothing differs."""
    found = compare(real, ours)
    if not found:
        return []
    if ours.code == CRASHED:
        return [f"CRASH {gist(str(ours.body))}"]
    told = list(_of_warnings(real, ours))
    if is_refusal(real) and is_refusal(ours):
        told += _of_causes(real, ours)
    elif is_refusal(real):
        told += [f"ACCEPTED wrongly: {' | '.join(cause)}" for cause in causes(real)]
    elif is_refusal(ours):
        told += [f"REFUSED wrongly: {' | '.join(cause)}" for cause in causes(ours)]
    else:
        told += [_of_value(*each) for each in found if not each[0].startswith("warnings")]
    return list(dict.fromkeys(told)) or [_of_value(*each) for each in found]


def _of_value(place: str, real: Any, ours: Any) -> str:
    field = short_field(place.removeprefix("body."))
    if field.startswith("metadata.managedFields"):
        return f"VALUE {field.partition('.fieldsV1')[0]}"
    return f"VALUE {field}: real {gist(json.dumps(real))}, ours {gist(json.dumps(ours))}"


def _of_warnings(real: Answer, ours: Answer) -> Iterator[str]:
    theirs, own = (Counter(short_field(gist(text)) for text in answer.warnings) for answer in (real, ours))
    for text in theirs - own:
        yield f"WARNING missing: {text}"
    for text in own - theirs:
        yield f"WARNING extra: {text}"


def _of_causes(real: Answer, ours: Answer) -> Iterator[str]:
    theirs, own = (Counter(causes(answer)) for answer in (real, ours))
    for cause in theirs - own:
        yield f"CAUSE missing: {' | '.join(cause)}"
    for cause in own - theirs:
        yield f"CAUSE extra: {' | '.join(cause)}"
    if theirs == own and settled(real.body) != settled(ours.body):
        is_order = causes(real) != causes(ours)
        yield f"{'ORDER' if is_order else 'TEXT'} of {gist(str(real.body.get('message')))}"


def is_refusal(answer: Answer) -> bool:
    """Whether the body is a Status of failure."""
    return isinstance(answer.body, dict) and answer.body.get("kind") == "Status" and answer.code >= 400


def causes(answer: Answer) -> list[Cause]:
    """The causes of a refusal in short; without any, its reason and message."""
    told = (answer.body.get("details") or {}).get("causes")
    if not told:
        return [(str(answer.body.get("reason")), "", gist(answer.body.get("message") or ""))]
    return [
        (str(each.get("reason")), short_field(each.get("field", "")), gist(each.get("message", ""))) for each in told
    ]


def short_field(place: str) -> str:
    """A field's place without indexes, a template's pod as a pod, and every container as one."""
    for pattern, other in _PLACES:
        place = pattern.sub(other, place)
    return place


def gist(text: str) -> str:
    """A message without its values."""
    for pattern, other in (*_RANDOM_TEXTS, *_GISTS):
        text = pattern.sub(other, text)
    return text[:SHOWN_MAX]
