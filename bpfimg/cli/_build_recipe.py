"""The words of `bpfimg build`, and what the project file says where they say nothing, as one recipe."""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from bpfimg.build import Recipe
    from bpfimg.build import project as projects

__all__ = ["Job", "add", "job"]


@value(frozen=True, slots=True)
class Job:
    """What to build and what to call it; `project` is None where the command line says it all.

    `guessed`: the names of files decided which platforms there are, no word did.
    """

    recipe: Recipe
    tags: tuple[str, ...]
    project: projects.Project | None
    guessed: bool


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words that say what is built."""
    parser.add_argument("inputs", metavar="INPUT", nargs="*", help="OBJ.o, SRC.c, FOLDER or linux/ARCH=FILE")
    parser.add_argument("-t", "--tag", metavar="REF", action="append", help="name of the image; may be repeated")
    parser.add_argument(
        "--project", metavar="FILE", help="read what to build from FILE (default bpfimg.toml, where no INPUT is given)"
    )
    parser.add_argument(
        "--platform", metavar="linux/ARCH,...", action="append", help="platforms that the image is for (default: this)"
    )
    parser.add_argument(
        "-D", dest="defines", metavar="NAME[=VALUE]", action="append", default=[], help="macro for the C source"
    )
    parser.add_argument(
        "-I", dest="includes", metavar="DIR", action="append", default=[], help="folder of headers for the C source"
    )
    parser.add_argument("--compiler", metavar="CLANG", help="the clang to use (default clang)")
    parser.add_argument("--cpu", metavar="v1|v2|v3|v4", help="instruction set (default: the compiler's)")
    parser.add_argument("--link", action="store_true", help="make one object of all inputs of a platform")
    parser.add_argument("--no-strip", action="store_true", help="leave DWARF in the object")
    parser.add_argument("--variant", metavar="image|artifact", help="form of the image (default image)")
    parser.add_argument("--label", metavar="K=V", action="append", help="label in the image's config")
    parser.add_argument("--annotation", metavar="K=V", action="append", help="annotation on manifest and index")
    parser.add_argument("--git", action="store_true", help="state the checked-out commit and its origin")


def job(arguments: argparse.Namespace) -> Job:
    """What to do; UsageError for words, or a project file, that do not say it."""
    from bpfimg.build import Recipe, slots
    from bpfimg.cli._parser import key_values, warn

    project = _project(arguments)
    words = arguments.inputs or (project.inputs if project else ())
    link = arguments.link or bool(project and project.link)
    asked = arguments.platform or (project.platforms if project else ())
    variant = arguments.variant or (project.variant if project else None) or "image"
    if variant not in ("image", "artifact"):
        raise UsageError(f"--variant is {variant!r}, expected image or artifact")
    annotations = {
        **_git(arguments, project, words),
        **(project.annotations if project else {}),
        **key_values(arguments.annotation, "--annotation"),
    }
    recipe = Recipe(
        slots=slots(words, asked=asked, link=link, warn=warn),
        defines=(*(project.defines if project else ()), *arguments.defines),
        includes=(*(project.includes if project else ()), *arguments.includes),
        compiler=arguments.compiler or (project.compiler if project else None) or "clang",
        cpu=arguments.cpu or (project.cpu if project else None),
        link=link,
        strip=not arguments.no_strip and (project.strip if project else True),
        variant=variant,
        created=_epoch(),
        labels={**(project.labels if project else {}), **key_values(arguments.label, "--label")},
        annotations=annotations,
    )
    guessed = not asked and not any(word.startswith("linux/") for word in words)
    return Job(recipe, tuple(arguments.tag or (project.tags if project else ())), project, guessed)


def _project(arguments: argparse.Namespace) -> projects.Project | None:
    if arguments.inputs:
        if arguments.project:
            raise UsageError(f"both INPUT ({arguments.inputs[0]!r}) and --project are given, expected one of them")
        return None
    from bpfimg.build import project

    path = arguments.project or project.NAME
    if not arguments.project and not os.path.exists(path):
        raise UsageError(f"no INPUT is given and there is no {path} here, expected one of them", hint=_near(path))
    return project.load(path)


def _near(path: str) -> str:
    """What there is instead of a project file: `bpfimg init` gives each of several programs one of its own."""
    stem, ending = os.path.splitext(path)
    others = sorted(name for name in os.listdir(".") if name.startswith(f"{stem}-") and name.endswith(ending))
    if others:
        return f"there is --project {others[0]}" + (f", and {len(others) - 1} more" if len(others) > 1 else "")
    return f"`bpfimg init` writes a {path} for a tree of sources; `bpfimg build --help` shows the words"


def _git(arguments: argparse.Namespace, project: projects.Project | None, words: tuple[str, ...]) -> dict[str, str]:
    if not (arguments.git or (project and project.git)):
        return {}
    from bpfimg.build import git

    if project:
        return git.stated(project.folder or ".")
    word = words[0].partition("=")[2] if words[0].startswith("linux/") else words[0]
    return git.stated(word)


def _epoch() -> int:
    text = os.environ.get("SOURCE_DATE_EPOCH") or "0"
    if not (text.isascii() and text.isdigit()) or int(text) > 0o77777777777:
        raise UsageError(f"SOURCE_DATE_EPOCH is {text!r}, expected seconds since 1970 as a whole number")
    return int(text)
