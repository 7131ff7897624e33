"""Types, as `bpftool -j btf dump` lists them, and names, as `bpftool gen skeleton` gives them to C."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from bpfimg.btf import kinds
from bpfimg.bytecode import dissect, parse
from tests.support import corpus_groups, corpus_tools
from tests.support.corpus_groups import every_group

if TYPE_CHECKING:
    from bpfimg.btf import Btf
    from tests.support.corpus_tools import Skeleton

_KINDS = {getattr(kinds, word): word for word in ("INT", "PTR", "ARRAY", "STRUCT", "UNION", "ENUM", "FWD", "TYPEDEF")}
_KINDS |= {getattr(kinds, word): word for word in ("VOLATILE", "CONST", "RESTRICT", "FUNC", "FUNC_PROTO", "VAR")}
_KINDS |= {getattr(kinds, word): word for word in ("DATASEC", "FLOAT", "DECL_TAG", "TYPE_TAG", "ENUM64")}
_LINKAGE = {"static": 0, "global": 1, "extern": 2}
_ENCODINGS = {"(none)": 0, "SIGNED": 1, "CHAR": 2, "BOOL": 4}
_REFERRING = {"PTR", "TYPEDEF", "VOLATILE", "CONST", "RESTRICT", "FUNC", "VAR", "TYPE_TAG", "DECL_TAG"}
_SIZED = {"INT", "STRUCT", "UNION", "ENUM", "FLOAT", "ENUM64"}

#: Maps that bpftool 7.1 has no name for, or its libbpf does not know: pattern of the object's name -> our names.
NOT_SEEN = {
    r"^map_fields\.": {"bss_tree"},  # .bss.NAME
    r"^struct_ops_link\.": {"mine", "second", "perhaps"},  # .struct_ops.link
}

#: Variables that bpftool 7.5 shows and we do not: pattern of the object's name -> its name of the map, their names.
#: What lies in an arena is no map's whole value: it is neither listed nor set.
NOT_OURS = {r"^isa_arena\.": ("arena", {"shared"})}

#: BTF that libbpf 1.5 refuses and 1.1 does not: clang leaves a function's type unset, so it is some number.
REFUSED = re.compile(r"\.lines-only$")


def name(btf: Btf, offset: int) -> str:
    return btf.string(offset) or "(anon)"


def ours(btf: Btf, type_id: int) -> dict[str, Any]:
    """One type in bpftool's words, as far as our reader decodes it."""
    kind = btf.kind(type_id)
    word = _KINDS[kind]
    found: dict[str, Any] = {"id": type_id, "kind": word, "name": btf.name(type_id) or "(anon)"}
    if word in _SIZED:
        found["size"] = btf.target(type_id)
    if word in _REFERRING:
        found["type_id"] = btf.target(type_id)
    if word == "INT":
        found["encoding"], found["bits"] = btf.integer(type_id), btf.integer_bits(type_id)
    elif word == "ARRAY":
        found["type_id"], found["nr_elems"] = btf.array(type_id)
    elif word in ("STRUCT", "UNION"):
        found["members"] = [(name(btf, member), *rest) for member, *rest in btf.fields(type_id)]
    elif word in ("ENUM", "ENUM64"):
        found["values"] = [(name(btf, value), number) for value, number in btf.enumerators(type_id)]
    elif word == "FUNC":
        found["linkage"] = btf.length(type_id)
    elif word == "VAR":
        found["linkage"] = btf.linkage(type_id)
    elif word == "DATASEC":
        found["vars"] = list(btf.variables(type_id))
    elif word == "FWD":
        found["fwd_kind"] = "union" if btf.flag(type_id) else "struct"
    elif word == "FUNC_PROTO":
        found["ret_type_id"] = btf.target(type_id)
        found["params"] = [(name(btf, parameter), target) for parameter, target in btf.parameters(type_id)]
    return found


def theirs(row: dict[str, Any]) -> dict[str, Any]:
    """The same fields of a row of bpftool's."""
    word = row["kind"]
    found: dict[str, Any] = {"id": row["id"], "kind": word, "name": row["name"]}
    if word in _SIZED:
        found["size"] = row["size"]
    if word in _REFERRING:
        found["type_id"] = row["type_id"]
    if word == "INT":
        found["encoding"] = _ENCODINGS[row["encoding"]]
        found["bits"] = row["bits_offset"], row["nr_bits"]
    elif word == "ARRAY":
        found["type_id"], found["nr_elems"] = row["type_id"], row["nr_elems"]
    elif word in ("STRUCT", "UNION"):
        found["members"] = [
            (member["name"], member["type_id"], member["bits_offset"], member.get("bitfield_size", 0))
            for member in row["members"]
        ]
    elif word in ("ENUM", "ENUM64"):
        # clang before 15 does not mark a signed enum: bpftool then prints -1 as 2^64 - 1, and we as 2^32 - 1
        old = word == "ENUM" and row["encoding"] == "UNSIGNED"
        found["values"] = [(each["name"], each["val"] & 0xFFFFFFFF if old else each["val"]) for each in row["values"]]
    elif word in ("FUNC", "VAR"):
        found["linkage"] = _LINKAGE[row["linkage"]]
    elif word == "DATASEC":
        found["vars"] = [(var["type_id"], var["offset"], var["size"]) for var in row["vars"]]
    elif word == "FWD":
        found["fwd_kind"] = row["fwd_kind"]
    elif word == "FUNC_PROTO":
        found["ret_type_id"] = row["ret_type_id"]
        found["params"] = [(parameter["name"], parameter["type_id"]) for parameter in row["params"]]
    return found


