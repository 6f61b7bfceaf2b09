"""The live view in a browser: seen, used with the keyboard alone, and honest when its cluster has gone."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

from playwright.sync_api import Page, expect

from conftest import PICTURES, ROOT


def test_the_page_shows_the_cluster_and_obeys_the_keyboard(page: Page, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "labs", "serve", "--directory", str(tmp_path), "--manifests", "kubernetes/shop"]
    server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        ready = json.loads(server.stdout.readline())
        data = json.dumps({"advance": "8 min"}).encode()
        urllib.request.urlopen(urllib.request.Request(ready["control"], data=data)).close()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(ready["live"])
        expect(page.locator(".node")).to_have_count(2)
        expect(page.locator("#summary")).to_contain_text("2 of 2 nodes ready")
        expect(page.locator("svg[role=img]")).to_have_count(3)
        assert all(page.locator("svg").nth(place).get_attribute("aria-label") for place in range(3))
        expect(page.locator("#now")).to_have_text("2026-03-02 09:08:00")
        for _ in range(3):
            page.keyboard.press("Tab")
        expect(page.locator("[data-advance='60s']")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#now")).to_have_text("2026-03-02 09:09:00")
        page.screenshot(path=PICTURES / "live.png", full_page=True)
        assert errors == []
    finally:
        server.stdin.close()
        server.wait()
        server.stdout.close()
    expect(page.locator("#summary")).to_contain_text("does not answer any more")
