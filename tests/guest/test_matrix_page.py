"""docs/how-to/kernel-matrix.md, typed as it stands; its kernels are those that the tests have fetched."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tests.support.following import reader
from tests.support.guest import kernels
from tests.support.guest.seeded import kernels_cache
from tests.support.pages import DOCS
from tests.support.replay import replay

if TYPE_CHECKING:
    from pathlib import Path

#: the page does not change whenever Debian's kernels do
SHOWN = {"6.1": "6.1.0-50-amd64", "6.12": "6.12.107+deb13-amd64"}


def test_the_page_on_kernels_shows_what_is_printed(tmp_path: Path) -> None:
    cache = kernels_cache(tmp_path / "kernels")
    known = {word: (cache / f"{suite}.json").read_text() for word, suite in kernels.SUITES.items()}
    releases = {word: json.loads(text)["folder"] for word, text in known.items()}
    with reader() as person:
        person.does(f"export BPFIMG_KERNELS_CACHE={cache}")

        def types(line: str) -> str:
            printed = person.types(line)
            for word, folder in releases.items():
                printed = printed.replace(folder.removeprefix("linux-image-").removesuffix("_0"), SHOWN[word])
            return re.sub(r"linux-image-(\S+)_0/", r"linux-image-\1/", printed)

        replay(DOCS / "how-to" / "kernel-matrix.md", types, person.does)
