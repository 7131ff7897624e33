"""Each outside world has one entrance: the files that may import what leads there; import-linter knows rooms alone."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUSE = Path(__file__).resolve().parents[2] / "bpfimg"

#: module -> folders and files below bpfimg that import it when they run; what only type checkers see is no entrance
ENTRANCES = {
    "ctypes": ("kernel/", "guest/_inside.py"),  # the latter only runs in a guest
    "docker": ("oci/_engines/_engine.py",),
    "getpass": ("cli/",),
    "http": ("oci/_http/",),
    "oras": (),  # the caller brings one: bpfimg.oci.places.Oras never imports it
    "grp": ("cli/_pin_access.py",),
    "pwd": ("cli/_pin_access.py", "oci/_login/_login_hint.py"),
    "requests": ("oci/_engines/_engine.py", "oci/_http/_oras.py"),
    "_socket": ("kernel/",),
    "socket": (),  # its C half does, and costs 2 ms less
    "ssl": ("oci/_http/_tls.py",),
    "subprocess": (
        "build/_clang.py",
        "guest/_apt.py",
        "guest/_machine.py",
        "guest/_userland.py",
        "oci/_login/_credential_program.py",
    ),
    "urllib3": ("oci/_http/",),
}
#: what imports a module by a name that is no word in the source
#: each from a table of its own file
BY_NAME = {
    "__import__": {"_door.py", "cli/_hooks.py", "cli/_main.py", "load/_attach.py", "load/_hooks/_words.py"},
    "import_module": {"_zstd.py"},
}


def running(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that only type checkers see."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node
            yield from running(node)


def imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name.partition(".")[0] for alias in node.names}
    return {str(node.module).partition(".")[0]} if isinstance(node, ast.ImportFrom) else set()


def importers() -> Iterator[tuple[str, str]]:
    """Yields what is imported, and by which file."""
    for path in sorted(HOUSE.rglob("*.py")):
        name = str(path.relative_to(HOUSE))
        for node in running(ast.parse(path.read_text())):
            for module in imported(node):
                yield module, name


FOUND = sorted(set(importers()))


@pytest.mark.parametrize("module", ENTRANCES)
def test_a_world_is_entered_in_its_place_alone(module: str) -> None:
    files = [file for found, file in FOUND if found == module]
    assert [file for file in files if not file.startswith(ENTRANCES[module])] == []
    assert [place for place in ENTRANCES[module] if not any(map(str.startswith, files, [place] * len(files)))] == []


def test_nothing_else_is_imported_by_a_made_up_name() -> None:
    found: dict[str, set[str]] = {name: set() for name in BY_NAME}
    for path in HOUSE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            word = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
            if word in found:
                found[word].add(str(path.relative_to(HOUSE)))
    assert found == BY_NAME
