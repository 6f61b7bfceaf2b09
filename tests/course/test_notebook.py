from __future__ import annotations

import pytest

from labs.course.notebook import is_interactive, progress


def test_a_wait_shows_nothing_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(600) as advanced:
        advanced(300)
        advanced(300)
    assert capsys.readouterr() == ("", "")


def test_a_named_session_alone_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "03_kill.ipynb")
    assert not is_interactive()
