"""The link to the live view, as each kind of reader needs it."""

from __future__ import annotations

import pytest

from labs.course import live
from labs.course.live import UNSEEN, is_behind_proxy, live_url, show_link

URL = "http://127.0.0.1:4321/live/secret/"


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({}, URL),
        ({"JUPYTERHUB_SERVICE_PREFIX": "/user/ann/"}, "/user/ann/proxy/4321/live/secret/"),
        ({"JUPYTERHUB_SERVICE_PREFIX": "/"}, "/proxy/4321/live/secret/"),
        ({"CODESPACE_NAME": "shiny-disco"}, "https://shiny-disco-4321.app.github.dev/live/secret/"),
        (
            {"CODESPACE_NAME": "a", "GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN": "example.dev"},
            "https://a-4321.example.dev/live/secret/",
        ),
    ],
)
def test_the_address_leads_there_from_the_readers_browser(environment: dict[str, str], address: str) -> None:
    assert live_url(URL, environment) == address
    assert is_behind_proxy(environment) == (address != URL)


def test_an_executed_notebook_keeps_no_link(capsys: pytest.CaptureFixture[str]) -> None:
    show_link(URL, {})
    assert capsys.readouterr().out == UNSEEN + "\n"


def test_a_reader_gets_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(live, "is_interactive", lambda: True)
    monkeypatch.setattr("IPython.display.display", lambda html: shown.append(html.data))
    show_link(URL, {})
    assert len(shown) == 1
    assert f'href="{URL}"' in shown[0]
