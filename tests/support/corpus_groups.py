"""All objects that the readers are held against: compiled here, and found in packages."""

from __future__ import annotations

import functools
import re
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support import corpus, packages

if TYPE_CHECKING:
    from tests.support.corpus import Sample

#: One group for each place that objects come from; tests are repeated for each.
GROUPS = ("compiled", *packages.DEBIAN, *packages.PYPI)
every_group = pytest.mark.parametrize("group", GROUPS)


#: Objects that libbpf 1.1 does not open and we read: pattern of the name -> reason.
NOT_OPENED = {
    r"map_legacy|:invalid_map-|:invalid_map_static|:iproute2_map|:subprog_reloc|:manyprogs": "old maps",
    r"^mitmproxy-linux|^suricata|^opensnitch|:loader-clang-7": "old maps, in one section or each in its own",
    r"^ir-keytable": "old maps in sections like lirc_mode2/maps, for the loader that comes with them",
    r"^section_static\.|:loader-clang-(9|14)": "a static function in a program's section",
    r"^map_static\.": "a static map",
    r"^linked_caller\.|^subprogram_extern\.|:fwd_decl": "half of a program: it calls what another object has",
    r"^isa_arena\.": "global variables in an arena are newer",
}


def not_opened(name: str) -> bool:
    """Whether it is known why libbpf does not open that object."""
    return any(re.search(pattern, name) for pattern in NOT_OPENED)


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
    return "el" if sys.byteorder == "little" else "eb"
