"""Where a project's images go and who builds them: by word, else by the remote of its checkout."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SYSTEMS", "Place", "place"]

SYSTEMS = ("github", "gitlab", "shell")


@value(frozen=True, slots=True)
class Place:
    """The CI system, one of SYSTEMS, and the image's name without tag. `known`: somebody said it; `variable` is what
    the CI system itself calls it, "" where it does not. `included`: a .gitlab-ci.yml of the project's own is there;
    `submodules`: the checkout has some."""

    ci: str
    image: str
    known: bool
    variable: str = ""
    included: bool = False
    submodules: bool = False


def place(top: str, paths: Sequence[str], *, ci: str | None, image: str | None) -> Place:
    """What the words say, else the remote, else a placeholder; UsageError for words that are none."""
    from bpfimg import build

    if ci is not None and ci not in SYSTEMS:
        raise UsageError(f"--ci is {quoted(ci)}, expected {', '.join(SYSTEMS)}")
    host, _, path = build.git.remote(top).partition("://")[2].partition("/")
    host = host.partition(":")[0]
    path = _named(path.removesuffix("/").removesuffix(".git").lower())
    system = ci or _system(host, paths)
    name, known, variable = _image(top, system, host, path)
    if image is not None:
        name, known, variable = _checked(image), True, ""
    return Place(system, name, known, variable, ".gitlab-ci.yml" in paths, ".gitmodules" in paths)


def _image(top: str, system: str, host: str, path: str) -> tuple[str, bool, str]:
    """The image's name by the remote, whether that is more than a placeholder, and whose variable says it, too."""
    if host == "github.com" and path:
        return f"ghcr.io/{path}", True, "github"
    if host == "gitlab.com" and path:
        return f"registry.gitlab.com/{path}", True, "gitlab"
    name = path.rpartition("/")[2] or _own_name(top)
    known = system != "shell"  # the CI system knows where its registry is
    return f"registry.example/{name}", known, system if known else ""


def _system(host: str, paths: Sequence[str]) -> str:
    if host == "github.com" or any(path.startswith(".github/workflows/") for path in paths):
        return "github"
    if "gitlab" in host or ".gitlab-ci.yml" in paths:
        return "gitlab"
    return "shell"


def _own_name(top: str) -> str:
    import os
    import re

    name = re.sub(r"[^a-z0-9]+", "-", os.path.basename(os.path.realpath(top)).lower()).strip("-")
    return name or "programs"


def _named(path: str) -> str:
    """The path as part of an image's name; "" where it cannot be one: it goes into scripts, and who made the tree
    wrote it."""
    from bpfimg.errors import Error
    from bpfimg.oci import Reference

    try:
        return path if path and str(Reference.parse(f"registry.example/{path}").repository).endswith(f"/{path}") else ""
    except Error:
        return ""


def _checked(image: str) -> str:
    from bpfimg.oci import Reference

    reference = Reference.parse(image)
    if str(reference.repository) != image:
        raise UsageError(f"--image is {quoted(image)}, expected HOST/NAME without tag and digest")
    return image
