"""Credential programs that tests write: real executables that keep secrets in a folder, or misbehave."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_KEEPER = """\
#!{python}
import json, os, sys
action, given = sys.argv[1], sys.stdin.read()
home = {home!r}
with open(os.path.join(home, "calls"), "a") as log:
    log.write(action + " " + (given if action != "store" else json.loads(given)["ServerURL"]) + "\\n")
name = lambda server: os.path.join(home, server.replace("/", "%"))
if action == "store":
    entry = json.loads(given)
    open(name(entry["ServerURL"]), "w").write(json.dumps(entry))
elif not os.path.exists(name(given)):
    print("credentials not found in native keychain")
    sys.exit(1)
elif action == "get":
    print(open(name(given)).read())
elif action == "erase":
    os.unlink(name(given))
"""


@dataclass(frozen=True, slots=True)
class Keeper:
    """A credential program that works; `folder` is to be on PATH, `home` has what it keeps."""

    folder: Path
    home: Path

    @property
    def calls(self) -> list[str]:
        """`ACTION SERVER` of every call."""
        path = self.home / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def kept(self, server: str) -> tuple[str, str] | None:
        """User and secret."""
        path = self.home / server.replace("/", "%")
        if not path.exists():
            return None
        entry = json.loads(path.read_text())
        return entry["Username"], entry["Secret"]

    def keep(self, server: str, user: str, secret: str) -> None:
        """Puts an entry there."""
        entry = {"ServerURL": server, "Username": user, "Secret": secret}
        (self.home / server.replace("/", "%")).write_text(json.dumps(entry))


def keeper(folder: Path, name: str = "keeper") -> Keeper:
    """Writes `docker-credential-NAME` into `folder`/bin."""
    home = folder / f"{name}-home"
    home.mkdir()
    script(folder / "bin", name, _KEEPER.format(python=sys.executable, home=str(home)))
    return Keeper(folder / "bin", home)


def script(folder: Path, name: str, text: str) -> Path:
    """Writes an executable `docker-credential-NAME`."""
    folder.mkdir(exist_ok=True)
    path = folder / f"docker-credential-{name}"
    path.write_text(text)
    path.chmod(0o755)
    return path
