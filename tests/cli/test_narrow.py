"""Tables on terminals of 80 columns, in pipes, and in locales that cannot spell everything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from bpfimg.cli._fit import dropped, fitted
from bpfimg.cli._render import columns
from tests.support.cli import Cli
from tests.support.netns import bpffs, namespace, skip_unless
from tests.support.objects import EXAMPLES
from tests.support.terminals import on_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLAIN = {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
LOCALES = (PLAIN, {"LANG": "C", "LC_ALL": ""}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C.UTF-8"})
APP, NOTE = "zähler-日本", "größe=高い"


class Site:
    """A host with an image of a long name and a program whose application and notes are not ASCII."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        network = stack.enter_context(namespace())
        environ = {"BPFIMG_STORE": str(folder / "store"), "BPFIMG_BPFFS": stack.enter_context(bpffs())}
        self.cli = Cli(folder, {**environ, "HOME": str(folder)})
        self.image = "registry.example.com/a-team-with-a-long-name/of-network-people/xdp_counter:v1.2.3-rc.4"
        self.cli("key", "generate", "k")
        self.cli("build", "-t", self.image, "--annotation", "x.title=日本語", str(EXAMPLES / "xdp_counter.bpf.c"))
        self.cli("sign", "--key", "k.key", self.image)
        words = ["--key", "k.pub", "--name", APP, "-m", NOTE, self.image, "xdp", "-i", network.interface]
        self.cli("run", *words, "--netns", network.name)
        (self.program,) = self.cli.json("programs", "list")["programs"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    skip_unless()
    with ExitStack() as stack:
        yield Site(stack, tmp_path_factory.mktemp("日本"))


def shown(site: Site, *words: str, width: int = 80, **environ: str) -> str:
    environ = {"TERM": "xterm", "NO_COLOR": "1", "LC_ALL": "C.UTF-8", **environ}
    argv = [sys.executable, "-m", "bpfimg", *words]
    return on_terminal(argv, site.cli.folder, {**site.cli.environ, **environ}, width)


@pytest.mark.parametrize("words", ["list", "links", "maps", "status", "map dump {} counters", "map dump {} .rodata"])
def test_no_line_is_wider_than_the_terminal(site: Site, words: str) -> None:
    lines = shown(site, *words.format(site.program["id"]).split()).splitlines()
    assert len(lines) > 1
    assert [line for line in lines if columns(line) > 80] == []


def test_ids_and_names_are_never_cut(site: Site) -> None:
    text = shown(site, "list", width=40)
    assert str(site.program["id"]) in text
    assert APP in text
    assert "xdp_count" in text
    assert "…" in text
    assert site.image in shown(site, "images", width=40), "the name is what people type again"


def test_a_pipe_gets_everything(site: Site) -> None:
    text = site.cli("list", COLUMNS="40").stdout
    assert "…" not in text
    assert "\x1b" not in text
    assert site.image in text


def test_the_head_is_bold_on_a_terminal_alone(site: Site) -> None:
    assert shown(site, "list", NO_COLOR="").startswith("\x1b[1mID")
    assert "\x1b" not in shown(site, "list")
    assert "\x1b" not in shown(site, "list", NO_COLOR="", TERM="dumb")


def test_columns_stand_below_each_other_whatever_the_script(site: Site) -> None:
    """Wide letters take two columns; what the locale cannot spell takes those of its escape."""
    for environ in LOCALES:
        head, line = shown(site, "list", width=200, **environ).splitlines()
        place = head.index("PROGRAM")
        before = line[: line.index("xdp_count")]
        assert columns(before) == place, environ


@pytest.mark.parametrize("environ", LOCALES, ids=",".join)
@pytest.mark.parametrize("words", ["list", "get {}", "links", "maps", "status", "images", "list -o json", "doctor",
    "export", "inspect {image}", "referrers {image}", "list --application 日本", "get é", "inspect ./日本.o",
    "map dump {} counters", "manual run", "complete fish get ", "verify --key 日本.pub {image}"])  # fmt: skip
def test_no_locale_brings_a_traceback(site: Site, words: str, environ: dict[str, str]) -> None:
    argv = words.format(site.program["id"], image=site.image).split(" ")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("BPFIMG_", "LC_", "LANG"))}
    done = subprocess.run(
        [sys.executable, "-m", "bpfimg", *argv],
        cwd=site.cli.folder,
        env={**kept, **site.cli.environ, **environ},
        capture_output=True,
        check=False,
    )
    assert b"Traceback" not in done.stderr, done.stderr
    assert done.returncode in (0, 1, 3)
    if "ascii" in environ.values() or environ is PLAIN:
        assert done.stdout.isascii()


@pytest.mark.parametrize(
    ("widths", "free", "room", "made"),
    [
        ([5, 40, 60], [1, 2], 80, [5, 35, 35]),
        ([5, 10, 60], [2], 80, [5, 10, 60]),
        ([5, 30, 60], [2], 60, [5, 30, 21]),
        ([5, 30, 60], [], 60, [5, 30, 60]),
        ([70, 30, 60], [2], 60, [70, 30, 12]),
    ],
)
def test_the_widest_gives_way_first(widths: list[int], free: list[int], room: int, made: list[int]) -> None:
    found = fitted(widths, free, room)
    assert found == made
    assert all(now <= before for now, before in zip(found, widths, strict=True))


def test_what_is_spare_goes_before_a_line_wraps() -> None:
    assert dropped([5, 30, 40, 9], [2], [3, 1], 80) == []
    assert dropped([5, 60, 40, 9], [2], [3, 1], 85) == [3]
    assert dropped([5, 60, 40, 9], [2], [3, 1], 40) == [3, 1]


def test_a_table_without_rows_and_a_terminal_without_size(site: Site) -> None:
    assert shown(site, "list", "--application", "none", width=0).split() == [
        *("ID", "APPLICATION", "PROGRAM", "TYPE", "ATTACHED", "IMAGE")
    ]
    assert re.search(r"\d", shown(site, "list", width=0))
