"""The verifier's logs about programs that it refuses, from the running kernel: fixtures for those who have another.

`python -m tests.refusals.collect [--guest KERNEL] DIRECTORY` writes one file for each program of the sources beside
this file: the error number, then the log. `--expect KERNEL` writes what a user is told about them.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bpfimg.errors import KernelError, VerifierError
from bpfimg.kernel import libbpf
from bpfimg.kernel._verifier_error import verifier_error
from bpfimg.load._about import About
from tests.support.objects import compile_source

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
SOURCES = ("programs", "licence")
_HEAD, _TAIL = 24, 160  # lines


def compiled(source: str) -> bytes:
    """The object of one of the sources."""
    return compile_source(HERE / f"{source}.bpf.c")


def refused(source: str, *, without: tuple[str, ...] = ()) -> Iterator[tuple[str, KernelError | None]]:
    """Each program of a source, loaded alone, and what came of it; None where this kernel takes it."""
    data = compiled(source)
    with libbpf.open_object(data, name=source) as opened:
        names = [program.name for program in opened.programs if program.name not in without]
    for name in names:
        with libbpf.open_object(data, name=source) as opened:
            for program in opened.programs:
                program.set_autoload(program.name == name)
            try:
                opened.load()
            except KernelError as error:
                yield name, error
            else:
                yield name, None


def shortened(log: str) -> str:
    """A log as it is kept in a file: the middle of a long one says nothing."""
    lines = log.replace(f"{HERE}/", "").splitlines()
    if len(lines) > _HEAD + _TAIL:
        lines[_HEAD:-_TAIL] = [f"[{len(lines) - _HEAD - _TAIL} lines are left out of this file]"]
    return "\n".join(lines) + "\n"


def collect(directory: Path) -> None:
    """Writes the running kernel's logs; programs without one are named on stdout."""
    directory.mkdir(parents=True, exist_ok=True)
    for source in SOURCES:
        for name, error in refused(source):
            if isinstance(error, VerifierError):
                text = f"{error.errno}\n{shortened(error.log)}"
                (directory / f"{name}.log").write_text(text, encoding="utf-8")
            else:
                print(name, "accepted" if error is None else error)


def logs(kernel: str) -> Iterator[tuple[str, int, str]]:
    """The kept logs of one kernel: program, error number, log."""
    for path in sorted((HERE / "logs" / kernel).glob("*.log")):
        number, _, log = path.read_text(encoding="utf-8").partition("\n")
        yield path.stem, int(number), log


def sentences(kernel: str) -> dict[str, str]:
    """What a user reads about each of them: program -> cause, message, hint."""
    abouts = {source: About(compiled(source)) for source in SOURCES}
    found = {}
    for name, number, log in logs(kernel):
        # that another kernel has no field is not for this one's types to say
        about = None if name.startswith("core_") else abouts["licence" if name == "gpl_only" else "programs"]
        error = verifier_error(name, log, number, about)
        found[name] = f"[{error.cause}] {error}\n{error.hint}"
    return found


def expected(kernel: str) -> dict[str, str]:
    """The sentences that were read and found good."""
    text = (HERE / "logs" / kernel / "expected.txt").read_text(encoding="utf-8")
    blocks = (block.split("\n", 1) for block in text.strip().split("\n\n"))
    return {name.removesuffix(":"): words for name, words in blocks}


def expect(kernel: str) -> None:
    """Writes the sentences of one kernel as those to be expected; read them."""
    text = "\n\n".join(f"{name}:\n{words}" for name, words in sentences(kernel).items())
    (HERE / "logs" / kernel / "expected.txt").write_text(text + "\n", encoding="utf-8")


def in_guest(word: str, directory: Path) -> None:
    """Writes the logs of a guest's kernel."""
    from tests.support.features import VARIABLE
    from tests.support.guest import asked, kernels, machine

    root = HERE.parents[1]
    kernels.fetch(word)
    kernel = kernels.find(word)
    if kernel is None:
        raise LookupError(kernels.lacking(word))
    command = [sys.executable, "-m", "tests.refusals.collect", "/run/out/logs"]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        environ = ["env", f"{VARIABLE}={word}", "PYTHONDONTWRITEBYTECODE=1"]
        with asked.answering(out / "asked"), machine.running(kernel, out, root, environ + command) as qemu:
            qemu.wait()
        print((out / "log").read_text(encoding="utf-8", errors="replace"))
        shutil.copytree(out / "logs", directory, dirs_exist_ok=True)


if __name__ == "__main__":
    if sys.argv[1] == "--expect":
        expect(sys.argv[2])
    elif sys.argv[1] == "--guest":
        in_guest(sys.argv[2], Path(sys.argv[3]))
    else:
        collect(Path(sys.argv[1]))
