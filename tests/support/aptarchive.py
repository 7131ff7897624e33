"""An archive of Debian packages in a folder, signed by a key of its own, and commands that know no other one."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

PROGRAMS = {
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
    "dpkg-scanpackages": "dpkg-dev",
    "gpg": "gnupg",
    "unshare": "util-linux",
}


@dataclass(frozen=True, slots=True)
class Archive:
    """`folder` holds it, its keys and the /etc/apt of those that know it."""

    folder: Path
    suite: str

    @classmethod
    def begin(cls, folder: Path, suite: str) -> Archive:
        """An empty one; skips where something is lacking."""
        if os.geteuid():
            pytest.skip("needs root: another /etc/apt is mounted")
        for program, package in PROGRAMS.items():
            if shutil.which(program) is None:
                pytest.skip(f"needs {program} (Debian: {package})")
        archive = cls(folder, suite)
        for name in ("pool", "etc/sources.list.d", "etc/apt.conf.d", "etc/preferences.d", "gpg"):
            (folder / name).mkdir(parents=True)
        (folder / "gpg").chmod(0o700)
        archive._gpg("--quick-gen-key", "Somebody <nobody@example.org>", "ed25519", "sign", "never")
        (folder / "key.gpg").write_bytes(archive._gpg("--export"))
        (folder / "etc/sources.list.d/mine.sources").write_text(
            f"Types: deb\nURIs: file:{folder}\nSuites: {suite}\nComponents: main\nSigned-By: {folder}/key.gpg\n"
        )
        archive.publish()
        return archive

    def package(self, name: str, version: str, *, depends: str = "", files: dict[str, bytes] | None = None) -> Path:
        """Adds a package to the pool."""
        tree = self.folder / "tree"
        (tree / "DEBIAN").mkdir(parents=True)
        for path, content in (files or {}).items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(content)
        (tree / "DEBIAN/control").write_text(
            f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: Somebody <nobody@example.org>\n"
            f"{depends and f'Depends: {depends}'}\nDescription: nothing\n".replace("\n\n", "\n")
        )
        deb = self.folder / "pool" / f"{name}_{version}_amd64.deb"
        _run("dpkg-deb", "--root-owner-group", "-b", str(tree), str(deb))
        shutil.rmtree(tree)
        return deb

    def publish(self) -> None:
        """Says what is in the pool, and signs that."""
        dists = self.folder / "dists" / self.suite
        (dists / "main/binary-amd64").mkdir(parents=True, exist_ok=True)
        packages = _run("dpkg-scanpackages", "--multiversion", "pool", cwd=self.folder)
        (dists / "main/binary-amd64/Packages").write_bytes(packages)
        digest = hashlib.sha256(packages).hexdigest()
        (dists / "Release").write_text(
            f"Origin: Somebody\nSuite: {self.suite}\nCodename: {self.suite}\nArchitectures: amd64\nComponents: main\n"
            f"Date: Sat, 01 Nov 2025 00:00:00 UTC\nSHA256:\n {digest} {len(packages)} main/binary-amd64/Packages\n"
        )
        (dists / "InRelease").unlink(missing_ok=True)
        self._gpg("--clearsign", "-o", str(dists / "InRelease"), str(dists / "Release"))

    def start(self, *argv: str) -> subprocess.Popen[str]:
        """Starts a command in a mount namespace whose /etc/apt names this archive alone."""
        script = 'mount --bind "$0" /etc/apt && exec "$@"'
        command = [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            script,
            str(self.folder / "etc"),
            *argv,
        ]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def _gpg(self, *words: str) -> bytes:
        home = str(self.folder / "gpg")
        return _run("gpg", "--homedir", home, "--batch", "--yes", "--quiet", "--passphrase", "", *words)

    def end(self) -> None:
        """Ends the agent that gpg has started."""
        subprocess.run(["gpgconf", "--homedir", str(self.folder / "gpg"), "--kill", "all"], check=False)


def _run(*argv: str, cwd: Path | None = None) -> bytes:
    return subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
