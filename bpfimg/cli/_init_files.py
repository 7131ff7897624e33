"""The texts that `bpfimg init` writes: project files, and the pipeline of one CI system around the recipes."""

from __future__ import annotations

from bpfimg.cli._init_pipeline import pipeline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from bpfimg.cli._init_place import Place
    from bpfimg.inspect import tree as trees

__all__ = ["files", "project_file"]

_ABOUT = "# What `bpfimg build` makes of this tree. `bpfimg init` wrote it; it is yours to change."


def files(found: trees.Tree, place: Place) -> dict[str, tuple[str, int]]:
    """Path from the top -> text and mode of every file."""
    made = {project_file(found, each): (_project(each, found, place), 0o644) for each in found.programs}
    return {**made, **pipeline(found, place, list(made))}


def project_file(found: trees.Tree, program: trees.Program) -> str:
    """Where a program's project file is: bpfimg.toml when there is one program, else each has its own."""
    return "bpfimg.toml" if len(found.programs) == 1 else f"bpfimg-{program.name}.toml"


def _project(program: trees.Program, found: trees.Tree, place: Place) -> str:
    from bpfimg.cli._render import clean

    image = place.image if len(found.programs) == 1 else f"{place.image}/{program.name}"
    said = (f"{program.found}.", *(f"First: {command}" for command in program.commands))
    lines = [_ABOUT, *(f"# {clean(text)}" for text in said)]
    lines += ["schema = 1", f"tags = {_array([f'{image}:latest'])}", f"inputs = {_array(program.inputs)}"]
    if program.platforms:
        lines.append(f"platforms = {_array(program.platforms)}")
    if program.includes:
        lines += ["", "[compile]", f"includes = {_array(program.includes)}"]
    return "\n".join(lines) + "\n"


def _array(texts: Iterable[str]) -> str:
    """A TOML array: the texts hold no quote, backslash or control character (`is_plain`, the grammar of references)."""
    return "[" + ", ".join(f'"{text}"' for text in texts) + "]"
