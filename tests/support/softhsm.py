"""A token without hardware: SoftHSM2 and OpenSC from Debian, unpacked below `.cache/` and never installed.

`python -m tests.support.softhsm` fetches them where they are not there yet, and says plainly why they cannot be had.
"""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support import debian

if TYPE_CHECKING:
    from pathlib import Path

_ROOT = debian.CACHE / "softhsm2"
#: the last one: where it is, all is there
_PACKAGES = ("libsofthsm2", "opensc-pkcs11", "opensc", "softhsm2")
_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Token:
    """A token of SoftHSM2 with one label and PIN; every process that opens `module` needs `environ`."""

    module: Path
    environ: dict[str, str]
    label: str
    pin: str

    def generate(self, label: str, key_id: str = "02", kind: str = "EC:prime256v1") -> None:
        """Makes a key pair inside the token, which never leaves it."""
        words = ("--keypairgen", "--key-type", kind, "--id", key_id, "--label", label)
        self.pkcs11_tool("--login", "--pin", self.pin, *words)

    def pkcs11_tool(self, *words: str) -> str:
        """What OpenSC's `pkcs11-tool` prints about this token; the command must succeed."""
        return _do("pkcs11-tool", self.environ, "--module", str(self.module), "--token-label", self.label, *words)


def token(folder: Path, label: str = "bpfimg-test", pin: str = "1234") -> Token:
    """Returns a new token with nothing in it, kept in `folder`; skips the test where there is no SoftHSM2."""
    module = library()
    if module is None:
        pytest.skip("needs SoftHSM2 below .cache (python -m tests.support.softhsm)")
    tokens, config = folder / "tokens", folder / "softhsm2.conf"
    tokens.mkdir(parents=True)
    config.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
    environ = {"SOFTHSM2_CONF": str(config), "PYKCS11LIB": str(module)}
    words = ("--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", "5678")
    _do("softhsm2-util", environ, "--module", str(module), *words)
    return Token(module, environ, label, pin)


def library() -> Path | None:
    """The path of `libsofthsm2.so`; None where SoftHSM2 is not to be had."""
    path = _ROOT / "usr/lib/softhsm/libsofthsm2.so"
    return path if path.exists() and program("softhsm2-util") else None


def program(name: str) -> str | None:
    """The path of `softhsm2-util` or `pkcs11-tool`, which only `Token` starts; None where it is not to be had."""
    path = _ROOT / "usr/bin" / name
    return str(path) if path.exists() else None


def _do(name: str, environ: dict[str, str], *words: str) -> str:
    libraries = f"{_ROOT}/usr/lib/{platform.machine()}-linux-gnu"
    surroundings = {"PATH": os.environ.get("PATH", ""), "LD_LIBRARY_PATH": libraries, **environ}
    command = [program(name) or name, *words]
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    assert done.returncode == 0, f"{name} {' '.join(words)}: {done.stderr[-2000:]}"
    return done.stdout


def fetch() -> None:
    """Downloads and unpacks what is not there yet; raises `LookupError` with the reason when it cannot be had."""
    if program("softhsm2-util"):
        return
    brought = [name for name in debian.brought(*_PACKAGES) if name.startswith("lib") and name not in _PACKAGES]
    for package in (*brought, *_PACKAGES):
        debian.unpack(package, None, _ROOT)


def main() -> int:
    """Fetches SoftHSM2 and OpenSC; 1 when they cannot be had."""
    return debian.attempt("softhsm2", fetch)


if __name__ == "__main__":
    raise SystemExit(main())
