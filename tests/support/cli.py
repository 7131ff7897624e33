"""The `bpfimg` command as a process of its own, with a store, a bpffs and keys that belong to the test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"


@dataclass(frozen=True, slots=True)
class Cli:
    """Runs commands in `folder`; `environ` is added to this process's."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def __call__(
        self, *words: str, expect: int = 0, stdin: str | None = None, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs `bpfimg WORDS`; fails unless it ends with `expect`."""
        done = self.start(*words, stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE, **environ)
        out, err = done.communicate(stdin, timeout=120)
        assert done.returncode == expect, f"bpfimg {' '.join(words)} ended with {done.returncode}: {out}{err}"
        return subprocess.CompletedProcess(words, done.returncode, out, err)

    def start(self, *words: str, stdin: int = subprocess.DEVNULL, **environ: str) -> subprocess.Popen[str]:
        """Starts `bpfimg WORDS`."""
        kept = {key: text for key, text in os.environ.items() if not key.startswith("BPFIMG_")}
        return subprocess.Popen(
            [sys.executable, "-m", "bpfimg", *words],
            cwd=self.folder,
            env={**kept, "COSIGN_PASSWORD": "x", **self.environ, **environ},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def json(self, schema: str, *words: str) -> Any:
        """The JSON of a command that succeeds, after checking it against its schema."""
        document = json.loads(self(*words, "-o", "json").stdout)
        check(schema, document)
        return document

    def error(self, *words: str, expect: int, **environ: str) -> Any:
        """The JSON error of a command that fails, after checking it against its schema."""
        done = self(*words, "-o", "json", expect=expect, **environ)
        assert done.stdout == ""
        document = json.loads(done.stderr)
        check("error", document)
        return document["error"]


def check(schema: str, document: Any) -> None:
    """Checks a document against `schemas/NAME.schema.json`."""
    _checker(schema).validate(document)


@cache
def _checker(schema: str) -> Draft202012Validator:
    everything = [json.loads(path.read_text()) for path in SCHEMAS.glob("*.schema.json")]
    registry: Registry[Any] = Registry().with_resources(
        [(each["$id"], Resource.from_contents(each)) for each in everything]
    )
    wanted = json.loads((SCHEMAS / f"{schema}.schema.json").read_text())
    return Draft202012Validator(wanted, registry=registry)
