"""The README's commands, run as written: what they print is what it says, but for ids, digests and the port.

`BPFIMG_WRITE_README=1` writes today's output into the README instead of comparing.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.netns import bpffs, namespace, skip_unless
from tests.support.registry import registry
from tests.support.replay import replay

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).resolve().parents[2]


class Reader:
    """Somebody who types what the README says, on a host with an interface eth1 and a registry on port 5000."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.network = stack.enter_context(namespace())
        self.mount = stack.enter_context(bpffs())
        self.host = stack.enter_context(registry(folder)).host
        self.folder = folder / "home"
        self.folder.mkdir()
        (self.folder / "examples").symlink_to(ROOT / "examples")
        for state in ("down", "name eth1 up"):
            self.network.exec(["ip", "link", "set", "dev", self.network.interface, *state.split()])
            if state == "down":
                self.network.exec(["ip", "link", "set", "dev", self.network.interface, "name", "eth1"])
                self.network = type(self.network)(
                    self.network.name, self.network.peer, "eth1", "10.77.0.1", self.network.peer_interface, "10.77.0.2"
                )

    def types(self, line: str) -> str:
        """What the terminal shows after a command."""
        # the registry listens on the host's loopback, the interface is in the namespace
        place = [] if line.startswith("bpfimg push") else ["nsenter", f"--net={self.network.path}"]
        path = f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin"
        done = subprocess.run(
            [*place, "sh", "-c", line.replace("127.0.0.1:5000", self.host)],
            cwd=self.folder,
            env={
                "PATH": path,
                "HOME": str(self.folder),
                "COSIGN_PASSWORD": "",
                "BPFIMG_STORE": str(self.folder / "store"),
                "BPFIMG_BPFFS": self.mount,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout.replace(self.host, "127.0.0.1:5000").replace(self.mount, "/sys/fs/bpf")


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    skip_unless()
    if os.path.exists("/etc/bpfimg/policy.json"):
        pytest.skip("needs a host without a trust policy of its own")
    with ExitStack() as stack:
        yield Reader(stack, tmp_path)


def test_the_python_in_it_runs(reader: Reader) -> None:
    """With the places of this test in place of the host's."""
    for line in (
        "bpfimg key generate release",
        "bpfimg build -t 127.0.0.1:5000/team/xdp_counter:v1 examples/bytecode/xdp_counter.bpf.c",
        "bpfimg sign --key release.key 127.0.0.1:5000/team/xdp_counter:v1",
    ):
        reader.types(line)
    policy = {
        "version": 1,
        "default": "deny",
        "authorities": {"release": {"type": "key", "keyPaths": [f"{reader.folder}/release.pub"]}},
        "rules": [{"scope": f"{reader.host}/team/**", "requireAny": ["release"]}],
    }
    (reader.folder / "policy.json").write_text(json.dumps(policy))
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    for there, here in (
        ("/var/lib/bpfimg/store", f"{reader.folder}/store"),
        ("/etc/bpfimg/policy.json", f"{reader.folder}/policy.json"),
        ("/sys/fs/bpf", reader.mount),
        ("127.0.0.1:5000", reader.host),
    ):
        program = program.replace(there, here)
    (reader.folder / "program.py").write_text(program)
    printed = reader.types("python program.py")
    assert printed.startswith("xdp_counter eth1 ['release sha256:"), printed
    assert reader.types("bpfimg unload xdp_counter").endswith("(xdp_counter)\n")


def test_every_command_prints_what_the_readme_says(reader: Reader) -> None:
    replay(ROOT / "README.md", reader.types)
