"""A pipeline for one CI system: the recipe that comes with bpfimg, with what this tree needs before the build."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from bpfimg.cli._init_place import Place
    from bpfimg.inspect import tree as trees

__all__ = ["pipeline"]

#: tool -> Debian's packages with it; on GitHub's machines Go and Rust are there
_PACKAGES = {
    "clang": "clang llvm libbpf-dev",
    "make": "make gcc libelf-dev zlib1g-dev",
    "cmake": "cmake make gcc libelf-dev zlib1g-dev pkg-config",
    "meson": "meson gcc libelf-dev zlib1g-dev pkg-config",
}
_ALSO = {
    "github": {"bpftool": "linux-tools-common linux-tools-azure"},
    "gitlab": {"bpftool": "bpftool", "go": "golang-go ca-certificates", "rust": "rustup gcc libc6-dev ca-certificates"},
}
_RUST = (
    "rustup toolchain install {channel} --profile minimal --component rust-src",
    "command -v bpf-linker >/dev/null || cargo install --locked bpf-linker",
)
_GITHUB, _GITLAB, _SHELL = ".github/workflows/bpfimg.yml", ".gitlab-ci.yml", "ci/bpfimg.sh"


def pipeline(found: trees.Tree, place: Place, projects: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Path and text with mode of the pipeline; `projects` are the project files, one for each program."""
    from bpfimg.cli import _recipes

    jobs = [
        (project, _image(place, each.name if len(projects) > 1 else ""))
        for project, each in zip(projects, found.programs, strict=True)
    ]
    if place.ci == "github":
        return {_GITHUB: (_github(_recipes.text("github.yml"), found, place, jobs), 0o644)}
    if place.ci == "gitlab":
        path = ".gitlab/bpfimg.yml" if place.included else _GITLAB
        return {path: (_gitlab(_recipes.text("gitlab.yml"), found, place, jobs), 0o644)}
    return {_SHELL: (_shell(found, jobs), 0o755)}


def _image(place: Place, name: str) -> str:
    """The image's name in the pipeline; "" for what the CI system calls it by itself."""
    if place.ci == place.variable:
        if not name:
            return ""
        if not place.image.startswith("registry.example/"):
            return f"{place.image}/{name}"
        return f"ghcr.io/${{{{ github.repository }}}}/{name}" if place.ci == "github" else f"$CI_REGISTRY_IMAGE/{name}"
    return f"{place.image}/{name}" if name else place.image


def _commands(found: trees.Tree) -> list[str]:
    return list(dict.fromkeys(command for each in found.programs for command in each.commands))


def _setup(found: trees.Tree) -> list[str]:
    """What installs the tools that no package of the distribution has."""
    channels = {match[1] for command in _commands(found) if (match := re.search(r"cargo \+(\S+)", command))}
    if not any("rust" in each.tools for each in found.programs):
        return []
    return [line.format(channel=next(iter(sorted(channels)), "nightly")) for line in _RUST]


def _packages(found: trees.Tree, ci: str) -> str:
    tools = dict.fromkeys(("clang", *(tool for each in found.programs for tool in each.tools)))
    known = {**_PACKAGES, **_ALSO[ci]}
    return " ".join(dict.fromkeys(" ".join(known[tool] for tool in tools if tool in known).split()))


def _with(text: str, pattern: str, new: str) -> str:
    """The recipe with its one place of that pattern changed."""
    changed, count = re.subn(pattern, lambda _: new, text, flags=re.M)
    assert count == 1, f"the recipe has {count} places like {pattern}"
    return changed


