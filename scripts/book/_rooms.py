"""A page for each room of the package: its door's docstring, and every name of its `__all__` by autodoc."""

from __future__ import annotations

import importlib
import inspect
import re
from itertools import groupby
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: from the ground up, as the package's docstring has them
ROOMS = (
    "errors",
    "btf",
    "bytecode",
    "guest",
    "oci",
    "kernel",
    "image",
    "build",
    "sign",
    "load",
    "dispatcher",
    "inspect",
    "run",
)


def room_pages() -> dict[str, str]:
    """reStructuredText by path in the book, for autodoc's sake."""
    pages = {f"docs/api/{room}.rst": "\n".join(_page(room)) for room in ROOMS}
    return pages | {"docs/api/index.rst": "\n".join(_index())}


def _index() -> Iterator[str]:
    yield from _title("The rooms", "=")
    yield "What can be imported, from the ground up. :doc:`The page on Python </docs/python>` has programs that use it."
    yield "Names are not a contract before version 1.0; :doc:`/docs/architecture` says who may import whom."
    yield "All names: :ref:`genindex`; all modules: :ref:`modindex`."
    yield "\n.. toctree::\n   :maxdepth: 1\n"
    for room in ROOMS:
        yield f"   {room}"
    yield ""


def _page(room: str) -> Iterator[str]:
    yield from _title(f"bpfimg.{room}", "=")
    yield f".. automodule:: bpfimg.{room}\n   :no-members:\n"
    told: dict[int, str] = {}
    for part, module in _parts(room):
        if part:
            yield from _title(f"{room}.{part}", "-")
            yield from restructured(inspect.getdoc(module) or "")
        for name in _names(module):
            each, path = getattr(module, name), f"{part}.{name}".lstrip(".")
            if id(each) in told and inspect.isclass(each):
                yield f"``{path}`` is `{told[id(each)]}`.\n"
            elif not isinstance(each, ModuleType):
                yield from _entry(room, path, each)
                told[id(each)] = f"`{path}`"


def _parts(room: str) -> Iterator[tuple[str, ModuleType]]:
    """The door itself, and the modules that it offers."""
    door = importlib.import_module(f"bpfimg.{room}")
    yield "", door
    yield from ((name, getattr(door, name)) for name in _names(door) if isinstance(getattr(door, name), ModuleType))


def documented() -> set[str]:
    """The full names of what these pages tell of."""
    return {
        ".".join(filter(None, ("bpfimg", room, part, name)))
        for room in ROOMS
        for part, module in _parts(room)
        for name in _names(module)
    }


def _names(module: ModuleType) -> list[str]:
    """What the door offers: `__all__`, or what is defined there and has no underscore."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, each in vars(module).items()
        if not name.startswith("_") and getattr(each, "__module__", None) == module.__name__
    ]


def _entry(room: str, path: str, each: object) -> Iterator[str]:
    if inspect.isclass(each):
        yield f".. autoclass:: bpfimg.{room}::{path}\n   :members:\n"
    elif inspect.isroutine(each):
        yield f".. autofunction:: bpfimg.{room}::{path}\n"
    else:
        yield f".. py:data:: {path}\n   :module: bpfimg.{room}\n"


def _title(text: str, line: str) -> tuple[str, str, str]:
    return text, line * len(text), ""


def restructured(docstring: str) -> Iterator[str]:
    """A docstring as reStructuredText: they are written as plain text, with code between single backticks."""
    for block in re.split(r"\n[ ]*\n", docstring.strip("\n")):
        for kind, lines in _runs([line for line in block.splitlines() if line != "::"]):
            if kind == "kept":
                yield from ("::", "")
                yield from (f"   {line}" for line in lines)
            else:
                yield from (_inline(" ".join(item.split()), item[:2] if kind == "list" else "") for item in lines)
            yield ""


def _runs(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Paragraphs, the items of lists, and lines that stay as they are because they are set in or drawn."""
    if any(line.lstrip().startswith("|") for line in lines):
        yield "kept", lines
        return
    for kind, run in groupby(_joined(lines), key=lambda each: each[0]):
        some = [line for _, line in run]
        yield kind, [" ".join(some)] if kind == "text" else some


def _joined(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Each line with what it is; what goes on below the item of a list belongs to it."""
    item = ""
    for line in lines:
        if item and line.startswith(" "):
            item += f" {line.strip()}"
            continue
        if item:
            yield "list", item
        item = line if re.match(r"[*-] ", line) else ""
        if not item:
            yield "kept" if line.startswith(" ") else "text", line
    if item:
        yield "list", item


def _inline(text: str, mark: str) -> str:
    pieces = re.split(r"(`[^`]+`)", re.sub(r"::$", ":", text.removeprefix(mark)))
    said = (f"`{each}`\\ " if number % 2 else _plain(each) for number, each in enumerate(pieces))
    return mark + "".join(said).replace("\\  ", " ")


def _plain(text: str) -> str:
    """Without markup; FILE:LINE is no address with a scheme."""
    return re.sub(r"(?<=\w):(?=[^\s/])", r"\:", re.sub(r"([\\*_|`])", r"\\\1", text))
