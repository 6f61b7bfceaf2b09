"""A headless Chromium, and a JupyterLab as ``make lab`` starts it on a copy of the notebooks.

Not part of the test command: a browser is not among what pip installs. ``make browser`` runs these.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
STOP_TIMEOUT_S = 60
PICTURES = ROOT / "runs" / "browser"
TOKEN = "of-the-browser-tests"
TIMEOUT_MS = 240_000
"""For each thing that is waited for: a whole lab on a machine that is busy with others."""


def chromium() -> str:
    """The path of a Chromium; the first of those that are installed."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    raise RuntimeError("No Chromium is on the path; install one, on Debian with 'apt-get install chromium'.")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
        expect.set_options(timeout=TIMEOUT_MS)
        browser = playwright.chromium.launch(executable_path=chromium(), args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose requests must all stay on this machine."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    foreign: list[str] = []
    context.on("request", lambda request: foreign.append(request.url) if not is_local(request.url) else None)
    yield page
    page.screenshot(path=PICTURES / "last.png")  # what a test saw at its end, whether it passed or not
    context.close()
    assert foreign == []


def is_local(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("data", "blob") or parts.hostname in ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Jupyter:
    """A running JupyterLab."""

    process: psutil.Process
    port: int
    folder: Path

    def url(self, name: str) -> str:
        """Where a notebook is opened, in a fresh workspace."""
        return f"http://127.0.0.1:{self.port}/lab/tree/{name}?reset&token={TOKEN}"

    def lab_servers(self) -> list[psutil.Process]:
        """The clusters that its kernels run: they live in sessions of their own, but name their folder."""
        kernels = [child.pid for child in self.process.children(recursive=True)]
        found = []
        for process in psutil.process_iter(["cmdline", "ppid"]):
            command = process.info["cmdline"] or []
            if command[1:4] == ["-m", "labs", "serve"] and process.info["ppid"] in kernels:
                found.append(process)
        return found

    def memory_bytes(self) -> int:
        """Resident memory of JupyterLab, its kernels and their clusters together."""
        family = [self.process, *self.process.children(recursive=True)]
        return sum(process.memory_info().rss for process in family if process.is_running())


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jupyter]:
    folder = tmp_path_factory.mktemp("course")
    for notebook in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(notebook, folder)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    arguments = ["--no-browser", f"--port={port}", "--allow-root", f"--IdentityProvider.token={TOKEN}"]
    arguments += [f"--ServerApp.root_dir={folder}", "--ip=127.0.0.1"]
    environment = os.environ | {"JUPYTER_CONFIG_DIR": str(folder / ".config"), "HOME": str(folder)}
    log = (folder / "jupyter.log").open("wb")
    started = subprocess.Popen(
        [sys.executable, "-m", "labs", "lab", *arguments], cwd=ROOT, env=environment, stdout=log, stderr=log
    )
    jupyter = Jupyter(psutil.Process(started.pid), port, folder)
    try:
        _await_answer(f"http://127.0.0.1:{port}/api?token={TOKEN}")
        yield jupyter
    finally:
        servers = jupyter.lab_servers()
        family = [*jupyter.process.children(recursive=True), *servers]
        started.terminate()
        left = psutil.wait_procs([jupyter.process, *family], STOP_TIMEOUT_S)[1]
        for process in left:
            process.kill()
        started.wait()
        log.close()
        assert left == []


def _await_answer(url: str) -> None:
    ends = time.monotonic() + TIMEOUT_MS / 1000
    while True:
        try:
            with urllib.request.urlopen(url):
                return
        except urllib.error.URLError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)  # nobody tells when a port begins to answer
