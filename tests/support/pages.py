"""Pages of `docs/` as somebody types them: the boxes of a section, and the machines that their prompts stand for."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bpfimg.errors import quoted
from tests.support.cli import Cli

DOCS = Path(__file__).resolve().parents[2] / "docs"
TRUST, ATTESTATIONS = ((DOCS / name).read_text() for name in ("trust.md", "attestations.md"))
BOX = re.compile(r"^```(\w+)\n(.*?)^```$", re.S | re.M)
LINE = re.compile(r"^(\w+)\$ (.*)$")


def section(title: str, page: str = TRUST) -> str:
    """The text below a heading, up to the next heading of whatever level."""
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", page, re.S | re.M)
    assert found is not None, f"the page has no heading {quoted(title)}"
    return found[1]


def boxes(title: str, kind: str, page: str = TRUST) -> list[str]:
    """The boxes of one kind in a section."""
    return [text for word, text in BOX.findall(section(title, page)) if word == kind]


def lines(box: str) -> list[tuple[str, str]]:
    """The prompt and the command of each line; `\\` at an end joins, and what stands behind ` #` is for people."""
    found = []
    for line in box.replace("\\\n", "").splitlines():
        match = LINE.match(line)
        assert match is not None, f"{quoted(line)} has no prompt"
        found.append((match[1], re.sub(r"\s+#.*$", "", match[2])))
    return found


@dataclass(slots=True)
class Reader:
    """Somebody with several machines, each with a store, a policy and a memory, who carries files between them.

    `names` are patterns of what stands in the page, and what it is here, as re.sub has them.
    """

    folder: Path
    names: dict[str, str]

    def here(self, text: str) -> str:
        for there, here in self.names.items():
            text = re.sub(there, here, text)
        return text

    def machine(self, prompt: str) -> Cli:
        home = self.folder / f".{prompt}"
        home.mkdir(exist_ok=True)
        policy = self.folder / ("policy.json" if prompt == "inside" else f"{prompt}-policy.json")
        return Cli(
            self.folder,
            {
                "HOME": str(home),
                "BPFIMG_STORE": str(home / "store"),
                "BPFIMG_STATE": str(home / "history"),
                "BPFIMG_POLICY": str(policy),
                "PATH": f"{self.folder}/bin:{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin",
            },
        )

    def types(self, box: str, **environ: str) -> list[str]:
        """What each machine prints in its turn; every command must succeed."""
        turns: list[tuple[str, list[str]]] = []
        for prompt, command in lines(box):
            if not turns or turns[-1][0] != prompt:
                turns.append((prompt, []))
            turns[-1][1].append(self.here(command))
        return [self.script(prompt, "\n".join(commands), **environ) for prompt, commands in turns]

    def script(self, prompt: str, script: str, **environ: str) -> str:
        # nothing is but a loopback that is down: no interface, no registry, no service
        place = ["unshare", "--net"] if prompt == "inside" else []
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("BPFIMG_", "COSIGN_"))}
        done = subprocess.run(
            [*place, "sh", "-ec", script],
            cwd=self.folder,
            env={**kept, "COSIGN_PASSWORD": "x", **self.machine(prompt).environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{script}\nended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def write(self, name: str, document: object) -> None:
        path = self.folder / name
        path.write_text(json.dumps(document))
        path.chmod(0o644)
