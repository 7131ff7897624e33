"""Programs of user space to put probes into: compiled by this machine's compiler, each source once per test run."""

from __future__ import annotations

import functools
import os
import shutil
import stat
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpfimg.kernel import bpf
from tests.support import tools

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.load import Load

COMPILERS = ("gcc", "clang")

#: what <sys/sdt.h> makes of DTRACE_PROBE1, with or without a semaphore
_SDT = """
#define STAP_NOTE(name, sema, arg) \\
	asm volatile("990: nop\\n.pushsection .note.stapsdt,\\"\\",\\"note\\"\\n.balign 4\\n" \\
		".4byte 992f-991f, 994f-993f, 3\\n991: .asciz \\"stapsdt\\"\\n992: .balign 4\\n" \\
		"993: .8byte 990b\\n.8byte _.stapsdt.base\\n.8byte " sema "\\n" \\
		".asciz \\"app\\"\\n.asciz \\"" name "\\"\\n.asciz \\"-4@%0\\"\\n994: .balign 4\\n.popsection\\n" \\
		".ifndef _.stapsdt.base\\n" \\
		".pushsection .stapsdt.base,\\"aG\\",\\"progbits\\",.stapsdt.base,comdat\\n" \\
		".weak _.stapsdt.base\\n.hidden _.stapsdt.base\\n_.stapsdt.base: .space 1\\n" \\
		".size _.stapsdt.base, 1\\n.popsection\\n.endif\\n" :: "nor"(arg))
__attribute__((section(".probes"))) volatile unsigned short app_watched_semaphore;
"""

#: answers each byte on its input by one, after calling `work` and passing its probes
ECHO = (
    _SDT
    + """
#include <unistd.h>
int fell;
__attribute__((noinline)) int work(int n) { asm volatile(""); return n + 1; }
__attribute__((noinline)) int work_more(int n) { asm volatile(""); return n + 2; }
static __attribute__((noinline, used)) int hidden(int n) { asm volatile(""); return n + 3; }
static int (*choose(void))(int) { return work; }
int chosen(int n) __attribute__((ifunc("choose")));
int main(void)
{
	char byte;
	while (read(0, &byte, 1) == 1) {
		fell = hidden(work_more(work(byte)));
		STAP_NOTE("passed", "0", (int)byte);
		STAP_NOTE("passed", "0", (int)byte + 1000);
		STAP_NOTE("constant", "0", 77);
		if (app_watched_semaphore)
			STAP_NOTE("watched", "app_watched_semaphore", -(int)byte);
		if (write(1, &byte, 1) != 1)
			return 1;
	}
	return 0;
}
"""
)


@functools.cache
def compiled(source: str = ECHO, *flags: str) -> bytes:
    """The executable that gcc, or else clang, makes of C text."""
    compiler = next((each for each in COMPILERS if shutil.which(each)), None)
    if compiler is None:
        pytest.skip("needs gcc or clang to compile programs to probe")
    command = [compiler, "-O1", "-x", "c", *flags, "-o", tools.OUTPUT, "-"]
    status, out, said = tools.run(command, source.encode())
    assert status == 0, said.decode(errors="replace")
    return out


def written(path: Path, data: bytes) -> Path:
    """The file, executable."""
    path.write_bytes(data)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@contextmanager
def folder() -> Iterator[Path]:
    """A directory for programs whose filesystem can be probed."""
    with tempfile.TemporaryDirectory(prefix="bpfimg-programs-") as place:
        yield Path(place)


class Echo:
    """A running ECHO: `say` makes it go round once for each byte, and returns when it has."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid

    def say(self, text: bytes = b"x") -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        for byte in text:
            os.write(self._process.stdin.fileno(), bytes([byte]))
            assert os.read(self._process.stdout.fileno(), 1) == bytes([byte])


@contextmanager
def echo(path: Path, *before: str) -> Iterator[Echo]:
    """Runs the program at `path`, behind the words `before` (chroot, nsenter)."""
    with subprocess.Popen([*before, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Echo(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()


def counted(loaded: Load, key: int = 0) -> int:
    """What the map `counters` of an example says."""
    record = loaded.record
    assert record is not None
    names = [name for name, _ in record.maps]
    with bpf.get(loaded.map_pins()[names.index("counters")]) as fd:
        value = bpf.map_lookup(fd, key.to_bytes(4, "little"), 8)
    assert value is not None
    return int.from_bytes(value, "little", signed=True)
