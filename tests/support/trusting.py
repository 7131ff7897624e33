"""Trust policies as files, for commands that read them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cli import Cli


def write_policy(folder: Path, *rules: dict[str, Any], keys: dict[str, str] | None = None, **top: Any) -> Path:
    """Writes `folder`/policy.json: default deny, these rules, an authority for each of `keys` (name -> file in it)."""
    authorities = {
        name: {"type": "key", "keyPaths": [str(folder / file)]} for name, file in (keys or {"release": "k.pub"}).items()
    }
    document = {"version": 1, "default": "deny", "authorities": authorities, "rules": list(rules), **top}
    path = folder / "policy.json"
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    return path


def with_policy(cli: Cli, *rules: dict[str, Any], keys: dict[str, str] | None = None, **top: Any) -> Cli:
    """The same commands with that policy, and a history of their own."""
    from tests.support.cli import Cli

    path = write_policy(cli.folder, *rules, keys=keys, **top)
    return Cli(
        cli.folder, {**cli.environ, "BPFIMG_POLICY": str(path), "BPFIMG_STATE": str(cli.folder / "state" / "history")}
    )


def rule(name: str, *authorities: str, **fields: Any) -> dict[str, Any]:
    """A rule for the repository of a reference (or a scope as it stands)."""
    head, _, tail = name.rpartition(":")
    scope = head if head and "/" not in tail else name
    return {"scope": scope, "requireAny": list(authorities or ("release",)), **fields}
