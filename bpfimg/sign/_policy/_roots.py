"""Trusted roots as a policy names them: a file, pinned or not, or the one in the sigstore package.

Their bytes are read and pinned when the policy is; what is in them is parsed when a signature needs it, because keys
alone need none of it.
"""

from __future__ import annotations

import os
import re

from bpfimg._hash import sha256
from bpfimg.errors import quoted
from bpfimg.sign._policy._files import Files
from bpfimg.sign._policy._readers import named, one_of, path
from bpfimg.sign._policy._rules import Root
from bpfimg.sign._strict import Junk, fields, string

BUILTIN = "sigstore-public-good"
_HEX = re.compile(r"[0-9a-f]{64}")


def roots(value: object, files: Files) -> dict[str, Root]:
    """Returns the trusted roots by name; raises `Junk`, and `PolicyError` for a file that cannot be had."""
    return {name: _root(name, one, files) for name, one in named(value, "trustedRoots").items()}


def builtin(files: Files, name: str = BUILTIN) -> Root:
    """Returns the root of the public Sigstore under `name`; raises `PolicyError` where it is not installed."""
    return _made(name, f"builtin {BUILTIN}", files.builtin())


def given(where: str, files: Files, name: str) -> Root:
    """Returns the root in the file `where` under `name`; raises `PolicyError`."""
    return _made(name, where, files.root(where))


def chosen_root(word: str) -> Root:
    """Returns the root that a person names: `sigstore-public-good`, or the path of a file; raises `PolicyError`."""
    files = Files()
    found = builtin(files, "public") if word == BUILTIN else given(os.path.abspath(word), files, "trusted")
    found.trusted()
    return found


def _root(name: str, value: object, files: Files) -> Root:
    what = f"trusted root {quoted(name)}"
    if type(value) is dict and "builtin" in value:
        one_of(fields(value, what, ("builtin",))["builtin"], f"{what}: builtin", (BUILTIN,))
        return builtin(files, name)
    found = fields(value, what, ("path",), ("sha256",))
    where = path(string(found["path"], f"{what}: path"), f"{what}: path")
    pin = string(found.get("sha256", ""), f"{what}: sha256")
    if "sha256" in found and not _HEX.fullmatch(pin):
        raise Junk(f"{what}: sha256 is {quoted(pin)}, expected 64 hex digits")
    made = given(where, files, name)
    if pin and made.digest != f"sha256:{pin}":
        raise Junk(f"{what}: {where} has the SHA-256 {made.digest[7:]}, expected {pin}")
    return made


def _made(name: str, origin: str, raw: bytes) -> Root:
    return Root(name, origin, f"sha256:{sha256(raw).hexdigest()}", raw)
