"""cosign as a peer, 2.5 (or what is on PATH) and 3.1: Debian's packages unpacked below `.cache/`. Only tests call it.

`python -m tests.support.cosign` fetches both where they are not there yet, and says plainly why they cannot be had.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.support import debian

if TYPE_CHECKING:
    from pathlib import Path

_PATIENCE = 120.0
# What `cosign trusted-root create` without certificates writes: cosign asks the network when it is given no file.
_EMPTY_ROOT = {"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}
SIGN = "https://sigstore.dev/cosign/sign/v1"


@dataclass(frozen=True, slots=True)
class Cosign:
    """A cosign that runs in `folder`, with nothing of the user's: no credentials, no cache, no log, no network."""

    program: str
    folder: Path
    password: str = ""
    modern: bool = field(default=False, kw_only=True)
    environ: dict[str, str] = field(default_factory=dict, kw_only=True)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs one command to its end; the caller looks at the exit code."""
        environ = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.folder),
            "DOCKER_CONFIG": str(self.folder),
            "COSIGN_PASSWORD": self.password,
            **self.environ,
        }
        return subprocess.run(
            [self.program, *words],
            cwd=self.folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )

    def do(self, *words: str) -> str:
        """Runs one command that must succeed; returns its output."""
        done = self.run(*words)
        assert done.returncode == 0, f"cosign {' '.join(words)}: {done.stderr[-2000:]}"
        return done.stdout

    def generate(self, prefix: str) -> tuple[Path, Path]:
        """Makes a key pair; returns the private and the public file."""
        self.do("generate-key-pair", "--output-key-prefix", prefix)
        return self.folder / f"{prefix}.key", self.folder / f"{prefix}.pub"

    def sign(self, key: Path, image: str, *words: str) -> None:
        """Signs HOST/REPO@DIGEST in this cosign's default format, or as `words` say."""
        offline = ["--use-signing-config=false"] if self.modern else []
        self.do("sign", "-y", "--key", str(key), "--tlog-upload=false", *offline, *words, image)

    def verify(self, key: Path, image: str) -> bool:
        """Says whether there is a good `.sig` signature."""
        words = ["verify", "--key", str(key), "--insecure-ignore-tlog=true", "--new-bundle-format=false", image]
        return self.run(*words).returncode == 0

    def verify_bundle(self, key: Path, image: str) -> bool:
        """Says whether there is a good signature in a bundle, by the nearest that this cosign has."""
        root = self.folder / "trusted-root.json"
        root.write_text(json.dumps(_EMPTY_ROOT))
        words = ["--new-bundle-format", "--trusted-root", str(root), "--key", str(key), "--insecure-ignore-tlog=true"]
        if self.modern:  # it falls back to `.sig` where there is no bundle, and shows what it has verified
            done = self.run("verify", *words, image)
            return done.returncode == 0 and SIGN in done.stdout
        return self.run("verify-attestation", *words, "--type", SIGN, image).returncode == 0


def require(folder: Path, password: str = "") -> Cosign:
    """Returns cosign 2, to run in `folder`; skips the test where there is none."""
    return _require("cosign", folder, password)


def require_modern(folder: Path, password: str = "") -> Cosign:
    """Returns cosign 3, which signs into bundles, to run in `folder`; skips the test where there is none."""
    return _require("cosign3", folder, password)


def _require(peer: str, folder: Path, password: str) -> Cosign:
    program = debian.find(peer)
    if program is None or _modern(program) != (peer == "cosign3"):
        pytest.skip(f"needs the program {peer} (`python -m tests.support.cosign` fetches it)")
    return Cosign(program, folder, password, modern=_modern(program))


@functools.cache
def _modern(program: str) -> bool:
    """Says whether this is cosign 3, which signs into bundles: Debian's say "devel" when asked for their version."""
    done = subprocess.run([program, "sign", "--help"], capture_output=True, text=True, timeout=_PATIENCE, check=True)
    return "--use-signing-config" in done.stdout


def main() -> int:
    """Makes both available; 1 when one cannot be had, or does not run."""
    return max(debian.attempt(peer, functools.partial(_fetch, peer)) for peer in ("cosign", "cosign3"))


def _fetch(peer: str) -> None:
    program = debian.fetch(peer)
    try:
        subprocess.run([program, "version"], capture_output=True, timeout=_PATIENCE, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise LookupError(f"{program} does not run: {error}") from error


if __name__ == "__main__":
    raise SystemExit(main())
