"""`bpfimg.toml`: what a project builds, so that CI needs no long command line. It carries no command and no flags.

The shape is that of schemas/project.schema.json; `tests/unit/build/test_project.py` holds the two together. A path is
relative to the file and stays in its folder: who may change the file in a repository cannot pack what lies beside it.
"""

from __future__ import annotations

import os

from bpfimg._json import unreadable
from bpfimg._value import field, value
from bpfimg.build._inputs import platforms
from bpfimg.build._project_shape import check
from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NAME", "Project", "load"]

NAME = "bpfimg.toml"

_LIMIT = 256 * 1024  # bytes of the file


@value(frozen=True, slots=True)
class Project:
    """One project file, checked. Paths in `inputs` (words as `bpfimg build` takes them) and `includes` are usable from
    the current folder; `folder` is the file's own. `defines` are NAME or NAME=VALUE; None is "the file does not say".
    """

    folder: str
    inputs: tuple[str, ...]
    tags: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    link: bool = False
    strip: bool = True
    variant: str | None = None
    git: bool = False
    sbom: str | None = None
    provenance: bool = False
    compiler: str | None = None
    cpu: str | None = None
    includes: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)


def load(path: str) -> Project:
    """The project in the file at `path`; UsageError, naming the key, for anything that is not as the schema says."""
    import tomllib

    try:
        with open(path, "rb") as file:
            content = file.read(_LIMIT + 1)
    except OSError as error:
        raise UsageError(f"the project file {quoted(path)} cannot be read: {error.strerror}") from error
    if len(content) > _LIMIT:
        raise UsageError(f"the project file {quoted(path)} has more than {_LIMIT} bytes, expected a few lines")
    try:
        document = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        why = unreadable(error) if isinstance(error, ValueError) else "it nests too deeply"
        raise UsageError(f"the project file {quoted(path)} is no TOML: {why}") from error
    try:
        check(document)
        return _project(document, os.path.dirname(path))
    except UsageError as error:
        raise UsageError(f"{quoted(path)}: {error}", hint=error.hint) from error


def _project(document: Mapping[str, object], folder: str) -> Project:
    """The values; the document has its shape."""
    fields = {key: entry for key, entry in document.items() if key not in ("schema", "compile")}
    compile_ = document.get("compile", {})
    assert isinstance(compile_, dict)
    fields |= compile_
    lists = {key: tuple(entry) for key, entry in fields.items() if isinstance(entry, list)}
    if "platforms" in lists:
        platforms(",".join(lists["platforms"]))
    lists["inputs"] = tuple(_word(word, folder) for word in lists["inputs"])
    lists["includes"] = tuple(_inside(entry, folder, "compile.includes") for entry in lists.get("includes", ()))
    defines = fields.get("defines", {})
    assert isinstance(defines, dict)
    lists["defines"] = tuple(_define(name, entry) for name, entry in defines.items())
    return Project(folder, **{**fields, **lists})  # type: ignore[arg-type]


def _define(name: str, entry: object) -> str:
    return name if entry is True else f"{name}={int(entry) if isinstance(entry, float) else entry}"


def _word(word: str, folder: str) -> str:
    left, equals, right = word.partition("=")
    if equals and left.startswith("linux/"):
        return f"{left}={_inside(right, folder, 'inputs')}"
    return _inside(word, folder, "inputs")


def _inside(path: str, folder: str, where: str) -> str:
    """The way to a path of the file; UsageError when it leads out of the file's folder, links followed."""
    joined = os.path.join(folder, path)
    top = os.path.realpath(folder or ".")
    if os.path.isabs(path) or os.path.commonpath([top, os.path.realpath(joined)]) != top:
        raise UsageError(
            f"{where} names {quoted(path)}, expected a path in the folder of the project file",
            hint="put the project file into the topmost folder, or name the file on the command line",
        )
    return joined
