"""Words and paths to kernels."""

from __future__ import annotations

import os
import re
from collections import Counter

from bpfimg._value import replace
from bpfimg.errors import NotSupported, UsageError, quoted
from bpfimg.guest import _cache, _kernel, _words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bpfimg.guest._kernel import Kernel

__all__ = ["find"]

_ARCHITECTURE = "x86_64"
_FILES_MAX = 20_000
_KERNELS_MAX = 64
_FOLDERS_MAX = 12
#: modules and sources: nothing that boots is in there
_NOT_BELOW = ("kernel", "build", "source", "proc", "sys")


def find(
    words: Sequence[str],
    cache: str,
    *,
    mirror: str | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[Kernel, ...]:
    """The kernels that are meant, each once, in that order.

    A word is one of Debian's releases ("6.1", "bookworm", "debian:12", "sid", "bookworm-backports"), whose newest
    kernel is fetched through apt into the folder `cache` unless it is there; or the path of a vmlinuz, of a package
    that holds one, or of a folder, of which all kernels are meant. Words may have commas between them. `mirror` is the
    address of an archive of Debian, else that which this machine's apt has. `say` is told what takes long.

    Raises UsageError for words that mean none, NotSupported where guests cannot be.
    """
    machine = os.uname().machine
    if machine != _ARCHITECTURE:
        raise NotSupported(
            f"guests are of this machine's architecture, and {machine} is none that they exist for, "
            f"expected {_ARCHITECTURE}",
            feature="guest",
            hint="`bpfimg check --btf` asks kernels' types, on any machine; or run this on x86_64",
        )

    def fetched(word: str, suite: _words.Suite) -> Kernel:
        path, package = _cache.fetched(suite, os.path.abspath(cache), mirror, say)
        return _kernel.known(path, word, package)

    found: dict[str, Kernel] = {}
    for word in _words.split(words):
        what = _words.meant(word)
        for kernel in _known(what) if isinstance(what, str) else [fetched(word, what)]:
            found.setdefault(os.path.realpath(kernel.image), kernel)
    if len(found) > _KERNELS_MAX:
        raise UsageError(f"{len(found)} kernels are asked for, expected at most {_KERNELS_MAX}")
    return _told_apart(tuple(found.values()))


def _told_apart(kernels: tuple[Kernel, ...]) -> tuple[Kernel, ...]:
    """The kernels with names of their own: where files have the same one, with as many folders as make them differ."""
    for depth in range(2, _FOLDERS_MAX):
        again = {name for name, count in Counter(kernel.name for kernel in kernels).items() if count > 1}
        kernels = tuple(
            replace(kernel, name=os.sep.join(kernel.image.split(os.sep)[-depth:])) if kernel.name in again else kernel
            for kernel in kernels
        )
    return kernels


def _known(path: str) -> list[Kernel]:
    """The kernel that a path is, or those below a folder, older ones first."""
    return sorted(map(_kernel.known, _below(path)), key=_age)


def _age(kernel: Kernel) -> list[tuple[int, str]]:
    """Something that grows with the release: 6.9 comes before 6.12."""
    return [(int(digits or 0), word) for digits, word in re.findall(r"(\d+)|(\D+)", kernel.release)]


def _below(path: str) -> list[str]:
    """The file that a path is, or the kernels below a folder; a file before links to it."""
    if not os.path.isdir(path):
        return [path]
    files = sorted(_files(path), key=lambda file: (os.path.islink(file), file))
    if not files:
        raise UsageError(
            f"the folder {quoted(path)} holds no kernel, expected files vmlinuz* or linux-image-*.deb",
            hint="modules alone are none: Debian's kernels are in /boot" if "modules" in path else "",
        )
    return files


def _files(path: str) -> Iterator[str]:
    number = 0
    for folder, inner, names in os.walk(path):
        inner[:] = sorted(name for name in inner if name not in _NOT_BELOW)
        for name in names:
            number += 1
            if number > _FILES_MAX:
                raise UsageError(f"the folder {quoted(path)} holds more than {_FILES_MAX} files")
            if _looks_like_a_kernel(name) and os.path.isfile(os.path.join(folder, name)):
                yield os.path.join(folder, name)


def _looks_like_a_kernel(name: str) -> bool:
    if name.endswith(".deb"):
        return re.match(r"linux-(image|binary)-\d", name) is not None and "-dbg" not in name
    return name in ("vmlinuz", "bzImage") or (name.startswith("vmlinuz-") and not name.endswith((".sig", ".old")))
