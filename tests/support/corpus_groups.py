"""All objects that the readers are held against: compiled here, and found in packages."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from tests.support import corpus, packages

if TYPE_CHECKING:
    from tests.support.corpus import Sample

#: One group for each place that objects come from; tests are repeated for each.
GROUPS = ("compiled", *packages.DEBIAN, *packages.PYPI)
every_group = pytest.mark.parametrize("group", GROUPS)


@functools.cache
def objects(group: str) -> tuple[Sample, ...]:
    """The objects of that group; skips the test, naming the package, where it cannot be had."""
    if group == "compiled":
        return corpus.compiled()
    try:
        return packages.found(group)
    except LookupError as error:
        pytest.skip(f"needs the package {group}: {error}")


def here() -> list[Sample]:
    """Every object that can be had now, without a skip: for those who want many rather than all."""
    found = list(corpus.compiled())
    for package in (*packages.DEBIAN, *packages.PYPI):
        try:
            found += packages.found(package)
        except LookupError:
            continue
    return found


def host_order() -> str:
    """The only byte order that this machine's libbpf opens."""
    import sys

    return "el" if sys.byteorder == "little" else "eb"
