"""`bpfimg init`: looks at a source tree and writes what `bpfimg build` and a pipeline need to know of it."""

from __future__ import annotations

import os

from bpfimg.errors import Error, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

    from bpfimg.cli._init_place import Place
    from bpfimg.cli._options import Options
    from bpfimg.inspect import tree as trees

EPILOG = """\
Finds C sources, bpf2go's lines and objects (cilium/ebpf), what make, CMake or meson make for libbpf's skeletons, and
the crates of Aya. Writes bpfimg.toml, which tells `bpfimg build` what to build, and a pipeline: build, lint, compare,
check, sign, push, verify. A tree with several programs gets a file bpfimg-NAME.toml for each.

Objects that are in the tree are used. What has to be made first (`go generate`, `cargo build`, `make`) is a step of the
pipeline. Nothing of the tree is run here, and no file is overwritten without --force. -q prints the paths only.

examples:
  bpfimg init --dry-run
  bpfimg init
  bpfimg init --ci gitlab --image registry.example/team/probe
  bpfimg init --print pipeline.sh"""

_MOST = 32  # programs of one tree
_KNOWN = (
    "known are C with SEC(...), go:generate lines with bpf2go, NAME.bpf.c with make, CMake or meson, "
    "and crates with aya-ebpf"
)


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("folder", metavar="DIR", nargs="?", default=".", help="the source tree (default: this folder)")
    parser.add_argument("--ci", metavar="github|gitlab|shell", help="which pipeline (default: by the tree)")
    parser.add_argument("--image", metavar="NAME", help="name of the image without tag (default: the remote's)")
    parser.add_argument("--dry-run", action="store_true", help="write nothing: print what would change")
    parser.add_argument("--force", action="store_true", help="overwrite files that are there")
    parser.add_argument(
        "--print", metavar="pipeline.sh|github.yml|gitlab.yml|pre-commit.yaml", help="print that recipe, write nothing"
    )


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Looks, says what it found, and writes all files or none."""
    if arguments.print is not None:
        return _print(arguments.print)
    from bpfimg.cli import _init_files, _init_place, _init_walk, _init_write
    from bpfimg.inspect import tree as trees
    from bpfimg.oci import Platform

    top = arguments.folder
    files = _init_walk.files(top)
    found = trees.look(files, str(Platform.host()))
    if not found.programs:
        hint = "; ".join((*found.notes, _KNOWN))
        raise Error(f"no eBPF program was found in {quoted(top)}, expected sources or objects", hint=hint)
    if len(found.programs) > _MOST:
        message = f"{len(found.programs)} programs were found in {quoted(top)}, expected at most {_MOST}"
        raise UsageError(message, hint="give the folder of those that belong together: bpfimg init DIR")
    place = _init_place.place(top, [file.path for file in files], ci=arguments.ci, image=arguments.image)
    written = _init_files.files(found, place)
    states = _init_write.states(top, written, force=arguments.force or arguments.dry_run)
    if not arguments.dry_run:
        _init_write.write(top, {path: written[path] for path, state in states.items() if state != "unchanged"})
    _say(options, found, place, top)
    if options.json:
        from bpfimg.cli._render import json_text

        print(json_text(_document(found, place, states, dry=arguments.dry_run)))
    elif arguments.dry_run and not options.quiet:
        _preview(top, written)
    else:
        _list(top, states)
    return 0


def _print(name: str) -> int:
    from bpfimg.cli import _recipes

    if name not in _recipes.NAMES:
        raise UsageError(f"--print is {quoted(name)}, expected one of {', '.join(_recipes.NAMES)}")
    print(_recipes.text(name), end="")
    return 0


def _say(options: Options, found: trees.Tree, place: Place, top: str) -> None:
    """What was found, and what is left to do."""
    from bpfimg.cli._init_files import project_file
    from bpfimg.cli._parser import tell, warn

    for each in found.programs:
        tell(options, f"{each.name}: {each.found}")
        for command in each.commands:
            tell(options, f"{each.name}: before the build: {command}")
    for note in (*found.notes, *(note for each in found.programs for note in each.notes)):
        tell(options, note)
    if not place.known:
        warn(f"no remote at GitHub or GitLab tells where images go: {place.image} is a placeholder, give --image NAME")
    if place.ci == "gitlab" and place.included:
        tell(options, "add to .gitlab-ci.yml: `include: .gitlab/bpfimg.yml`")
    if len(found.programs) > 1:
        first = project_file(found, found.programs[0])
        tell(options, f"`bpfimg build --project {first}` builds the first of {len(found.programs)}")
    else:
        tell(options, _next(found.programs[0], place, top))


def _next(program: trees.Program, place: Place, top: str) -> str:
    """What to type now."""
    words = ["`bpfimg build` builds it"]
    if place.ci == "shell":
        words.append("`sh ci/bpfimg.sh` does what a pipeline does")
    then = "then " if program.commands else ""
    inside = "" if top == "." else f"in {top}: "
    return f"{inside}{then}{', '.join(words)}"


def _preview(top: str, written: Mapping[str, tuple[str, int]]) -> None:
    from bpfimg.cli._init_write import difference
    from bpfimg.cli._render import clean

    for path, (text, _) in written.items():
        print(clean(difference(top, path, text), keep_lines=True), end="")


def _list(top: str, paths: Iterable[str]) -> None:
    from bpfimg.cli._render import clean

    for path in paths:
        print(clean(os.path.normpath(os.path.join(top, path))))


def _document(found: trees.Tree, place: Place, states: Mapping[str, str], *, dry: bool) -> dict[str, object]:
    from bpfimg.cli._init_files import project_file

    return {
        "ci": place.ci,
        "image": place.image,
        "programs": [
            {
                "id": each.name,
                "kind": each.kind,
                "project": project_file(found, each),
                "inputs": list(each.inputs),
                "platforms": list(each.platforms),
                "commands": list(each.commands),
                "found": each.found,
                "notes": list(each.notes),
            }
            for each in found.programs
        ],
        "files": [
            {"id": path, "state": state, "written": not dry and state != "unchanged"} for path, state in states.items()
        ],
        "notes": list(found.notes),
    }
