"""What a guest has of this machine: the Python that runs, libbpf, and the rooms of bpfimg that load programs.

They are copied into the guest's memory, to the places that they have here. Nothing else of this machine is there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import MAGIC_NUMBER, cache_from_source

from bpfimg.errors import Error, NotSupported, quoted
from bpfimg.guest._cpio import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FIRST", "LIBBPF", "PACKAGE", "PYTHON", "userland"]

#: where a guest's kernel finds Python, whatever that is called here, and what it runs
PYTHON, FIRST = "/python", "/first.py"
#: the folder of a libbpf that was chosen
LIBBPF = "/libbpf"
#: the folder that this package is in
PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
#: what loading programs needs of bpfimg, beside its modules on the ground floor
_ROOMS = ("btf", "bytecode", "kernel", "load")
#: parts of the standard library that nobody in a guest asks for
_LEFT_OUT = frozenset(
    (
        *(
            "__pycache__",
            "asyncio",
            "curses",
            "dbm",
            "dist-packages",
            "distutils",
            "email",
            "ensurepip",
            "html",
            "http",
        ),
        *(
            "idlelib",
            "lib2to3",
            "multiprocessing",
            "pydoc_data",
            "site-packages",
            "sqlite3",
            "test",
            "tests",
            "tkinter",
        ),
        *("turtledemo", "unittest", "venv", "wsgiref", "xml", "xmlrpc"),
    )
)
_LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1")
_LOADER_CACHE = "/etc/ld.so.cache"
_LIBRARY_MAX = 128 << 20
_SECONDS = 60.0

# What the dynamic loader makes of these names here it will make of them in the guest.
_PROBE = """
import sys, ctypes
try:
    ctypes.CDLL(sys.argv[1])
except OSError:
    sys.exit(4)
import array, binascii, json, math, select, struct, termios, zlib
for line in open("/proc/self/maps"):
    fields = line.rstrip("\\n").split(None, 5)
    if len(fields) == 6 and "x" in fields[1] and fields[5].startswith("/"):
        print(fields[5])
"""


def userland(libbpf: str | None = None) -> Tree:
    """The files that every guest gets, with the system's libbpf or the one at that path.

    Raises NotSupported where there is none.
    """
    tree = Tree()
    python = os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)
    libraries = _libraries(python, libbpf or "libbpf.so.1")
    for path in dict.fromkeys([python, *libraries, *_LOADERS, _LOADER_CACHE]):
        _place(tree, path)
    for path in libraries:
        for name in _other_names(path):
            _place(tree, name)
    if libbpf is not None:
        tree.link(f"{LIBBPF}/libbpf.so.1", os.path.realpath(libbpf))
    tree.link(PYTHON, python)
    here = os.path.join(PACKAGE, "bpfimg")
    for path in (*_below(os.path.dirname(os.path.realpath(os.__file__))), *_files(here)):
        _module(tree, path)
    for room in _ROOMS:
        for path in _below(os.path.join(here, room)):
            _module(tree, path)
    return tree


def _libraries(python: str, libbpf: str) -> list[str]:
    """The files of machine code that Python maps when it has loaded libbpf."""
    argv = [python, "-I", "-S", "-c", _PROBE, libbpf]
    try:
        done = subprocess.run(  # noqa: S603 (this Python itself, with a text of ours)
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Error(f"{quoted(python)} cannot be run, expected the Python that runs bpfimg: {error}") from error
    if done.returncode == 4:
        raise NotSupported(
            f"a guest loads programs with libbpf, and there is no {quoted(libbpf)} on this machine",
            feature="libbpf",
            hint="install the package libbpf1 (Debian, Ubuntu) or libbpf (Fedora, Arch)",
        )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise Error(f"{quoted(python)} does not run as it should in a guest: {quoted(''.join(said))}")
    return list(dict.fromkeys(os.fsdecode(done.stdout).splitlines()))


def _other_names(path: str) -> Iterator[str]:
    """The symbolic links beside a library that lead to it: the dynamic loader asks for one of these."""
    with os.scandir(os.path.dirname(path)) as entries:
        for entry in entries:
            if ".so" in entry.name and entry.is_symlink() and os.path.realpath(entry.path) == path:
                yield entry.path


def _place(tree: Tree, path: str) -> None:
    """Adds what is there at a path, with the symbolic links on the way to it; nothing where there is nothing."""
    above, rest = "", path.strip("/")
    while rest:
        name, _, rest = rest.partition("/")
        above = f"{above}/{name}"
        if os.path.islink(above):
            if above not in tree:
                target = os.readlink(above)
                tree.link(above, target)
                _place(tree, os.path.normpath(os.path.join(os.path.dirname(above), target, rest)))
            elif rest:
                _place(tree, os.path.join(os.path.realpath(above), rest))
            return
    if os.path.isfile(path):
        tree.file(path, _bytes(path), 0o755)


def _below(folder: str) -> Iterator[str]:
    """The modules below a folder of the standard library, or of a room."""
    for at, inner, _ in os.walk(folder):
        inner[:] = sorted(name for name in inner if name not in _LEFT_OUT and not name.startswith("config-"))
        yield from _files(at)


def _files(folder: str) -> list[str]:
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith((".py", ".so"))]


def _module(tree: Tree, path: str) -> None:
    """Adds a module; as byte code where that is of this very source, since to compile takes long in a guest."""
    if path.endswith(".so"):
        _place(tree, path)
        return
    status = os.stat(path)
    stamp = (0, int(status.st_mtime), status.st_size)  # 0: checked by time and size (PEP 552)
    wanted = MAGIC_NUMBER + b"".join((number & 0xFFFFFFFF).to_bytes(4, "little") for number in stamp)
    try:
        compiled = _bytes(cache_from_source(path))
    except OSError:
        compiled = b""
    if compiled[:16] == wanted:
        tree.file(f"{path}c", compiled)
    else:
        tree.file(path, _bytes(path))


def _bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(_LIBRARY_MAX)
