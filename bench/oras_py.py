"""What a user of oras-py writes: `pull REF FOLDER`, `push REF FILE`, `many LIST FOLDER THREADS`; for `make bench`.

Over several threads each has a `Registry` of its own: one holds a single token that it changes.
"""

from __future__ import annotations

import os
import sys

#: what other packages of this environment bring along and oras-py alone does not: jsonschema imports them for 0.5 s
_NOT_ITS_OWN = ("fqdn", "isoduration", "jsonpointer", "rfc3339_validator", "rfc3986_validator", "rfc3987_syntax")
sys.modules.update(dict.fromkeys((*_NOT_ITS_OWN, "rfc3987", "uri_template", "webcolors")))  # type: ignore[arg-type]

from oras.provider import Registry  # noqa: E402


def pull(reference: str, folder: str) -> None:
    """One image into a folder."""
    Registry(insecure=True).pull(target=reference, outdir=folder)


def push(reference: str, path: str) -> None:
    """One file as an image of one layer."""
    file = f"{path}:application/vnd.oci.image.layer.v1.tar+gzip"
    Registry(insecure=True).push(target=reference, files=[file], disable_path_validation=True, quiet=True)


def many(listed: str, folder: str, threads: str) -> None:
    """Each image of a list into a folder of its own."""
    with open(listed, encoding="utf-8") as lines:
        names = [(number, name.strip()) for number, name in enumerate(lines)]

    def bring(rows: list[tuple[int, str]]) -> None:
        registry = Registry(insecure=True)
        for number, name in rows:
            os.mkdir(f"{folder}/{number}")
            registry.pull(target=name, outdir=f"{folder}/{number}")

    count = int(threads)
    if count == 1:
        bring(names)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(bring, names[at::count]) for at in range(count)]:
            done.result()


if __name__ == "__main__":
    {"pull": pull, "push": push, "many": many}[sys.argv[1]](*sys.argv[2:])
