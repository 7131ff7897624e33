"""A source tree as `inspect.tree` takes it: names, the beginnings of the files that tell something, within bounds."""

from __future__ import annotations

import os
import stat

from bpfimg.errors import BytecodeError, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.inspect import tree as trees

__all__ = ["files"]

_ENTRIES = 50_000  # of the whole tree
_TEXT = 256 * 1024  # characters of one file
_ALL = 64 * 1024 * 1024  # bytes that are read in all
_DEPTH = 24
#: folders of other projects, and of tools
_ELSEWHERE = {".git", ".hg", ".svn", ".venv", "venv", "node_modules", "third_party", "vendor", "__pycache__", ".cache"}
_ELSEWHERE |= {"libbpf", "bpftool", "blazesym", ".tox", ".idea", ".vscode"}
_NAMES = {"Makefile", "makefile", "GNUmakefile", "CMakeLists.txt", "meson.build", "Cargo.toml", "go.mod", ".gitignore"}
_NAMES |= {"rust-toolchain.toml", ".gitlab-ci.yml", ".gitmodules"}
_ENDINGS = (".c", ".h", ".go", ".rs", ".o")
_RUST = "bpfel-unknown-none"


def files(top: str) -> list[trees.File]:
    """Every file below `top` that may say something; links are not followed. UsageError when `top` is no folder."""
    from bpfimg.inspect import tree as trees

    if not os.path.isdir(top):
        what = "is a file" if os.path.exists(top) else "does not exist"
        raise UsageError(f"the source tree {quoted(top)} {what}, expected a folder")
    found: list[trees.File] = []
    left = _ALL
    for path, full in _walk(top):
        content = _content(full, path, min(left, _TEXT)) if left > 0 else b""
        left -= len(content)
        is_object = _is_object(content)
        if is_object or not content.startswith(b"\x7fELF"):
            text = "" if is_object else content.decode("utf-8", "replace")
            found.append(trees.File(path, text, is_object))
    return found


def _walk(top: str) -> Iterator[tuple[str, str]]:
    """Yields paths from the top, and as they can be opened; folders of other projects are left out."""
    todo = [("", 0)]
    seen = 0
    while todo:
        folder, depth = todo.pop()
        try:
            with os.scandir(os.path.join(top, folder)) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            raise UsageError(
                f"the folder {quoted(os.path.join(top, folder))} cannot be read: {error.strerror}"
            ) from error
        seen += len(entries)
        if seen > _ENTRIES:
            raise UsageError(
                f"{quoted(top)} has more than {_ENTRIES} files, expected a source tree",
                hint="give the folder that the eBPF sources are in",
            )
        for entry in entries:
            path = f"{folder}/{entry.name}".lstrip("/")
            if entry.is_dir(follow_symlinks=False):
                if depth < _DEPTH and _is_ours(path, entry.name):
                    todo.append((path, depth + 1))
            elif entry.is_file(follow_symlinks=False) and _tells(path, entry.name):
                yield path, entry.path


def _is_ours(path: str, name: str) -> bool:
    """Whether a folder may hold what belongs to the project; of cargo's `target` only what is for eBPF."""
    parts = path.split("/")
    if "target" in parts[:-1] and _RUST not in parts:
        return name == _RUST
    if _RUST in parts[:-1]:
        return name in ("release", "debug")
    return name not in _ELSEWHERE


def _tells(path: str, name: str) -> bool:
    folders = path.split("/")[:-1]
    if "target" in folders:
        return _RUST in folders and folders[-1] in ("release", "debug") and "." not in name
    return name in _NAMES or name.endswith(_ENDINGS) or path.startswith(".github/workflows/")


def _content(full: str, path: str, limit: int) -> bytes:
    """How a file begins; nothing of a pipe, nor of one that cannot be read. Never waits."""
    try:
        fd = os.open(full, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
        with open(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return b""
            return file.read(64 if path.endswith(".o") or "target" in path.split("/") else limit)
    except OSError:
        return b""


def _is_object(content: bytes) -> bool:
    from bpfimg.bytecode import check_header

    try:
        check_header(content)
    except BytecodeError:
        return False
    return True