def _github(text: str, found: trees.Tree, place: Place, jobs: Sequence[tuple[str, str]]) -> str:
    text = _with(text, r"^      BPFIMG_CI_PACKAGES: .*$", f"      BPFIMG_CI_PACKAGES: {_packages(found, 'github')}")
    commands = [*_setup(found), *_commands(found)]
    if commands:
        lines = "".join(f"          {command}\n" for command in commands)
        step = f"      - name: Compile\n        run: |\n{lines}"
        text = _with(text, r"^(?=      - name: Build, lint)", step)
    if place.submodules:
        text = _with(
            text,
            r"^          persist-credentials: false$",
            "          persist-credentials: false\n          submodules: recursive",
        )
    if len(jobs) == 1:
        return _with(text, r'^      BPFIMG_CI_IMAGE: ""$', f'      BPFIMG_CI_IMAGE: "{jobs[0][1]}"')
    rows = "".join(f"          - project: {project}\n            image: {image}\n" for project, image in jobs)
    matrix = f"    strategy:\n      fail-fast: false\n      matrix:\n        include:\n{rows}"
    text = _with(text, r"^(?=    permissions:$)", matrix)
    for name in ("project", "image"):
        word = f"      BPFIMG_CI_{name.upper()}: ${{{{ matrix.{name} }}}}"
        text = _with(text, rf'^      BPFIMG_CI_{name.upper()}: ""$', word)
    text = _with(text, r"^          name: bpfimg-reports$", "          name: bpfimg-reports-${{ matrix.project }}")
    return _with(text, r"^          category: bpfimg$", "          category: bpfimg-${{ matrix.project }}")


def _gitlab(text: str, found: trees.Tree, place: Place, jobs: Sequence[tuple[str, str]]) -> str:
    text = _with(text, r"^    BPFIMG_CI_PACKAGES: .*$", f"    BPFIMG_CI_PACKAGES: {_packages(found, 'gitlab')}")
    commands = [*_setup(found), *_commands(found)]
    if commands:
        path = 'export PATH="$HOME/.cargo/bin:$PATH"'
        lines = [path, *commands] if _setup(found) else commands
        block = "".join(f"      {command}\n" for command in lines)
        text = _with(text, r"^(?=  script:$)", f"    - |\n{block}")
    if place.submodules:
        text = _with(text, r"^(?=    BPFIMG_USERNAME: )", "    GIT_SUBMODULE_STRATEGY: recursive\n")
    if len(jobs) == 1:
        return _with(text, r'^    BPFIMG_CI_IMAGE: ""$', f'    BPFIMG_CI_IMAGE: "{jobs[0][1]}"')
    rows = "".join(
        f"      - BPFIMG_CI_PROJECT: {project}\n        BPFIMG_CI_IMAGE: {image}\n" for project, image in jobs
    )
    for name in ("PROJECT", "IMAGE"):
        text = _with(text, rf'^    BPFIMG_CI_{name}: ""\n', "")
    return _with(text, r"^(?=  id_tokens:$)", f"  parallel:\n    matrix:\n{rows}")


def _shell(found: trees.Tree, jobs: Sequence[tuple[str, str]]) -> str:
    lines = [*_HEAD]
    commands = _commands(found)
    if commands:
        tools = ", ".join(dict.fromkeys(tool for each in found.programs for tool in each.tools))
        lines += [f"# needs {tools}", *commands, ""]
    lines.append("pipeline=$(bpfimg init --print pipeline.sh)")
    if len(jobs) == 1:
        lines += [f'export BPFIMG_CI_IMAGE="${{BPFIMG_CI_IMAGE:-{jobs[0][1]}}}"', 'exec sh -c "$pipeline" bpfimg']
    else:
        lines += [*_EACH, *(f"run {project} {image}" for project, image in jobs), '[ -z "$failed" ]']
    return "\n".join(lines) + "\n"


_HEAD = (
    "#!/bin/sh",
    "# From source to an image: build, lint, compare, check; with BPFIMG_CI_PUSH=yes also sign, push and verify.",
    "# `bpfimg init` wrote it; it is yours to change. What runs is `bpfimg init --print pipeline.sh`, which says at",
    "# its top which variables there are.",
    "set -eu",
    'cd -- "$(dirname -- "$0")/.."',
    "",
)
_EACH = (
    "reports=${BPFIMG_CI_REPORTS:-bpfimg-reports}",
    "failed=",
    "run() { # PROJECT IMAGE",
    "    BPFIMG_CI_PROJECT=$1 BPFIMG_CI_IMAGE=$2 BPFIMG_CI_REPORTS=$reports/${1%.toml} \\",
    '        sh -c "$pipeline" bpfimg || failed=yes',
    "}",
)
