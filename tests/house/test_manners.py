"""What no file of the house does, and the one place that may."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[2] / "bpfimg"
FILES = sorted(HOUSE.rglob("*.py"))


def inside(path: Path) -> str:
    return str(path.relative_to(HOUSE))


def called(node: ast.AST) -> str:
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


@pytest.fixture(params=FILES, ids=inside)
def file(request: pytest.FixtureRequest) -> tuple[str, ast.Module]:
    path: Path = request.param
    return inside(path), ast.parse(path.read_text())


def test_only_cli_prints_or_exits(file: tuple[str, ast.Module]) -> None:
    name, tree = file
    if name.startswith("cli/"):
        return
    banned = {"print", "sys.exit", "exit", "quit", "os._exit", "input", "sys.stdout.write", "sys.stderr.write"}
    if name == "kernel/_apart.py":
        banned -= {"os._exit"}  # how a child that was forked for a second look ends: not its parent's process
    assert [called(node) for node in ast.walk(tree) if called(node) in banned] == []


def test_only_cli_reads_the_environment(file: tuple[str, ast.Module]) -> None:
    name, tree = file
    if name.startswith("cli/"):
        return
    words = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    assert [word for word in words if word in ("os.environ", "os.getenv", "os.environb")] == []


def test_no_global_statement_and_no_broad_except(file: tuple[str, ast.Module]) -> None:
    _, tree = file
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Global), f"line {node.lineno}: global"
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            assert caught not in ("Exception", "BaseException", "everything"), f"line {node.lineno}: except {caught}"


def test_nothing_reaches_a_shell(file: tuple[str, ast.Module]) -> None:
    _, tree = file
    for node in ast.walk(tree):
        assert called(node) not in ("os.system", "os.popen", "eval", "exec", "pickle.loads", "marshal.loads")
        if isinstance(node, ast.keyword):
            assert node.arg != "shell", "subprocess without a shell, always"


def test_dataclasses_are_frozen_and_slotted(file: tuple[str, ast.Module]) -> None:
    name, tree = file
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        for decorator in node.decorator_list:
            words = ast.unparse(decorator)
            if words.split("(")[0].split(".")[-1] == "dataclass":
                assert "frozen=True" in words, f"{name}: {node.name}"
                assert "slots=True" in words, f"{name}: {node.name}"


def test_modules_stay_small() -> None:
    long = {inside(path): lines for path in FILES if (lines := path.read_text().count("\n")) > 400}
    assert long == {}


def test_only_run_hands_bytes_to_the_loader() -> None:
    """ADR 0004: `run` asks for the VerifiedImage; nobody goes round it to the load room's writer."""
    for path in FILES:
        name = inside(path)
        if name.startswith(("load/", "run/")):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            assert not called(node).endswith(".writer"), f"{name}: opens a writer"


def test_a_proof_comes_from_two_places_alone() -> None:
    """ADR 0004 and 0035: from `verify`, and from the policy's word for local files; each has one way to the kernel."""
    makers = {"proved": {"sign/_verify.py", "sign/_local.py"}, "VerifiedImage": {"sign/_verified.py"}}
    users = {"sign.local_file": {"run/_local.py"}, "run.local_file": {"cli/_local.py"}}
    found: dict[str, set[str]] = {name: set() for name in (*makers, *users)}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if called(node) in found:
                found[called(node)].add(inside(path))
    assert found == {**makers, **users}
