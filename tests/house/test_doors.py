"""One door per room: names come through `bpfimg.ROOM`, files behind it stay behind it."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOUSE = ROOT / "bpfimg"
#: doors within a door, for what a caller needs less often
INNER = (
    "bytecode._executable",
    "load._hooks",
    "load._members",
    "oci._places",
    "oci._stores",
    "run._apply",
    "sign._policies_door",
    "sign._signers_door",
)
ROOMS = sorted(path.parent.name for path in HOUSE.glob("*/__init__.py"))


def modules() -> list[Path]:
    return sorted(HOUSE.rglob("*.py"))


def room_of(path: Path) -> str:
    inside = path.relative_to(HOUSE)
    return inside.parts[0] if len(inside.parts) > 1 else inside.stem


def imported(tree: ast.AST) -> list[str]:
    """Every dotted name that is imported, `from a import b` as `a.b`."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import of {node.module}: write it out"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


@pytest.mark.parametrize("room", ROOMS)
def test_every_file_behind_a_door_is_private(room: str) -> None:
    public = [path.name for path in (HOUSE / room).rglob("*.py") if not path.name.startswith("_")]
    assert public == []


def test_rooms_meet_at_their_doors() -> None:
    shared = ("_door", "_hash", "_json", "_tar", "_value", "_zstd")
    for path in modules():
        room = room_of(path)
        for name in imported(ast.parse(path.read_text())):
            parts = name.split(".")
            if parts[0] == "bpfimg" and len(parts) > 2 and parts[1] not in (room, *shared):
                assert not parts[2].startswith("_"), f"{path}: {name} reaches behind the door of {parts[1]}"


@pytest.mark.parametrize("room", [*ROOMS, *INNER])
def test_a_door_shows_few_names_and_each_can_be_had(room: str) -> None:
    module = importlib.import_module(f"bpfimg.{room}")
    assert module.__doc__, "a door says what its room is for"
    names = module.__all__
    assert list(names) == sorted(names) or sorted(map(str.lower, names)) == sorted(map(str.lower, names))
    # a closed set, one name for each kind of hook; a module for each way into the kernel
    most = {
        "load._hooks": 25,
        "kernel": 16,
        "load": 17,
        "run": 18,
        "load._members": 19,
        "inspect": 20,
        "bytecode": 16,
    }.get(room, 15)
    assert 1 <= len(names) <= most, "a dozen is the aim; more than this wants another room"
    for name in names:
        assert getattr(module, name) is not None


@pytest.mark.parametrize("room", [*ROOMS, *INNER])
def test_a_lazy_door_says_the_same_to_type_checkers(room: str) -> None:
    """`__all__` and the names imported for type checkers are one list (ADR 0008)."""
    tree = ast.parse(Path(str(importlib.import_module(f"bpfimg.{room}").__file__)).read_text())
    checked = [node for node in tree.body if isinstance(node, ast.If)]
    if not checked:
        return
    names: set[str] = set()
    for node in ast.walk(checked[0]):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("bpfimg"):
            names |= {alias.asname or alias.name for alias in node.names}
    assert names == set(importlib.import_module(f"bpfimg.{room}").__all__)
