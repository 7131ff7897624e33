"""cosign as a peer: on PATH, or Debian's package unpacked below `.cache/`. Only tests ever call it.

`python -m tests.support.cosign` fetches it where it is not there yet, and says plainly why it cannot be had.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
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
    """Returns cosign, to run in `folder`; skips the test where there is none."""
    program = debian.find("cosign")
    if program is None:
        pytest.skip("needs the program cosign (not on PATH; `python -m tests.support.cosign` fetches it)")
    return Cosign(program, folder, password, modern=_modern(program))


@cache
def _modern(program: str) -> bool:
    """Says whether this is cosign 3, which signs into bundles: Debian's say "devel" when asked for their version."""
    done = subprocess.run([program, "sign", "--help"], capture_output=True, text=True, timeout=_PATIENCE, check=True)
    return "--use-signing-config" in done.stdout


def main() -> int:
    """Makes cosign available; 1 when it cannot be had, or does not run."""
    try:
        program = debian.fetch("cosign")
        subprocess.run([program, "version"], capture_output=True, timeout=_PATIENCE, check=True)
    except (LookupError, OSError, subprocess.SubprocessError) as error:
        print(f"cosign cannot be had, tests that need it will be skipped: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
