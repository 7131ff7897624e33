"""Programs and maps, as libbpf itself sees them when it opens the object (through ctypes; nothing is loaded)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpfimg.bytecode import parse, section_rule
from tests.support import corpus_groups
from tests.support.corpus_groups import every_group
from tests.support.libbpf import libbpf, opened

if TYPE_CHECKING:
    from bpfimg.bytecode import ProgramSpec

#: Maps that libbpf 1.1 does not know of yet, though it opens the object: by the object's name.
NEWER_MAPS = {"struct_ops_link.el": {"mine", "second", "perhaps"}}  # .struct_ops.link came with 1.2


@every_group
def test_programs(group: str) -> None:
    libbpf()
    different = []
    for sample in corpus_groups.objects(group):
        if corpus_groups.host_order() not in sample.flags:
            continue
        witness = opened(sample.data)
        if witness is None:
            assert corpus_groups.not_opened(sample.name), sample.name
            continue
        for program in parse(sample.data).programs:
            found = [row for row in witness.programs if row[:2] == (program.name, program.section)]
            ours = (program.type_id, program.attach_type_id, program.instructions, program.autoload)
            if len(found) != 1 or found[0][2:] != ours:
                theirs = found[0] if found else None
                if theirs is None or not _explained(program, theirs):
                    different.append((sample.name, program.name, program.section, ours, theirs))
        names = {program.name for program in parse(sample.data).programs}
        if names != {row[0] for row in witness.programs}:
            different.append((sample.name, "names", "", names, witness.programs))  # type: ignore[arg-type]
    assert not different


def _explained(program: ProgramSpec, theirs: tuple[str, str, int, int, int, bool]) -> bool:
    """A section that this libbpf does not know, leaves unspecified, and we know; and struct_ops, where libbpf keeps in
    the attach type which member of the table the program is for."""
    unknown = section_rule(program.section) is not None and theirs[2:4] == (0, 0)
    member = program.type == "struct_ops" and theirs[2] == program.type_id
    return (unknown or member) and theirs[4:] == (program.instructions, program.autoload)


@every_group
def test_maps(group: str) -> None:
    """Type, sizes, max_entries and flags of every map."""
    libbpf()
    different = []
    for sample in corpus_groups.objects(group):
        if corpus_groups.host_order() not in sample.flags:
            continue
        witness = opened(sample.data)
        if witness is None:
            continue
        ours = {
            (spec.name, spec.type_id, spec.key_size, spec.value_size, spec.max_entries, spec.flags, spec.internal)
            for spec in parse(sample.data).maps
        }
        there = {row[0] for row in witness.maps}
        newer = NEWER_MAPS.get(sample.name, set()) - there
        ours = {row for row in ours if row[0] not in newer}
        if ours != witness.maps:
            different.append((sample.name, ours - witness.maps, witness.maps - ours))
    assert not different
