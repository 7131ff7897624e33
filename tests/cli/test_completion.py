"""What TAB does in bash, zsh and fish, on real terminals, with a real store and programs that run."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.support.cli import Cli
from tests.support.netns import bpffs, namespace, skip_unless, tracefs
from tests.support.objects import EXAMPLES, example
from tests.support.shells import Shell, shell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHELLS = ("bash", "zsh", "fish")
_COUNTER = "registry.example/team/xdp_counter:v1"


class Site:
    """A host with two images, a key, an object file, and one program that runs on an interface."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.network = stack.enter_context(namespace())
        self.tracefs = stack.enter_context(tracefs())
        self.folder = folder
        self.environ = {"BPFIMG_STORE": str(folder / "store"), "BPFIMG_BPFFS": stack.enter_context(bpffs())}
        self.cli = Cli(folder, {**self.environ, "HOME": str(folder)})
        self.cli("key", "generate", "k")
        for name in ("xdp_pass", "xdp_counter"):
            tag = f"registry.example/team/{name}:v1"
            self.cli("build", "-t", tag, str(EXAMPLES / f"{name}.bpf.c"))
            self.cli("sign", "--key", "k.key", tag)
        self.cli("build", "-t", "short:v2", str(EXAMPLES / "xdp_pass.bpf.c"))
        (folder / "my prog.o").write_bytes(example("xdp_counter"))
        self.cli("copy", "short:v2", "oci:layout:short:v2")
        words = ("--key", "k.pub", "registry.example/team/xdp_counter:v1", "xdp", "-i", self.network.interface)
        self.cli("run", "--name", "edge", "-m", "team=net", *words, "--netns", self.network.name)
        (program,) = self.cli.json("programs", "list")["programs"]
        (link,) = self.cli.json("links", "links")["links"]
        self.program, self.link = str(program["id"]), str(link["id"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    skip_unless()
    with ExitStack() as stack:
        yield Site(stack, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module", params=SHELLS)
def typing(request: pytest.FixtureRequest, site: Site) -> Iterator[Shell]:
    with shell(request.param, site.folder, site.environ) as made:
        yield made


def test_tab_completes_what_can_be_only_one(typing: Shell, site: Site) -> None:
    """One line after the other: what is typed before TAB, and what stands there then."""
    interface = site.network.interface
    for before, after in (
        ("bpfimg insp", "bpfimg inspect "),
        ("bpfimg -o j", "bpfimg -o json "),
        ("bpfimg --lock", "bpfimg --lock-timeout "),
        ("bpfimg -v ver", "bpfimg -v verify "),
        ("bpfimg key gen", "bpfimg key generate "),
        ("bpfimg help policy ex", "bpfimg help policy explain "),
        ("bpfimg map du", "bpfimg map dump "),
        ("bpfimg run registry.example/team/xdp_c", "bpfimg run registry.example/team/xdp_counter:v1 "),
        ("bpfimg run registry.example/team/xdp_counter:", "bpfimg run registry.example/team/xdp_counter:v1 "),
        ("bpfimg push sho", "bpfimg push short:v2 "),
        ("bpfimg inspect oci-", "bpfimg inspect oci-archive:"),
        ("bpfimg inspect store:registry.example/team/xdp_p", "bpfimg inspect store:registry.example/team/xdp_pass:v1 "),
        ("bpfimg inspect oci:lay", "bpfimg inspect oci:layout/"),
        ("bpfimg inspect oci:layout:", "bpfimg inspect oci:layout:docker.io/library/short:v2 "),
        ("bpfimg inspect ./my", "bpfimg inspect ./my\\ prog.o "),
        ("bpfimg verify --key k.p", "bpfimg verify --key k.pub "),
        ("bpfimg run x xdp --mode=nat", "bpfimg run x xdp --mode=native "),
        ("bpfimg run x xdp --proceed-on pass,dr", "bpfimg run x xdp --proceed-on pass,drop "),
        ("bpfimg run -g GLOB", None),
        ("bpfimg get ed", "bpfimg get edge "),
        ("bpfimg detach ", f"bpfimg detach {site.link} "),
        ("bpfimg map dump edge coun", "bpfimg map dump edge counters "),
        ("bpfimg list -l te", "bpfimg list -l team=net "),
        (f"bpfimg status --netns {site.network.name} v", f"bpfimg status --netns {site.network.name} {interface} "),
        ("bpfimg run x tracepoint sched/sched_swi", "bpfimg run x tracepoint sched/sched_switch "),
        ("bpfimg lint --disable BL021,BL00", None),
        ("bpfimg nonsense --x", None),
    ):
        wanted = before if after is None else after
        assert typing.typed(f"{before}\t") == wanted, before


def candidates(site: Site, *words: str, **environ: str) -> list[str]:
    """What fish would show, which filters by itself."""
    done = site.cli("complete", "fish", *words, **environ)
    assert done.stderr == ""
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


def test_globals_and_programs_come_from_the_image_that_is_named(site: Site) -> None:
    image = "registry.example/team/xdp_pass:v1"
    assert "GLOBAL_u8=" in candidates(site, "run", image, "xdp", "-g", "")
    assert "GLOBAL_u8=" not in candidates(site, "run", "-g", "GLOBAL_u8=1", image, "xdp", "-g", "")
    assert candidates(site, "inspect", "my prog.o", "--disassemble", "") == ["xdp_count"]
    assert candidates(site, "load", "registry.example/team/nowhere:v1", "--program", "") == []
    assert candidates(site, "attach", site.program, "--program", "") == ["xdp_count"]
    assert candidates(site, "map", "dump", site.program, "") == ["counters", ".rodata"]


def test_ids_come_with_what_they_are(site: Site) -> None:
    shown = site.cli("complete", "zsh", "get", "").stdout.splitlines()
    assert f"{site.program}\tedge: xdp_count (xdp)" in shown
    (link,) = site.cli("complete", "zsh", "set", "").stdout.splitlines()
    assert link.startswith(f"{site.link}\txdp_count: {site.network.interface} in ")


def test_options_are_offered_once_unless_they_may_be_repeated(site: Site) -> None:
    offered = candidates(site, "run", "x", "xdp", "-i", "e0", "--exclusive", "--")
    assert "--exclusive" not in offered
    assert "--iface" not in offered
    assert "--priority" in offered
    assert "--label" in candidates(site, "build", "--label", "a=b", "--")
    assert candidates(site, "list", "") == candidates(site, "list", "--"), "no words are left: options"


def test_nobody_but_root_sees_less_and_no_error(site: Site) -> None:
    """What may not be read is left out; the store is root's as well here."""
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "bpfimg", "complete", "fish"]
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    environ = {**os.environ, **site.environ, "PATH": path, "HOME": "/nonexistent"}

    def asked(*words: str) -> str:
        done = subprocess.run([*argv, *words], env=environ, capture_output=True, text=True, check=False, cwd="/")
        assert (done.returncode, done.stderr) == (0, ""), words
        return done.stdout

    for words in ("get", "run", "map dump", "set", "status", "run x kprobe v"):
        asked(*words.split(), "")
    assert "--netns" in asked("status", "--")


@pytest.mark.parametrize(
    "words",
    [[""], ["zsh"], ["tcsh", ""], ["bash", "bpfimg"], ["bash", "", ":"], ["bash", "bpfimg run 'a b", ":"],
     ["fish", "run", "x", "nohook", ""], ["fish", "--store", "/nonexistent", "inspect", ""],
     ["fish", "--output", "yaml", "get", ""], ["fish", "inspect", "/nonexistent/"], ["fish", "\udcff", ""],
     ["fish", "run", "--netns", "/nonexistent", "x", "xdp", "--iface", ""],
     ["zsh", "list", "--lock-timeout=x", "-l", ""]],
)  # fmt: skip
def test_there_is_never_an_error(site: Site, words: list[str]) -> None:
    done = subprocess.run(
        ["python", "-m", "bpfimg", "complete", *map(os.fsencode, words)],
        env={**os.environ, **site.environ, "PATH": f"{os.path.dirname(sys.executable)}:/usr/bin"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_quotes_and_breaks_are_bashs(site: Site) -> None:
    def bash(line: str) -> list[str]:
        return site.cli("complete", "bash", line, " \t\n\"'@><=;|&(:").stdout.splitlines()

    assert bash('bpfimg inspect "./my p') == ["./my prog.o"], "it closes the quotes itself"
    assert bash("bpfimg inspect ./my\\ p") == ["./my\\ prog.o "]
    assert bash("bpfimg inspect store:short") == ["short:v2 "], "what stands before the last break stays"
    assert bash("bpfimg run x xdp --proceed-on=pass,dr") == ["pass,drop "]


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        (["get", "edg"], 1, "did you mean `edge`?"),
        (["unload", "edgee"], 1, "did you mean 'edge'?"),
        (["map", "dump", "egde", "counters"], 1, "did you mean 'edge'?"),
        (["map", "dump", "edge", "countrs"], 2, "it has: counters"),
        (["attach", "edge", "--program", "xdp_cont", "xdp", "-i", "lo"], 2, "it has: xdp_count"),
        (["inspect", "store:short:v3"], 1, "did you mean `short:v2`?"),
        (["tag", "shrt:v2", "x:y"], 1, "did you mean `short:v2`?"),
        (["rm", "short:v3"], 1, "did you mean `short:v2`?"),
        (["push", "registry.example/team/xdp_cuonter:v1"], 1, "did you mean `registry.example/team/xdp_counter:v1`?"),
        (["run", "--pull", "never", "--key", "k.pub", "xdp_counter", "xdp", "-i", "lo"], 1, f"`{_COUNTER}`?"),
        (["verify", "--pull", "never", "--key", "k.pub", "team/xdp_cuonter:v1"], 1, f"`{_COUNTER}`?"),
        (["tag", "xdp_counter:v1", "x:y"], 1, f"did you mean `{_COUNTER}`?"),
        (["get", "zzzz"], 1, "`bpfimg list` shows"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_names_that_are_nearly_right_are_answered_with_the_right_one(
    site: Site, words: list[str], code: int, hint: str
) -> None:
    assert hint in site.cli.error(*words, expect=code)["hint"]
