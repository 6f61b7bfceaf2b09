"""The labs as a learner runs them: JupyterLab, its menu, its terminal, its kernels' ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from conftest import PICTURES, Jupyter

RUN_TIMEOUT_MS = 240_000
MEMORY_MAX_BYTES = 1_000_000_000
IDLE = ".jp-Notebook-ExecutionIndicator[data-status='idle']"
BUSY = ".jp-Notebook-ExecutionIndicator[data-status='busy']"


def open_notebook(page: Page, jupyter: Jupyter, name: str) -> None:
    page.goto(jupyter.url(name))
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    # The kernel's name stands in the status bar once it runs.
    page.wait_for_selector("#jp-main-statusbar :text('| Idle')", timeout=60_000)
    page.wait_for_selector(IDLE)


def choose(page: Page, menu: str, *entries: str) -> None:
    page.click(f".lm-MenuBar-itemLabel:text-is('{menu}')")
    for entry in entries:
        page.click(f".lm-Menu-itemLabel:text-is('{entry}')")


def run_all(page: Page) -> None:
    page.click(".jp-Notebook .jp-Cell >> nth=0")
    choose(page, "Run", "Run All Cells")
    page.wait_for_selector(BUSY, timeout=60_000)
    page.wait_for_selector(IDLE, timeout=RUN_TIMEOUT_MS)


def wait_until(condition: Callable[[], bool], page: Page, seconds: int = 30) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        page.wait_for_timeout(200)


@pytest.mark.parametrize("name", ["00_welcome", "03_kill_half_the_pods"])
def test_a_lab_runs_from_the_menu(page: Page, jupyter: Jupyter, name: str) -> None:
    open_notebook(page, jupyter, f"{name}.ipynb")
    page.screenshot(path=PICTURES / f"{name}-opened.png")
    run_all(page)
    assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']").count() == 0
    assert jupyter.memory_bytes() < MEMORY_MAX_BYTES
    page.locator(".jp-OutputArea-output img").last.scroll_into_view_if_needed()
    page.screenshot(path=PICTURES / f"{name}-executed.png")
    wait_until(lambda: not jupyter.lab_servers(), page)


CONNECTED = "import labs\nlab = labs.connect()\nlab.live_view()\nprint('connected', lab.now())"


def new_notebook(page: Page, jupyter: Jupyter, name: str, source: str) -> None:
    """A notebook with one cell, which is run."""
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(notebook, jupyter.folder / name)
    open_notebook(page, jupyter, name)
    choose(page, "Run", "Run All Cells")


def test_a_terminal_and_a_link_reach_the_lab_and_a_restart_leaves_no_server(page: Page, jupyter: Jupyter) -> None:
    new_notebook(page, jupyter, "mine.ipynb", CONNECTED)
    expect(page.locator(".jp-OutputArea-output").last).to_contain_text("connected", timeout=60_000)
    (server,) = jupyter.lab_servers()
    link = page.locator(".jp-OutputArea-output a").get_attribute("href")
    assert link is not None
    seen = page.context.new_page()
    seen.goto(link)
    expect(seen.locator(".node")).to_have_count(2)
    seen.close()

    printed = jupyter.folder / "printed.txt"
    choose(page, "File", "New", "Terminal")
    page.wait_for_selector(".xterm-rows, .xterm-screen canvas", state="attached")
    page.wait_for_timeout(2_000)  # the shell's own start
    page.locator(".jp-Terminal").click()
    page.keyboard.type(f"(kubectl get nodes -o name; aws cloudwatch list-metrics | head -c 40) > {printed}; exit\n")
    wait_until(lambda: printed.exists() and "Metrics" in printed.read_text(), page, seconds=60)
    assert printed.read_text().count("node/") == 2

    page.click("#jp-main-dock-panel .lm-TabBar-tabLabel:text-is('mine.ipynb')")
    choose(page, "Kernel", "Restart Kernel…")
    page.click(".jp-Dialog button:has-text('Restart')")
    wait_until(lambda: not server.is_running() or server.status() == "zombie", page)
    assert jupyter.lab_servers() == []


def test_an_interrupt_leaves_the_cluster_alone(page: Page, jupyter: Jupyter) -> None:
    before = len(jupyter.lab_servers())
    source = f"{CONNECTED}\ntry:\n    lab.wait('300 h')\nexcept KeyboardInterrupt:\n    print('stopped', lab.now())"
    new_notebook(page, jupyter, "interrupted.ipynb", source)
    expect(page.locator(".jp-OutputArea-output").last).to_contain_text("connected", timeout=60_000)
    page.wait_for_timeout(1_000)
    choose(page, "Kernel", "Interrupt Kernel")
    expect(page.locator(".jp-OutputArea").last).to_contain_text("stopped", timeout=60_000)
    assert len(jupyter.lab_servers()) == before + 1


def test_two_notebooks_at_once_have_two_clusters(page: Page, jupyter: Jupyter) -> None:
    before = len(jupyter.lab_servers())
    for name in ("one.ipynb", "two.ipynb"):
        new_notebook(page, jupyter, name, f"{CONNECTED}\n_ = lab.wait('{len(name)} min')")
        expect(page.locator(".jp-OutputArea-output").last).to_contain_text("connected", timeout=60_000)
    assert len(jupyter.lab_servers()) == before + 2


def test_pictures_were_taken() -> None:
    assert {path.name for path in Path(PICTURES).glob("*.png")} >= {"00_welcome-executed.png", "live.png"}
