"""The rules of the house: layers, types, lint, sizes, bans, the front door."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "labs").rglob("*.py"))
CORE_ROOMS = ("sim", "api", "controlplane", "dataplane", "observability", "chaos")
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60

BANNED_CALLS = {
    "time.time": "Loop.now_ns",
    "time.monotonic": "Loop.now_ns",
    "time.sleep": "Loop.after",
    "datetime.now": "Loop.now_ns",
    "datetime.utcnow": "Loop.now_ns",
    "datetime.today": "Loop.now_ns",
    "uuid.uuid4": "Streams.uuid",
    "uuid.uuid1": "Streams.uuid",
    "uuid4": "Streams.uuid",
    "random.random": "Streams.python",
    "random.choice": "Streams.python",
    "random.shuffle": "Streams.python",
    "random.randint": "Streams.python",
    "random.seed": "Streams.python",
    "np.random.default_rng": "Streams.numpy",
    "np.random.seed": "Streams.numpy",
    "hash": "hashlib",
    "id": "a counter",
}
BANNED_IMPORTS = {"threading", "socket", "subprocess", "asyncio", "multiprocessing", "secrets", "time"}


def run(*command: str) -> None:
    finished = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def core_modules() -> list[Path]:
    return [path for path in MODULES if path.relative_to(ROOT / "labs").parts[0] in CORE_ROOMS]


def test_types_are_strict() -> None:
    run("mypy", "labs")


def test_lint_is_clean() -> None:
    run("ruff", "check", ".")


def test_imports_go_one_way() -> None:
    finished = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_functions_are_small_and_explained(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert source.count("\n") <= MODULE_LINES_MAX
    tree = tree_of(path)
    assert ast.get_docstring(tree), "a module says what it is for"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < FUNCTION_LINES_MAX, node.name


@pytest.mark.parametrize("path", core_modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_core_knows_no_wall_clock_and_no_chance_but_the_seed(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            short = ".".join(name.split(".")[-2:])
            assert name not in BANNED_CALLS, f"line {node.lineno}: {name}; use {BANNED_CALLS.get(name)}"
            assert short not in BANNED_CALLS, f"line {node.lineno}: {name}; use {BANNED_CALLS.get(short)}"
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module.split(".")[0]]
        assert not BANNED_IMPORTS & set(names), f"line {node.lineno}: {names}"


@pytest.mark.parametrize("path", core_modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_core_never_iterates_over_a_set(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.For | ast.comprehension):
            looped = node.iter
            is_set = isinstance(looped, ast.Set | ast.SetComp) or (
                isinstance(looped, ast.Call) and ast.unparse(looped.func) in ("set", "frozenset")
            )
            assert not is_set, ast.unparse(looped)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_promised_or_swallowed(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert not re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", source)
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}: a bare except"
            assert not all(isinstance(line, ast.Pass) for line in node.body), f"line {node.lineno}: except ... pass"


def test_the_folder_of_manifests_does_not_hide_the_official_client() -> None:
    assert not list((ROOT / "kubernetes").rglob("*.py"))
    code = "import kubernetes.client as client; print(client.CoreV1Api.__module__)"
    finished = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert finished.stdout.startswith("kubernetes.client")


def test_no_tracked_file_names_a_machine_or_is_large() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        path = ROOT / name
        if path.is_file():
            assert path.stat().st_size < 1_000_000, name
            assert b"/work/" + b"main" not in path.read_bytes(), name
