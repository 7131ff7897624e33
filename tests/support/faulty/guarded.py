"""The command in a cage: little memory, little time, and a look at all that lies round its store before and after."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from tests.support.faulty.goods import check_clean

MEMORY = 256 << 20
"""Bytes of data for the whole process, the stacks of its threads included."""
SECONDS = 30
"""Of computing; twice as many until the answer is there."""
_HINT = ("hint: ", "  ")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """Its sentence, "" when it succeeded."""
        return next((line for line in self.err.splitlines() if line.startswith(("bpfimg: error: ", '{"error"'))), "")


@dataclass(frozen=True, slots=True)
class Cage:
    """A folder with a store, a home and a working directory for commands."""

    folder: Path

    @property
    def store(self) -> Path:
        return self.folder / "deep" / "inside" / "store"

    def run(self, *words: str, **environ: str) -> Ended:
        """Runs `bpfimg WORDS`; fails unless it ends in good order: a result, or one sentence and perhaps a hint, all of
        it fit for a terminal, and nothing written but the store, which is clean."""
        for place in ("home", "work", "deep/inside"):
            (self.folder / place).mkdir(parents=True, exist_ok=True)
        before = self._surroundings()
        # bytes, not text: what is no UTF-8 is looked at as well
        done = subprocess.run(
            [sys.executable, "-m", "bpfimg", *words],
            cwd=self.folder / "work",
            env={
                "PATH": "/usr/bin:/bin",
                "HOME": str(self.folder / "home"),
                "BPFIMG_STORE": str(self.store),
                "PYTHONPATH": str(Path(__file__).parents[3]),
                **environ,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=2 * SECONDS,
            check=False,
            preexec_fn=_bounds,
        )
        ended = Ended(done.returncode, done.stdout.decode("ascii"), done.stderr.decode("ascii"))
        self._check(ended)
        assert self._surroundings() == before, "something was written outside the store"
        if self.store.exists():
            check_clean(self.store)
        return ended

    def _check(self, ended: Ended) -> None:
        for line in (ended.out + ended.err).splitlines():
            assert not line or line.isprintable(), f"not for a terminal: {line!r}"
        assert "Traceback" not in ended.err, ended.err
        if ended.code == 0:
            assert ended.error == "", ended.err
            return
        assert ended.out == ""
        _, _, rest = ended.err.partition(ended.error)
        assert ended.error, ended.err
        assert all(line.startswith(_HINT) for line in rest.splitlines() if line), ended.err
        assert len(ended.error) < 1000

    def _surroundings(self) -> dict[str, str]:
        found = {}
        for folder, folders, files in os.walk(self.folder):
            if Path(folder) == self.store:
                folders.clear()
                continue
            for name in (*folders, *files):
                path = Path(folder, name)
                if path != self.store:
                    found[str(path)] = sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        return found


def _bounds() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
