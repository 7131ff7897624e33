"""Kills writers of a store, hundreds of them, in the middle of whatever they do, and says what is left.

`python -m tests.support.store_killer STORE HOST KILLS SEED` works with images HOST/acme/xdp:v0, v1, ... of a registry.
Each round starts two writers as forks of this process (so that nothing has to be imported), lets them work for some
milliseconds, and kills both. Every few rounds the store is looked at. One line of JSON at the end: how many were
killed in the middle of which work, what was reported as done, what is wrong with the store (nothing, it is hoped).
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import suppress

from bpfimg.errors import Error
from bpfimg.oci import Layout, Memory, Registry, Repository, copy, places
from tests.support.targets import image, index, legacy_signature, referrer

IMAGES = 8
_LONGEST = 0.06  # seconds; a pull takes about 0.02
_LOOK = 20  # rounds


class Store:
    """What one round does to the store; each method prints the names that it has given, or taken, when it is done."""

    def __init__(self, path: str, host: str, number: int, tags: list[str]) -> None:
        self.path = path
        self.repository = Repository(host, "acme/xdp")
        self.number = number
        self.tags = tags
        self.layout = Layout(path, self.repository, short_names=False)

    def pull(self) -> list[str]:
        with Registry(self.repository) as remote:
            copy(remote, f"v{self.number % IMAGES}", self.layout, f"pull{self.number}")
        return [f"pull{self.number}"]

    def pull_a_digest(self) -> list[str]:
        with Registry(self.repository) as remote:
            copy(remote, remote.resolve(f"v{self.number % IMAGES}").digest, self.layout, None)
        return []

    def build(self) -> list[str]:
        """New content, an index over two platforms, a signature in both forms."""
        memory = Memory(self.repository)
        images = image(f"a{self.number}", "amd64"), image(f"b{self.number}", "arm64")
        for one in images:
            one.push(memory)
        both = index(*images)
        memory.push(both.descriptor, both.raw, tag="new")
        referrer(both.descriptor, f"{self.number}").push(memory)
        legacy_signature(f"{self.number}").push(memory, both.descriptor.digest.tag + ".sig")
        copy(memory, "new", self.layout, f"build{self.number}")
        return [f"build{self.number}"]

    def batch(self) -> list[str]:
        tags = [f"batch{self.number}-{each}" for each in range(12)]
        with places.stores.Batch(self.path) as batch:
            layout = Layout(self.path, self.repository, short_names=False, batch=batch)
            for tag in tags:
                referrer(image(tag).push(layout, tag), tag).push(layout)
        return tags

    def tag(self) -> list[str]:
        if not self.tags:
            return []
        places.stores.retag(self.layout, self.tags[0], self.layout, f"tag{self.number}")
        other = Layout(self.path, Repository("other.test", "xdp"), short_names=False)
        places.stores.retag(self.layout, self.tags[-1], other, f"tag{self.number}")
        return [f"tag{self.number}"]

    def prune(self) -> list[str]:
        places.stores.prune(self.path, older=0.0)
        return []

    def rm(self) -> list[str]:
        for tag in self.tags:
            with suppress(Error):
                self.layout.remove(tag)
        return []

    def fsck(self) -> list[str]:
        assert places.stores.fsck(self.path, repair=True).problems == ()
        return []


KINDS = (
    "pull",
    "pull",
    "pull",
    "build",
    "build",
    "batch",
    "batch",
    "tag",
    "prune",
    "prune",
    "rm",
    "pull_a_digest",
    "fsck",
)


def start(store: Store, kind: str) -> tuple[int, int]:
    """Forks a writer; returns its process and the end of a pipe from which the tags come that are there."""
    ours, theirs = os.pipe()
    process = os.fork()
    if process:
        os.close(theirs)
        return process, ours
    code = 1
    try:
        os.close(ours)
        done = getattr(store, kind)()
        os.write(theirs, "".join(f"{tag}\n" for tag in done).encode())
        code = 0
    except Error as error:  # what prunes everything may take away what another is about to name
        code = 3 if "no content" in str(error) or "has no" in str(error) else 4
        if code == 4:
            print(f"{kind}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(code)


def main(path: str, host: str, kills: int, seed: int) -> dict[str, object]:
    chance = random.Random(seed)
    killed: Counter[str] = Counter()
    ended: Counter[int] = Counter()
    there: set[str] = set()
    problems: list[str] = []
    number = 0
    while sum(killed.values()) < kills and not problems:
        writers = []
        for _ in range(2):
            number += 1
            kind = chance.choice(KINDS)
            some = chance.sample(sorted(there), min(len(there), 5))
            if kind == "rm":
                there -= set(some)
            writers.append((kind, *start(Store(path, host, number, some), kind)))
        for kind, process, pipe in writers:
            time.sleep(chance.random() * _LONGEST)  # any moment: there is no condition to wait for
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            if code == -signal.SIGKILL:
                killed[kind] += 1
            else:
                ended[code] += 1
            with open(pipe) as lines:
                there |= {line.strip() for line in lines if line.endswith("\n")}
        if number % (2 * _LOOK) == 0:
            problems += look(path, there)
    problems += look(path, there)
    return {"killed": killed, "ended": ended, "there": len(there), "problems": problems}


def look(path: str, there: set[str]) -> list[str]:
    """What is wrong: content, names, tags that were reported and are not there."""
    found = [f"{each.kind} {each.digest} {each.names} {each.what}" for each in places.stores.fsck(path).problems]
    names = {each.name.rpartition(":")[2] for each in places.stores.listing(path)}
    return found + [f"lost {tag}" for tag in there - names]


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
