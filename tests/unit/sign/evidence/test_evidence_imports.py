"""What evidence costs those who have none: no X.509 is imported before a certificate or timestamp is looked at."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
FILES = sorted((ROOT / "bpfimg" / "sign" / "_evidence").glob("*.py"))
HEAVY = {
    "cryptography.x509",
    "rfc3161_client",
    "sigstore",
    "securesystemslib",
    "urllib",
    "datetime",
    "socket",
    "warnings",
}
PROBE = """
import sys, json
before = set(sys.modules)
import bpfimg.sign._evidence._certificate, bpfimg.sign._evidence._certified, bpfimg.sign._evidence._root
import bpfimg.sign._evidence._witness
json.dump(sorted(set(sys.modules) - before), sys.stdout)
"""


def test_the_modules_themselves_import_nothing_heavy() -> None:
    path = os.pathsep.join([str(ROOT), *(one for one in sys.path if one)])
    done = subprocess.run(
        [sys.executable, "-S", "-c", PROBE],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        check=True,
        text=True,
    )
    loaded = set(json.loads(done.stdout))
    assert "bpfimg.sign._evidence._entry" in loaded
    assert loaded & HEAVY <= {"warnings"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_evidence_asks_no_clock_and_no_network(file: Path) -> None:
    """Times come in: what is verified today is verified tomorrow, and the same."""
    tree = ast.parse(file.read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {one.split(".")[0] for one in imported} & {
        "time",
        "socket",
        "ssl",
        "urllib3",
        "requests",
        "random",
        "secrets",
    }
    called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not called & {"now", "utcnow", "today", "monotonic", "urlopen"}