@every_group
def test_types(group: str) -> None:
    different = []
    refused = []
    for sample in corpus_groups.objects(group):
        types = dissect(sample.data).types
        if types is None:
            continue
        rows = corpus_tools.btf_dump(sample.data)
        if rows is None:
            functions = [types.target(n) for n in range(1, len(types)) if types.kind(n) == kinds.FUNC]
            if not REFUSED.search(sample.name) or not functions or min(functions) < len(types):
                refused.append(sample.name)
            continue
        assert len(rows) == len(types) - 1, sample.name
        for row in rows:
            mine, other = ours(types, row["id"]), theirs(row)
            if mine != other:
                different.append((sample.name, mine, other))
    assert not different
    assert not refused


@every_group
def test_sizes_of_globals(group: str) -> None:
    """The type of a global, followed by hand through bpftool's rows, has the size that we report."""
    for sample in corpus_groups.objects(group):
        found = parse(sample.data)
        rows = corpus_tools.btf_dump(sample.data) if found.globals else None
        if rows is None:
            continue
        by_id = {row["id"]: row for row in rows}
        sections = {row["name"]: row for row in rows if row["kind"] == "DATASEC"}
        for spec in found.globals:
            variables = [by_id[var["type_id"]] for var in sections[spec.section]["vars"]]
            sizes = {size_of(by_id, var["type_id"]) for var in variables if var["name"] == spec.name}
            # a variable whose last member has no length ends after its type
            more = spec.name == "flexible" and spec.size > min(sizes)
            assert spec.size in sizes or more, (sample.name, spec.name, spec.size, sizes)


def size_of(rows: dict[int, dict[str, Any]], type_id: int) -> int:
    row = rows[type_id]
    if row["kind"] == "ARRAY":
        return int(row["nr_elems"]) * size_of(rows, row["type_id"])
    if row["kind"] == "PTR":
        return 8
    return int(row["size"]) if "size" in row else size_of(rows, row["type_id"])


@every_group
def test_names(group: str) -> None:
    different = []
    not_opened = []
    for sample in corpus_groups.objects(group):
        if corpus_groups.host_order() not in sample.flags:
            continue
        skeleton = corpus_tools.skeleton(sample.data)
        if skeleton is None:
            not_opened.append(sample.name)
            continue
        dissection = dissect(sample.data)
        found = dissection.object
        static = {symbol.name for symbol in dissection.elf.symbols if symbol.local}
        programs = {program.name for program in found.programs}
        if programs != skeleton.programs:
            different.append((sample.name, "programs", programs, skeleton.programs))
        maps = {plain(spec.name) for spec in found.maps}
        for pattern, names in NOT_SEEN.items():
            if re.search(pattern, sample.name):
                assert names <= maps
                maps -= names - skeleton.maps  # a newer bpftool has them
        if maps != skeleton.maps:
            different.append((sample.name, "maps", maps, skeleton.maps))
        variables: dict[str, set[str]] = {}
        for spec in found.globals:
            variables.setdefault(plain(spec.section), set()).add(spec.name)
        without_arenas(sample.name, skeleton, variables)
        for section, names in skeleton.variables.items():
            if not names <= variables.get(section, set()):
                different.append((sample.name, section, variables.get(section, set()), names))
            hidden = variables.get(section, set()) - names - static
            if hidden and hidden - concealed(sample.data):
                different.append((sample.name, section, hidden, "not in the skeleton"))
    assert not different
    newer = {"global_sections.el"}  # bpftool 7.1 has a libbpf of its own, which does not know .bss.NAME
    assert not [each for each in not_opened if each not in newer and not corpus_groups.not_opened(each)]


def without_arenas(sample: str, skeleton: Skeleton, variables: dict[str, set[str]]) -> None:
    for pattern, (section, names) in NOT_OURS.items():
        if re.search(pattern, sample):
            assert skeleton.variables.pop(section) == names
            assert section not in variables


def concealed(data: bytes) -> set[str]:
    """The variables of hidden or internal visibility: bpftool 7.5 leaves them out as it does static ones."""
    from elftools.elf.elffile import ELFFile

    table: Any = ELFFile(io.BytesIO(data)).get_section_by_name(".symtab")
    words = {"STV_HIDDEN", "STV_INTERNAL"}
    return {symbol.name for symbol in table.iter_symbols() if symbol["st_other"]["visibility"] in words}


def plain(section: str) -> str:
    """bpftool's name in C for a map: ".rodata.own" -> "rodata_own"."""
    return section.lstrip(".?").replace(".", "_")
