"""`index.json`: one entry on each line for us, JSON like any other for everybody else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import ImageError, StoreError
from bpfimg.oci import Descriptor, Digest
from bpfimg.oci._store._entries import NAME, REPOSITORY, SINCE, SUBJECT, Entries

if TYPE_CHECKING:
    from pathlib import Path

KIND = "application/vnd.oci.image.manifest.v1+json"
ONE, TWO = Descriptor.of(b"one", KIND), Descriptor.of(b"two", KIND)


def parsed(document: object, **form: object) -> Entries:
    return Entries.parse(json.dumps(document, **form).encode(), "index.json")  # type: ignore[arg-type]


def entry(descriptor: Descriptor, **annotations: str) -> dict[str, object]:
    return {**descriptor.to_dict(), "annotations": annotations}


def reread(entries: Entries) -> Entries:
    return Entries.parse(entries.raw, "index.json")


@pytest.mark.parametrize("form", [{}, {"indent": 2}, {"separators": (",", ":")}, {"indent": "\t", "sort_keys": True}])
def test_what_others_wrote_is_found_and_kept(form: dict[str, object]) -> None:
    strange = ["strange", 7, None, [], {"a": [{"b": 1}, {"c": 2}]}, {**ONE.to_dict(), "annotations": None}]
    mine = [entry(ONE, **{NAME: "v1", "x": 'é\n\\ "},\n{" 😀'}), entry(TWO, **{NAME: 'a"b'})]
    before = parsed({"schemaVersion": 2, "annotations": {"theirs": "kept"}, "manifests": [*strange, *mine]}, **form)
    assert before.find(("v1",)) == ONE
    assert before.find(('a"b',)) == TWO
    before.put(TWO, {NAME: "v2"})
    for entries in (before, reread(before)):
        document = json.loads(entries.raw)
        assert document["manifests"] == [*strange, *mine, entry(TWO, **{NAME: "v2"})]
        assert document["annotations"] == {"theirs": "kept"}
        assert entries.find(("v3", "v2", "v1")) == TWO
        assert entries.find(("",)) is None


def test_each_entry_is_a_line_of_its_own() -> None:
    entries = parsed({"schemaVersion": 2, "manifests": []})
    assert json.loads(entries.raw) == {"schemaVersion": 2, "manifests": []}
    entries.put(ONE, {NAME: "v1"})
    entries.put(TWO, {NAME: "v2"})
    head, first, second, tail = entries.raw.split(b"\n")
    assert (head, tail) == (b'{"schemaVersion":2,"manifests":[', b"]}")
    assert json.loads(first.removesuffix(b",")) == entry(ONE, **{NAME: "v1"})
    assert json.loads(second) == entry(TWO, **{NAME: "v2"})


def test_lines_of_others_that_look_like_ours_are_parsed() -> None:
    """The first line as we write it, and then an entry of several lines: found by parsing, or not at all."""
    inner = json.dumps(entry(ONE, **{NAME: "v1"}))
    raw = b'{"schemaVersion":2,"manifests":[\n{"data":[' + inner.encode() + b",\n" + inner.encode() + b"]}\n]}"
    assert Entries.parse(raw, "index.json").find(("v1",)) is None
    raw = b'{"manifests":[\n{},\n{"data":[\n{}]}\n]}'
    assert list(Entries.parse(raw, "index.json")) == [{}, {"data": [{}]}]


def test_a_damaged_line_is_said() -> None:
    entries = parsed({"manifests": []})
    entries.put(ONE, {NAME: "v1"})
    entries.put(TWO, {NAME: "v2"})
    damaged = Entries.parse(entries.raw.replace(b'"v1"}', b'"v1")'), "index.json")
    with pytest.raises(StoreError, match="not valid JSON"):
        list(damaged)
    with pytest.raises(StoreError, match="not valid JSON"):
        damaged.find(("v1",))


class TestPut:
    def test_a_name_moves(self) -> None:
        entries = parsed({"manifests": [entry(ONE, **{NAME: "v1"}), entry(ONE, **{NAME: "v1"})]})
        assert entries.put(TWO, {NAME: "v1"})
        assert list(entries) == [entry(TWO, **{NAME: "v1"})]

    def test_the_same_again_changes_nothing_and_keeps_its_age(self) -> None:
        entries = parsed({"manifests": []})
        assert entries.put(ONE, {NAME: "v1", SINCE: "then"})
        raw = entries.raw
        assert not entries.put(ONE, {NAME: "v1", SINCE: "now"})
        assert entries.raw == raw
        assert entries.put(ONE, {NAME: "v1", SINCE: "now", "more": "x"})
        assert list(entries) == [entry(ONE, **{NAME: "v1", SINCE: "now", "more": "x"})]

    def test_one_digest_in_several_ways(self) -> None:
        entries = parsed({"manifests": []})
        ways = [
            {NAME: "a/b:v1"},
            {NAME: "a/b:v2"},
            {REPOSITORY: "a/b"},
            {REPOSITORY: "a/c"},
            {REPOSITORY: "a/b", SUBJECT: str(TWO.digest)},
            {REPOSITORY: "a/c", SUBJECT: str(TWO.digest)},
        ]
        for way in (*ways, *ways):
            entries.put(ONE, way)
        assert list(entries) == [entry(ONE, **way) for way in ways]
        assert entries.by_digest(ONE.digest) == ONE
        assert [found for found, _ in entries.unnamed(TWO.digest, "a/c")] == [ONE]
        assert list(entries.unnamed(ONE.digest, None)) == []


def test_what_is_kept_is_about_nothing() -> None:
    entries = parsed({"manifests": [ONE.to_dict()]})
    entries.put(TWO, {REPOSITORY: "a/b"})
    assert list(entries.unnamed(Digest.of(b"any"), None)) == [(ONE, False)]


def test_it_does_not_grow_beyond_what_can_be_read(tmp_path: Path) -> None:
    entries = parsed({"manifests": []})
    entries.put(ONE, {NAME: "v1"})
    with pytest.raises(StoreError, match="expected at most 100"):
        entries.save(str(tmp_path), 100)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "index.json").write_bytes(entries.raw)
    with pytest.raises(StoreError, match="more than 100 bytes"):
        Entries.load(str(tmp_path), 100)


def test_an_entry_that_is_none_is_named() -> None:
    with pytest.raises(ImageError, match="'v1'"):
        parsed({"manifests": [{"annotations": {NAME: "v1"}}]}).find(("v1",))


def test_the_same_signature_from_many_repositories_is_one_candidate() -> None:
    entries = parsed({"schemaVersion": 2, "manifests": []})
    for number in range(50):
        about = {SUBJECT: str(TWO.digest), REPOSITORY: f"a/b{number}"}
        assert entries.put(ONE, about)
        assert not entries.put(ONE, about)
    assert len(list(entries)) == 50
    for each in (entries, reread(entries)):
        assert list(each.unnamed(TWO.digest, None)) == [(ONE, True)]
        assert list(each.unnamed(TWO.digest, "a/b7")) == [(ONE, True)]
        assert list(each.unnamed(TWO.digest, "a/b")) == []


def test_an_entry_that_is_none_hides_no_other() -> None:
    """Fields in another order, or a size that is none: what is read later is the one that counts."""
    about = {SUBJECT: str(TWO.digest)}
    broken = {**entry(ONE, **about), "size": "many"}
    turned = dict(reversed(list(entry(ONE, **about).items())))
    same = {"mediaType": KIND, "annotations": about, "digest": str(TWO.digest), "size": TWO.size}
    entries = parsed({"schemaVersion": 2, "manifests": [broken, turned, same, entry(ONE, **about)]})
    found = [each for each, _ in entries.unnamed(TWO.digest, None)]
    assert set(found) == {ONE, TWO}
