"""What a command may import: heavy libraries are guests, and a command should feel instant."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = (
    "pyroute2",
    "jsonschema",
    "docker",
    "sigstore",
    "elftools",
    "urllib3",
    "cryptography",
    "nacl",
    "oras",
    "requests",
)
#: standard modules that cost milliseconds and that these paths do not need
SLOW = (
    "typing",
    "pathlib",
    "subprocess",
    "tempfile",
    "logging",
    "asyncio",
    "email",
    "http",
    "urllib",
    "platform",
    "ssl",
)

#: what only `list --all`, a selector, or a chain that is there asks for
ALL = (
    "bpfimg.inspect._kernel._everything",
    "bpfimg.kernel._apart",
    "bpfimg.kernel._walk_pins",
    "bpfimg.kernel._walk_queries",
    "bpfimg.load._hooks",
    "bpfimg.dispatcher._chains",
    "bpfimg.dispatcher._seen",
    "bpfimg.inspect._kernel._chained",
)

#: what a `run` or `load` of a stored image may have beside those of `list`: believing needs cryptography
GUESTS = ("cryptography",)

#: what a pull or push of a registry without logins and pages need not have
ELSEWHERE = (
    "bpfimg.build",
    "bpfimg.bytecode",
    "bpfimg.image",
    "bpfimg.inspect",
    "bpfimg.kernel",
    "bpfimg.load",
    "bpfimg.sign",
    "bpfimg.oci._archives",
    "bpfimg.oci._engines._engine",
    "bpfimg.oci._http._chunks",
    "bpfimg.oci._http._delete",
    "bpfimg.oci._http._names",
    "bpfimg.oci._http._oras",
    "bpfimg.oci._login._accounts",
    "bpfimg.oci._login._challenge",
    "bpfimg.oci._login._credential_program",
    "bpfimg.oci._login._login_hint",
    "bpfimg.oci._login._token_answer",
    "bpfimg.oci._store._fsck",
    "bpfimg.oci._store._prune",
    "dataclasses",
    "difflib",
    "inspect",
    "subprocess",
)

PROBE = """
import json, os, sys
before = set(sys.modules)
from bpfimg.cli import main
sys.stdout = open(os.devnull, "w")
try:
    code = main(sys.argv[1:])
except SystemExit as stop:
    code = stop.code
print(json.dumps([code, sorted(set(sys.modules) - before)]), file=sys.__stdout__)
"""


def loaded(*words: str, environ: dict[str, str] | None = None) -> tuple[int, set[str]]:
    """Exit code and imported modules of one command; `-S` keeps what site imports for its own ends out of it."""
    path = os.pathsep.join(p for p in sys.path if p)
    argv = [sys.executable, "-S", "-c", PROBE, *words]
    done = subprocess.run(
        argv,
        env={**os.environ, "PYTHONPATH": path, **(environ or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout, done.stderr
    code, modules = json.loads(done.stdout)
    return code, set(modules)


def among(modules: set[str], names: tuple[str, ...]) -> list[str]:
    return sorted(name for name in modules if name.split(".")[0] in names)


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["run", "--help"]], ids=" ".join)
def test_help_imports_no_guest(words: list[str]) -> None:
    code, modules = loaded(*words)
    assert code in (0, None)
    assert among(modules, HEAVY) == []
    assert "ctypes" not in modules


def test_help_needs_no_parser() -> None:
    _, modules = loaded("--help")
    assert "argparse" not in modules
    assert "dataclasses" not in modules


def test_list_imports_no_guest_and_nothing_slow(tmp_path: Path) -> None:
    """Wherever it runs: with no bpffs there, it still has imported what it would use."""
    _, modules = loaded("list", "--bpffs", str(tmp_path))
    assert "bpfimg.inspect._kernel._host" in modules
    assert among(modules, HEAVY) == []
    assert among(modules, SLOW) == []
    assert not modules.intersection(ALL)


@pytest.mark.parametrize(
    "words",
    [["zsh", "l"], ["zsh", "run", "x", "xdp", "--mode", ""], ["bash", "bpfimg list --ty", ":"], ["fish", "get", ""]],
    ids=" ".join,
)
def test_tab_imports_no_more_than_a_list(words: list[str], tmp_path: Path) -> None:
    """What a shell asks at every TAB, the ids of programs included."""
    _, modules = loaded("complete", *words, environ={"BPFIMG_BPFFS": str(tmp_path)})
    assert among(modules, HEAVY) == []
    assert among(modules, SLOW) == []
    assert not modules.intersection(ALL)


def test_a_stored_image_is_loaded_without_network_or_elf_tools(tmp_path: Path) -> None:
    """What `run` does up to the kernel: fetch, verify, open. The kernel's part imports nothing more of others."""
    from tests.support.cli import Cli
    from tests.support.objects import EXAMPLES

    cli = Cli(tmp_path, {"BPFIMG_STORE": str(tmp_path / "store")})
    cli("key", "generate", "k")
    cli("build", "-t", "x/xdp_pass:v1", str(EXAMPLES / "xdp_pass.bpf.c"))
    cli("sign", "--key", "k.key", "x/xdp_pass:v1")
    words = ("load", "--dry-run", "-g", "GLOBAL_u8=1", "--key", str(tmp_path / "k.pub"), "x/xdp_pass:v1")
    code, modules = loaded(*words, environ=cli.environ)
    assert code == 0
    assert {"bpfimg.run", "bpfimg.sign._verify", "bpfimg.kernel._object"} <= modules
    assert among(modules, tuple(name for name in HEAVY if name not in GUESTS)) == []
    assert (
        among(modules, ("pathlib", "subprocess", "tempfile", "logging", "asyncio", "email", "http", "urllib", "ssl"))
        == []
    )


def test_a_pull_and_a_push_import_what_they_use(tmp_path: Path) -> None:
    """`urllib3` costs 30 ms, and is worth it; what others need comes when it is needed. By itself it imports `inspect`
    where `importlib.metadata` does (Python 3.13)."""
    from tests.support.cli import Cli
    from tests.support.fake_registry import fake_registry
    from tests.support.objects import EXAMPLES

    argv = [sys.executable, "-S", "-c", "import sys, urllib3; print(*sys.modules)"]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    its_own = set(subprocess.run(argv, env=environ, capture_output=True, text=True, check=True).stdout.split())
    with fake_registry() as server:
        cli = Cli(tmp_path, {"BPFIMG_STORE": str(tmp_path / "store")})
        cli("build", "-t", "x/xdp_pass:v1", str(EXAMPLES / "xdp_pass.bpf.c"))
        for words in (
            ("push", "x/xdp_pass:v1", f"{server.host}/x/xdp_pass:v1"),
            ("pull", f"{server.host}/x/xdp_pass:v1"),
        ):
            code, modules = loaded(*words, environ=cli.environ)
            assert code == 0
            assert "urllib3" in modules
            assert among(modules, tuple(name for name in HEAVY if name != "urllib3")) == []
            elsewhere = tuple(f"{each}." for each in ELSEWHERE)
            assert [name for name in modules - its_own if f"{name}.".startswith(elsewhere)] == []
