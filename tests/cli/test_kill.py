"""kill -9 of the command itself, at random moments: what is listed afterwards is what runs, and nothing leaks."""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.objects import EXAMPLES

if TYPE_CHECKING:
    from tests.support.cli import Cli
    from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel

KILLS = 40


def left(host: Cli) -> list[str]:
    """What lies in our directory of bpffs."""
    folder = f"{host.environ['BPFIMG_BPFFS']}/bpfimg"
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def test_killed_at_random_moments(host: Cli, network: Namespace) -> None:
    name, where = "localhost/xdp_counter:v1", ("xdp", "-i", network.interface, "--netns", network.name)
    host("key", "generate", "k")
    host("build", "-t", name, str(EXAMPLES / "xdp_counter.bpf.c"))
    host("sign", "--key", "k.key", name)
    run = ("run", "-q", "--key", "k.pub", "--pull", "never", name, *where)
    begun = time.monotonic()
    host(*run)
    span = 1.3 * (time.monotonic() - begun)
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    words: tuple[str, ...] = run
    for _ in range(KILLS):
        programs = host.json("programs", "list")["programs"]
        assert len(programs) <= 1
        attached = [link["state"] for program in programs for link in program["links"]]
        # off the interface, and still written down: what was killed is to be said again
        halfway = [["stale"]] if words[0] in ("detach", "unload") else []
        assert attached in ([], ["attached"], *halfway)
        if not programs:
            words = run
        elif not attached:
            words = ("attach", str(programs[0]["id"]), *where)
        else:
            link = programs[0]["links"][0]["id"]
            words = moments.choice([("detach", str(link)), ("unload", str(programs[0]["id"]))])
        victim = host.start(*words)
        time.sleep(moments.uniform(0, span))
        victim.kill()
        victim.communicate()
    # the next writer sweeps, and then nothing is there that is not listed
    for program in host.json("programs", "list")["programs"]:
        host("unload", str(program["id"]))
    host(*run)
    host("unload", "xdp_counter")
    assert left(host) == []
    assert network.ping(1)
