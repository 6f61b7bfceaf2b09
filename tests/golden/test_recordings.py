"""Every recording against this project's answer, field by field."""

from __future__ import annotations

from golden.comparison import Case
from golden.folders import reason_of

SHOWN = 20


def test_a_recording_is_answered_as_a_real_control_plane_answered(case: Case) -> None:
    assert case.fields, "nothing was compared"
    different = [field for field in case.fields if not field.is_equal and reason_of(case, field) is None]
    listing = "\n".join(str(field) for field in different[:SHOWN])
    assert not different, f"{len(different)} of {len(case.fields)} fields differ:\n{listing}"
