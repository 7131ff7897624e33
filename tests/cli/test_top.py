"""`bpfimg top` where people sit, on a terminal, and where scripts do: real programs that really run."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.cli import check
from tests.support.objects import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cli import Cli
    from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel


@pytest.fixture
def busy(host: Cli, network: Namespace) -> Iterator[Cli]:
    """A host whose program sees packets all the time."""
    host("key", "generate", "k")
    host("build", "-t", "team/xdp_counter:v1", str(EXAMPLES / "xdp_counter.bpf.c"))
    host("sign", "-q", "--key", "k.key", "team/xdp_counter:v1")
    where = ["-i", network.interface, "--netns", network.path]
    host("run", "-q", "--key", "k.pub", "team/xdp_counter:v1", "xdp", *where)
    ping = ["nsenter", f"--net=/var/run/netns/{network.peer}", "ping", "-q", "-i", "0.01", network.address]
    with subprocess.Popen(ping, stdout=subprocess.DEVNULL) as sender:
        try:
            yield host
        finally:
            sender.kill()
    host("unload", "xdp_counter")


def test_each_look_is_a_document_with_what_ran_and_what_was_counted(busy: Cli) -> None:
    done = busy("top", "-o", "json", "--interval", "0.5", "--count", "2")
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    for look in (first, second):
        check("top", look)
        (program,) = look["programs"]
        assert (program["name"], program["application"]) == ("xdp_count", "xdp_counter")
        assert program["runs"] > 0
        assert program["runs_per_second"] > 0
        assert program["ns_per_run"] > 0
        packets = _packets(look)
        # counted by the kernel and by the program itself, nearly in the same time: more or less, on a busy machine
        assert 1 / 4 < packets["per_second"] / program["runs_per_second"] < 4
    assert _packets(second)["total"] > _packets(first)["total"]


def _packets(look: dict[str, list[dict[str, list[dict[str, float]]]]]) -> dict[str, float]:
    counters = next(each for each in look["maps"] if each["name"] == "counters")
    return next(each for each in counters["counters"] if each["id"] == "packets")


def test_blocks_of_text_and_ids_where_no_terminal_is(busy: Cli) -> None:
    said = busy("top", "--count", "1", "--interval", "0.3", "--all").stdout
    assert re.search(r"\d+ programs  ", said)
    assert re.search(r"xdp_count +xdp_counter +v", said)
    assert "\x1b" not in said
    assert "\0" not in said
    ids = busy("top", "--count", "1", "--interval", "0.3", "-q").stdout
    assert ids == busy("list", "-q").stdout
    ascii = busy("top", "--count", "1", "--interval", "0.3", PYTHONIOENCODING="ascii").stdout
    assert ascii.isascii()


def test_counting_ends_with_the_command(busy: Cli) -> None:
    busy("top", "--count", "1", "--interval", "0.2")
    number = busy("list", "-q").stdout.strip()
    deadline = time.monotonic() + 60
    while True:  # the kernel counts for everybody as long as anybody asks it to
        before = _counted(number)
        time.sleep(0.2)
        if _counted(number) == before:
            return
        assert time.monotonic() < deadline, "it goes on counting"


def _counted(number: str) -> int:
    said = json.loads(
        subprocess.run(["bpftool", "-j", "prog", "show", "id", number], capture_output=True, check=True).stdout
    )
    return int(said.get("run_cnt", 0))


class Screen:
    """`bpfimg top` on a terminal of 80 columns and 24 rows."""

    def __init__(self, cli: Cli, *words: str, **environ: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(
            ["setsid", "-c", sys.executable, "-m", "bpfimg", "top", "--interval", "0.2", *words],
            cwd=cli.folder,
            env={**os.environ, **cli.environ, "TERM": "xterm", "PYTHONUTF8": "1", **environ},
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        self.text = ""

    def until(self, pattern: str, *, times: int = 1) -> str:
        """Reads until the screen has shown that; returns all that came since the last call."""
        self.text = ""
        deadline = time.monotonic() + 60
        while len(re.findall(pattern, self.text)) < times:
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.text[-3000:]!r}"
            self._read(0.2)
        return self.text

    def _read(self, seconds: float) -> None:
        if select.select([self.master], [], [], seconds)[0]:
            self.text += os.read(self.master, 1 << 16).decode()

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def press(self, keys: str) -> None:
        """Presses keys."""
        os.write(self.master, keys.encode())

    def stopped(self) -> None:
        """Waits until it has stopped itself."""
        deadline = time.monotonic() + 60
        while Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2][0] != "T":
            assert time.monotonic() < deadline, "it goes on"
            time.sleep(0.02)

    def ended(self) -> int:
        """Waits for the end; the terminal is as it was."""
        code = self.process.wait(60)
        while select.select([self.master], [], [], 0.1)[0]:
            self._read(0)
        assert self.text.count("\x1b[?1049l") == self.text.count("\x1b[?25h") >= 1
        assert termios.tcgetattr(self.slave) == self.before
        os.close(self.master)
        os.close(self.slave)
        return code


def test_keys_on_a_terminal_and_a_clean_end(busy: Cli) -> None:
    with Screen(busy) as screen:
        shown = screen.until(r"[▁-█]{3}")
        assert "\x1b[?1049h" in shown
        assert "by cpu" in shown
        assert "ours" in shown
        assert "\x1b[1mID" in shown
        screen.press("s")
        screen.until("by runs")
        screen.press("p")
        screen.until("paused")
        screen.press("pa")
        assert "ours" not in screen.until(r"every 0.2 s", times=3).rpartition("\x1b[H")[2]
        screen.press("q")
        assert screen.ended() == 0


def test_no_colours_where_they_are_not_wanted(busy: Cli) -> None:
    with Screen(busy, NO_COLOR="1") as screen:
        assert not re.search(r"\x1b\[[0-9;]*m", screen.until("PROGRAM"))
        screen.press("q")
        assert screen.ended() == 0


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGQUIT, 131)],
)
def test_however_it_ends_the_terminal_is_as_it_was(busy: Cli, number: int, code: int) -> None:
    with Screen(busy) as screen:
        screen.until("by cpu", times=2)
        screen.process.send_signal(number)
        assert screen.ended() == code


def test_ctrl_z_gives_the_terminal_back_until_it_goes_on(busy: Cli) -> None:
    with Screen(busy) as screen:
        screen.until("by cpu")
        screen.press("\x1a")
        screen.until(re.escape("\x1b[?1049l"))
        screen.stopped()
        assert termios.tcgetattr(screen.slave) == screen.before
        screen.process.send_signal(signal.SIGCONT)
        screen.until(re.escape("\x1b[?1049h") + "(.|\n)*by cpu")
        screen.press("q")
        assert screen.ended() == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--interval", "0"), "--interval is '0', expected seconds from 0.1 to 3600"),
        (("--interval", "nan"), "--interval is 'nan', expected seconds"),
        (("--count", "0"), "--count is '0', expected a number from 1"),
        (("--sort", "size"), "--sort is 'size', expected cpu, runs, name"),
    ],
)
def test_what_cannot_be(cli: Cli, words: tuple[str, ...], says: str) -> None:
    assert says in cli("top", *words, expect=2).stderr
