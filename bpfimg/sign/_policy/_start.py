"""A policy to begin with: nothing is believed but what these keys or identities signed, in these places."""

from __future__ import annotations

import json
import os
import re

from bpfimg.errors import UsageError, quoted
from bpfimg.sign._policy._names import Scope
from bpfimg.sign._strict import Junk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bpfimg.sign._keys._public import PublicKey
    from bpfimg.sign._policy._rules import Root

_IDENTITY = "keyless"


def begun(
    keys: Sequence[tuple[str, PublicKey]],
    identity: Mapping[str, str] | None,
    scopes: Sequence[str],
    root: Root | None,
) -> dict[str, object]:
    """Returns a policy document. `keys` come with the path of their file, which names their authority; `identity` are
    the fields of one in the policy's language, which takes `root`.

    With a root, log entries and timestamps beside a key's signature must verify; without, they are not looked at.
    Raises `UsageError` when one of signers and scopes lacks, or a scope is none.
    """
    authorities: dict[str, object] = {}
    for path, key in keys:
        checked = {"trustedRoot": root.name} if root else {"tlog": "ignore", "timestamp": "ignore"}
        authorities[_free(_name(path), authorities)] = {"type": "key", "keyData": [key.pem], **checked}
    if identity is not None and root is not None:
        made = {"type": "keyless", "trustedRoot": root.name, "identities": [dict(identity)]}
        authorities[_free(_IDENTITY, authorities)] = made
    if bool(authorities) != bool(scopes):
        lacks, there = ("--scope", "whom to believe") if authorities else ("--key or --certificate-identity", "a scope")
        raise UsageError(
            f"{there} is given without {lacks}, expected both", hint="for example: --scope registry.example.com/team/**"
        )
    for scope in scopes:
        try:
            Scope.parse(scope)
        except Junk as junk:
            raise UsageError(f"--{junk}") from junk
    found: dict[str, object] = {"version": 1, "default": "deny"}
    if root:
        found["trustedRoots"] = {root.name: root.document}
    if authorities:
        found["authorities"] = authorities
    found["rules"] = [{"scope": scope, "requireAny": list(authorities)} for scope in scopes]
    return found


def written(document: Mapping[str, object]) -> bytes:
    """Returns a policy document as people like to read and edit it."""
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def _name(path: str) -> str:
    plain = os.path.basename(path).lower()
    for ending in (".pub", ".pem"):
        plain = plain.removesuffix(ending)
    return re.sub("[^a-z0-9]+", "-", plain).strip("-")[:50] or "key"


def _free(name: str, taken: Mapping[str, object]) -> str:
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    if number > 64:
        raise UsageError(f"more than 64 keys are called {quoted(name)}")
    return found
