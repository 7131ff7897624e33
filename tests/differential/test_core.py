"""CO-RE relocations, as llvm-objdump 18 and newer writes them beside the code: kind, type, path."""

from __future__ import annotations

import re

import pytest

from bpfimg.btf import question
from bpfimg.bytecode import dissect
from tests.support import corpus_groups, corpus_tools
from tests.support.corpus_groups import every_group

# LLVM's words for `enum bpf_core_relo_kind`, by number.
_WORDS = "byte_off byte_sz field_exists signed lshift_u64 rshift_u64 local_type_id target_type_id type_exists type_size"
KINDS = (*_WORDS.split(), "enumval_exists", "enumval_value", "type_matches")
_FIELD = re.compile(r"(?:(?:struct|union|enum|typedef) )?(.*?)(?:::(.*))? \(([0-9:]+)\)$")


def theirs(data: bytes) -> list[tuple[str, int, int, int, str]]:
    """Section, offset, kind, type, and what follows, of each relocation."""
    tool = corpus_tools.newest("llvm-objdump")
    number = re.search(r"\d+$", tool)
    if number is None or int(number[0]) < 18:
        pytest.skip("needs llvm-objdump 18 or newer (Debian: llvm-19) to compare CO-RE relocations with")
    return [
        (section, at, KINDS.index(kind), type_id, words)
        for section, code in corpus_tools.objdump(data).items()
        for at, (kind, type_id, words) in code.core.items()
    ]


@every_group
def test_relocations(group: str) -> None:
    different = []
    for sample in corpus_groups.objects(group):
        found = dissect(sample.data)
        rows = theirs(sample.data)
        if found.ext is None or found.types is None:
            assert not rows
            continue
        ours = {
            (section, each.offset, each.kind, each.type_id): each
            for section, relocations in found.ext.core.items()
            for each in relocations
        }
        if {row[:4] for row in rows} != set(ours):
            different.append((sample.name, {row[:4] for row in rows} ^ set(ours)))
            continue
        for row in rows:
            relocation = ours[row[:4]]
            subject = question(found.types, relocation).subject
            if not _same(row[4], subject, relocation.access):
                different.append((sample.name, row, subject, relocation.access))
    assert not different


def _same(their_words: str, subject: str, access: str) -> bool:
    """Whether LLVM's words and ours name the same thing. Ours leave out a flavour (`___new`), as the kernel does,
    anonymous members, and qualifiers."""
    words = re.sub(r"<anon \d+>\.", "", re.sub(r"<anon \d+>$", "{...}", their_words))
    words = re.sub(r"^((const|volatile|restrict) )+", "", words).replace("typedef ", "")
    if match := _FIELD.match(words):
        name, path, numbers = match.groups()
        between = "." if path and not path.startswith("[") else ""  # "t::[1].field" is an element of an array of t
        whole = name.partition("___")[0] + between + (path or "")
        return numbers == access and subject == whole
    if "::" in words:  # enum state::BUSY = 7
        enum, _, rest = words.partition("::")
        return subject == f"{rest.partition(' = ')[0]} of {enum.partition('___')[0]}"
    return words.partition("___")[0] == subject
