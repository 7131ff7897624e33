"""The kernels of `--btf`: files and folders, each opened once and by bounded reads."""

from __future__ import annotations

import os

from bpfimg._value import value
from bpfimg.errors import BytecodeError, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bpfimg.btf import KernelFile, KernelTypes

__all__ = ["kernels"]

_FILES_MAX = 4096
_MODULES_MAX = 8192
_VMLINUX = "vmlinux"
_ENDINGS = (".btf", ".btf.xz", ".btf.gz", ".btf.tar.xz")
_IMAGES = ("vmlinux", "vmlinuz")


@value(frozen=True, slots=True)
class _Source:
    """One kernel: the file of its types, and the files of its modules' types by module."""

    path: str
    modules: tuple[tuple[str, str], ...] = ()


def kernels(paths: Sequence[str]) -> Iterator[KernelTypes]:
    """The types of the kernels in these files and folders, in that order.

    Of a folder that has a file `vmlinux` that one, with its modules' types behind it (as /sys/kernel/btf); else of
    every folder below it the files vmlinux*, vmlinuz* and *.btf (also .xz, .gz, .tar.xz). Names are those of the
    files, with folders in front where they would be the same. Raises UsageError for paths that hold no kernel,
    BytecodeError for files that are not sound.
    """
    sources = [source for path in paths for source in _sources(path)]
    names = _names([source.path for source in sources])
    for name, source in zip(names, sources, strict=True):
        modules = {module: _opened(path) for module, path in source.modules}
        yield _opened(source.path).kernel(name, modules)


def _sources(path: str) -> list[_Source]:
    if not os.path.isdir(path):
        return [_Source(path)]
    if os.path.isfile(os.path.join(path, _VMLINUX)):
        return [_Source(os.path.join(path, _VMLINUX), tuple(_modules(path)))]
    found = [_Source(file) for file in _below(path) if _looks_like_a_kernel(os.path.basename(file))]
    if not found:
        raise UsageError(
            f"the folder {quoted(path)} holds no kernel, expected vmlinux*, vmlinuz* or files that end in .btf"
        )
    return found


def _below(path: str) -> Iterator[str]:
    number = 0
    for folder, inner, names in os.walk(path):
        inner.sort()
        for name in sorted(names):
            number += 1
            if number > _FILES_MAX:
                raise UsageError(f"the folder {quoted(path)} holds more than {_FILES_MAX} files")
            if os.path.isfile(os.path.join(folder, name)):
                yield os.path.join(folder, name)


def _looks_like_a_kernel(name: str) -> bool:
    return name.endswith(_ENDINGS) or (name.startswith(_IMAGES) and not name.endswith((".h", ".sig")))


def _modules(path: str) -> Iterator[tuple[str, str]]:
    """The types of modules beside vmlinux: files without an ending, `NAME.btf`, `NAME.ko`, packed or not."""
    number = 0
    for name in sorted(os.listdir(path)):
        file = os.path.join(path, name)
        module, dot, ending = name.partition(".")
        if name == _VMLINUX or not os.path.isfile(file) or (dot and ending.split(".")[0] not in ("btf", "ko")):
            continue
        number += 1
        if number > _MODULES_MAX:
            raise UsageError(f"the folder {quoted(path)} holds more than {_MODULES_MAX} modules")
        yield module, file


def _opened(path: str) -> KernelFile:
    from bpfimg.btf import KernelFile

    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size

            def read(start: int, length: int) -> bytes:
                file.seek(start)
                return file.read(length)

            return KernelFile.find(path, read, size)
    except OSError as error:
        raise BytecodeError(f"file {quoted(path)} cannot be read: {error.strerror or error}") from error


def _names(paths: Sequence[str]) -> list[str]:
    """The last parts of the paths, as many as make them different."""
    parts = [os.path.normpath(path).split(os.sep) for path in paths]
    for count in range(1, max(map(len, parts), default=1) + 1):
        names = [os.sep.join(each[-count:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{path} ({number})" for number, path in enumerate(paths, 1)]
