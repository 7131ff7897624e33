"""The report and everything else that is made of an object, for every object there is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from bpfimg.bytecode import dissect
from bpfimg.inspect import report
from tests.fuzz import targets
from tests.support import corpus_groups, packages
from tests.support.cli import check
from tests.support.corpus_groups import every_group

_LARGE = 300 << 10  # what is done with every type of such an object takes its time; one of them is enough


@every_group
def test_report(group: str) -> None:
    """It keeps its schema, and says in JSON what the values say (which the other tests here hold against others)."""
    for sample in corpus_groups.objects(group):
        found = dissect(sample.data)
        said = json.loads(json.dumps(report(found, types=True, core=True), allow_nan=False))
        digest = f"sha256:{hashlib.sha256(sample.data).hexdigest()}"
        check("object", {**said, "id": digest, "object_digest": digest})  # these two are the command's
        assert [(row["name"], row["section"], row["type"], row["instructions"]) for row in said["programs"]] == [
            (program.name, program.section, program.type, program.instructions) for program in found.object.programs
        ]
        assert [(row["name"], row["key_size"], row["value_size"], row["max_entries"]) for row in said["maps"]] == [
            (spec.name, spec.key_size, spec.value_size, spec.max_entries) for spec in found.object.maps
        ]
        assert [(row["name"], row["offset"], row["size"]) for row in said["globals"]] == [
            (spec.name, spec.offset, spec.size) for spec in found.object.globals
        ]


@every_group
def test_every_step(group: str) -> None:
    """Nothing raises, the object without DWARF is the same object, and the labels made of it agree with it."""
    objects = [sample for sample in corpus_groups.objects(group) if len(sample.data) <= _LARGE]
    for sample in objects or corpus_groups.objects(group)[:1]:
        assert targets.exercise(sample.data, every=True), sample.name


def test_carving(tmp_path: Path) -> None:
    """Objects inside other files: whole, wherever they are, and nothing that only begins like one."""
    (first, *_) = corpus_groups.objects("compiled")
    data = first.data
    inside = b"\x7fELF\x01\x01noise" + data + b"\x7fELF\x02\x01" + bytes(40) + data[:4] + data
    assert [(at, found) for at, found in packages.carve(inside)] == [
        (11, data),
        (len(inside) - len(data), data),
    ]
    assert list(packages.carve(Path("/bin/sh").read_bytes())) == []
