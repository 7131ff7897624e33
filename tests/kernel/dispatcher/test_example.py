"""`examples/dispatchers/order.sh`, run as it stands: a counter stops behind a program in front of it, and goes on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bpfimg.kernel import bpf
from tests.support.features import native, needs
from tests.support.netns import skip_unless

pytestmark = [pytest.mark.kernel, needs("xdp")]

SCRIPT = Path(__file__).resolve().parents[3] / "examples" / "dispatchers" / "order.sh"
#: emulated kernels take half a minute for each; their auto is freplace
SLOW = native("runs on the machine's own kernel")
OTHERS = {"auto": [], "freplace": ["--dispatcher", "freplace"], "fused": ["--dispatcher", "fused"]}


def types(*words: str) -> str:
    """What the script prints; it fails where a command of it does."""
    path = f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin"
    kept = {key: text for key, text in os.environ.items() if not key.startswith("BPFIMG_")}
    done = subprocess.run(
        ["sh", str(SCRIPT), *words],
        env={**kept, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "words",
    [pytest.param(words, id=kind, marks=[] if kind == "freplace" else [SLOW]) for kind, words in OTHERS.items()],
)
def test_the_counter_stops_and_goes_on(words: list[str]) -> None:
    skip_unless()
    if "freplace" in words:
        needs("trampolines")
    said = types(*words)
    first, behind, again, alone = map(int, re.findall(r"^counted in a second: (\d+) packets$", said, re.M))
    assert first > 0
    assert behind == 0  # xdp_pass at 50 lets packets pass and ends the chain
    assert again > 0
    assert alone > 0
    sent, received = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", said).groups())  # type: ignore[union-attr]
    assert sent - received <= 1  # the last one may still be on its way
    printed = set(map(int, re.findall(r"^(\d+)$", said, re.M)))
    assert len(printed) == 2
    assert not printed & set(bpf.program_ids())
    assert "order" not in subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout
