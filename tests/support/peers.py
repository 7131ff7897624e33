"""The registry clients and layout tools of others: skopeo, crane, oras, umoci, each with nothing of the user's."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import debian

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE = 120.0
#: "newer-skopeo" is that of another release of Debian, with its own C library
COPIERS = ("skopeo", "newer-skopeo", "crane", "oras")


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer that runs in `folder` with that as its home: no configuration, cache or credentials of the user."""

    command: tuple[str, ...]
    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        """Runs one command to its end; the caller looks at the exit code."""
        here = str(self.folder)
        environ = {"PATH": os.environ.get("PATH", ""), "HOME": here, "DOCKER_CONFIG": here, "XDG_RUNTIME_DIR": here}
        environ |= {"REGISTRY_AUTH_FILE": f"{here}/config.json", "TMPDIR": here, **self.environ}
        return subprocess.run(
            [*self.command, *words],
            cwd=self.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )

    def __call__(self, *words: str) -> str:
        """Runs one command that must succeed; returns its output."""
        return self.bytes(*words).decode()

    def bytes(self, *words: str) -> bytes:
        """Runs one command that must succeed; returns its output as it is."""
        done = self.run(*words)
        said = done.stderr.decode(errors="replace")[-2000:]
        assert done.returncode == 0, f"{self.command[-1]} {' '.join(words)} ended with {done.returncode}: {said}"
        return done.stdout

    def json(self, *words: str) -> Any:
        """Runs one command that must succeed; returns the JSON that it prints."""
        return json.loads(self.bytes(*words))


def require(name: str, folder: Path, **environ: str) -> Peer:
    """Returns the peer of that name, to run in `folder`; skips the test where there is none."""
    found = debian.command(name)
    if found is None:
        pytest.skip(f"needs {name} (not on PATH; `python -m tests.support.debian {name}` fetches it)")
    extra = ("--insecure-policy",) if name.endswith("skopeo") else ()
    return Peer((*found, *extra), folder, environ)


def content(layout: Path) -> dict[str, bytes]:
    """The blobs of a layout by digest, after hashing each of them: who wrote them does not count."""
    found = {}
    for path in layout.glob("blobs/*/*"):
        data = path.read_bytes()
        assert hashlib.new(path.parent.name, data).hexdigest() == path.name, f"{path} is not what its name says"
        found[f"{path.parent.name}:{path.name}"] = data
    return found


def entries(layout: Path) -> list[dict[str, Any]]:
    """The entries of a layout's index.json."""
    document = json.loads((layout / "index.json").read_text())
    found: list[dict[str, Any]] = document["manifests"]
    return found
