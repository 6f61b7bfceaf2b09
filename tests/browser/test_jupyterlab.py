"""The labs as a learner runs them: JupyterLab, its menu, its terminal, its kernels' ends."""

from __future__ import annotations

import time
from collections.abc import Callable

import nbformat
import psutil
import pytest
from playwright.sync_api import Page, expect

from conftest import PICTURES, TIMEOUT_MS, Jupyter

MEMORY_MAX_BYTES = 1_000_000_000
IDLE = ".jp-Notebook-ExecutionIndicator[data-status='idle']"
BUSY = ".jp-Notebook-ExecutionIndicator[data-status='busy']"
OUTPUT = ".jp-OutputArea-output"
ERROR = f"{OUTPUT}[data-mime-type='application/vnd.jupyter.stderr']"
"""How JupyterLab shows a failed cell, and text on standard error."""


def open_notebook(page: Page, jupyter: Jupyter, name: str) -> None:
    page.goto(jupyter.url(name))
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    await_kernel(page)


def await_kernel(page: Page) -> None:
    # The kernel's state stands in the status bar once it runs.
    page.wait_for_selector("#jp-main-statusbar :text('| Idle')")
    page.wait_for_selector(IDLE)


def choose(page: Page, menu: str, *entries: str) -> None:
    page.click(f".lm-MenuBar-itemLabel:text-is('{menu}')")
    for entry in entries:
        page.click(f".lm-Menu-itemLabel:text-is('{entry}')")


def restart(page: Page, entry: str) -> None:
    choose(page, "Kernel", entry)
    page.click(".jp-Dialog button:has-text('Restart')")


def wait_until(condition: Callable[[], bool], page: Page) -> None:
    ends = time.monotonic() + TIMEOUT_MS / 1000
    while not condition():
        assert time.monotonic() < ends
        page.wait_for_timeout(200)


def has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("name", ["00_welcome", "03_kill_half_the_pods"])
def test_a_lab_runs_from_the_menu(page: Page, jupyter: Jupyter, name: str) -> None:
    before = len(jupyter.lab_servers())
    open_notebook(page, jupyter, f"{name}.ipynb")
    page.screenshot(path=PICTURES / f"{name}-opened.png")
    page.click(".jp-Notebook .jp-Cell >> nth=0")
    choose(page, "Run", "Run All Cells")
    page.wait_for_selector(BUSY)
    page.wait_for_selector(IDLE)
    assert page.locator(ERROR).count() == 0
    assert jupyter.memory_bytes() < MEMORY_MAX_BYTES
    page.locator(f"{OUTPUT} img").last.scroll_into_view_if_needed()
    page.screenshot(path=PICTURES / f"{name}-executed.png")
    wait_until(lambda: len(jupyter.lab_servers()) == before, page)


CONNECTED = "import labs\nlab = labs.connect()\nlab.live_view()\nprint('connected', lab.now())"


def new_notebook(page: Page, jupyter: Jupyter, name: str, *sources: str) -> None:
    """A notebook of these cells, which are run."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    nbformat.write(notebook, jupyter.folder / name)
    open_notebook(page, jupyter, name)
    choose(page, "Run", "Run All Cells")


def test_a_link_leads_to_the_live_view_of_this_lab(page: Page, jupyter: Jupyter) -> None:
    new_notebook(page, jupyter, "link.ipynb", CONNECTED)
    expect(page.locator(OUTPUT).last).to_contain_text("connected")
    with page.expect_popup() as opened:
        page.click(f"{OUTPUT} a")
    expect(opened.value.locator(".node")).to_have_count(2)


def test_a_terminal_has_kubectl_and_aws_for_the_lab(page: Page, jupyter: Jupyter) -> None:
    new_notebook(page, jupyter, "terminal.ipynb", CONNECTED)
    expect(page.locator(OUTPUT).last).to_contain_text("connected")
    printed = jupyter.folder / "printed.txt"
    choose(page, "File", "New", "Terminal")
    page.wait_for_selector(".xterm-screen")
    page.locator(".jp-Terminal").click()
    page.keyboard.type(f"(kubectl get nodes -o name; aws cloudwatch list-metrics | head -c 40) | tee {printed}\n")
    wait_until(lambda: printed.exists() and "Metrics" in printed.read_text(), page)
    assert printed.read_text().count("node/") == 2
    page.screenshot(path=PICTURES / "terminal.png")


def test_a_restart_leaves_no_server_and_can_run_all_cells_again(page: Page, jupyter: Jupyter) -> None:
    before = jupyter.lab_servers()

    def server_other_than(*ended: psutil.Process) -> psutil.Process:
        wait_until(lambda: len({*jupyter.lab_servers()}.difference(before, ended)) == 1, page)
        expect(page.locator(OUTPUT).last).to_contain_text("9, 1,")
        (server,) = {*jupyter.lab_servers()}.difference(before)
        return server

    new_notebook(page, jupyter, "restarted.ipynb", CONNECTED, "lab.wait('1 min')")
    first = server_other_than()
    restart(page, "Restart Kernel and Run All Cells…")
    second = server_other_than(first)
    restart(page, "Restart Kernel…")
    wait_until(lambda: jupyter.lab_servers() == before, page)
    await_kernel(page)
    assert has_ended(first)
    assert has_ended(second)

    # What ran before the restart is forgotten; the cell says so.
    page.click(".jp-Notebook .jp-Cell >> nth=1")
    choose(page, "Run", "Run Selected Cell and Do not Advance")
    expect(page.locator(ERROR)).to_contain_text("Run the cells above this one first")
    page.screenshot(path=PICTURES / "out_of_order.png")


def test_an_interrupt_leaves_the_cluster_alone(page: Page, jupyter: Jupyter) -> None:
    before = len(jupyter.lab_servers())
    new_notebook(page, jupyter, "interrupted.ipynb", CONNECTED, "lab.wait('300 h')")
    expect(page.locator(OUTPUT).last).to_contain_text("waiting (virtual time)")
    choose(page, "Kernel", "Interrupt Kernel")
    expect(page.locator(ERROR).last).to_contain_text("You stopped this cell; the cluster still runs")
    assert len(jupyter.lab_servers()) == before + 1


def test_two_notebooks_at_once_have_two_clusters(page: Page, jupyter: Jupyter) -> None:
    before = len(jupyter.lab_servers())
    for number, name in enumerate(("one.ipynb", "two.ipynb"), start=1):
        new_notebook(page, jupyter, name, CONNECTED, f"lab.wait('{number} min')")
        expect(page.locator(OUTPUT).last).to_contain_text(f"9, {number},")
    assert len(jupyter.lab_servers()) == before + 2
