"""What no file of the house does, and the one place that may."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2] / "bpfimg"
FILES = sorted(HOUSE.rglob("*.py"))


def inside(path: Path) -> str:
    return str(path.relative_to(HOUSE))


@cache
def called(node: ast.AST) -> str:
    return ast.unparse(node.func) if isinstance(node, ast.Call) else ""


@cache
def house() -> dict[str, list[ast.AST]]:
    """Every file of the house with all that is in it; each is read once for all rules."""
    return {inside(path): list(ast.walk(ast.parse(path.read_text()))) for path in FILES}


def test_only_cli_prints_or_exits() -> None:
    banned = {"print", "sys.exit", "exit", "quit", "os._exit", "input", "sys.stdout.write", "sys.stderr.write"}
    # how a child that was forked for a second look ends: not its parent's process
    allowed = {("kernel/_apart.py", "os._exit")}
    found = {(name, word) for name, nodes in house().items() for node in nodes if (word := called(node)) in banned}
    assert {(name, word) for name, word in found - allowed if not name.startswith("cli/")} == set()


def test_only_cli_reads_the_environment() -> None:
    banned = {"os.environ", "os.getenv", "os.environb"}
    readers = {
        name
        for name, nodes in house().items()
        if any(isinstance(node, ast.Attribute) and ast.unparse(node) in banned for node in nodes)
    }
    assert {name for name in readers if not name.startswith("cli/")} == set()


def test_no_global_statement_and_no_broad_except() -> None:
    for name, nodes in house().items():
        for node in nodes:
            assert not isinstance(node, ast.Global), f"{name}, line {node.lineno}: global"
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else "everything"
                where = f"{name}, line {node.lineno}"
                assert caught not in ("Exception", "BaseException", "everything"), f"{where}: except {caught}"


def test_nothing_reaches_a_shell() -> None:
    banned = {"os.system", "os.popen", "eval", "exec", "pickle.loads", "marshal.loads"}
    for name, nodes in house().items():
        assert banned.isdisjoint(map(called, nodes)), name
        words = [node.arg for node in nodes if isinstance(node, ast.keyword)]
        assert "shell" not in words, f"{name}: subprocess without a shell, always"


def test_dataclasses_are_frozen_and_slotted() -> None:
    for name, nodes in house().items():
        for node in nodes:
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
    for name, nodes in house().items():
        if name.startswith(("load/", "run/")):
            continue
        for node in nodes:
            assert not called(node).endswith(".writer"), f"{name}: opens a writer"


def test_a_proof_comes_from_two_places_alone() -> None:
    """ADR 0004 and 0035: from `verify`, and from the policy's word for local files; each has one way to the kernel."""
    makers = {"proved": {"sign/_verify.py", "sign/_local.py"}, "VerifiedImage": {"sign/_verified.py"}}
    users = {"sign.local_file": {"run/_local.py"}, "run.local_file": {"cli/_local.py"}}
    found: dict[str, set[str]] = {name: set() for name in (*makers, *users)}
    for name, nodes in house().items():
        for node in nodes:
            if called(node) in found:
                found[called(node)].add(name)
    assert found == {**makers, **users}
