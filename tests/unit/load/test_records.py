"""Records: JSON and back, tolerant to keys of later versions, strict on the version itself."""

from __future__ import annotations

import json

import pytest

from bpfimg._value import replace
from bpfimg.errors import DamagedRecord, UsageError
from bpfimg.load._image_record import ImageRecord, SignerRecord
from bpfimg.load._origin import Origin, check_words
from bpfimg.load._records import LinkRecord, LoadRecord, ProgramRecord, decode, encode

IMAGE = ImageRecord(
    reference="registry.example/xdp_count:v1",
    digest="sha256:" + "a" * 64,
    manifest="sha256:" + "b" * 64,
    policy="/etc/bpfimg/policy.json",
    rule="team",
    signers=(
        SignerRecord("release", key="sha256:" + "c" * 64, format="legacy"),
        SignerRecord(
            "ci",
            identity="https://ci.example/team/x/.ci.yml@refs/tags/v1",
            issuer="https://ci.example",
            format="bundle",
            signed_at="2026-01-02T03:04:05Z",
            logs=("https://log.example",),
            stamps=("tsa.example",),
        ),
    ),
    pull="missing",
    policy_digest="sha256:" + "e" * 64,
    version="1.2.3",
)
LOAD = LoadRecord(
    name="xdp_count",
    programs=(ProgramRecord("xdp_count", 17, "xdp", "xdp"), ProgramRecord("other", 18, "sched_cls", "tc")),
    maps=(("counters", 3), (".rodata", 4)),
    image=IMAGE,
    globals={"sample": "100"},
    metadata={"team": "net \u00e4"},
    created="2026-01-02T03:04:05Z",
    bpfimg="0.1.0",
    global_types={"sample": "__u32"},
    shared={"counters": "load 12"},
    map_access={"group": 33, "mode": 0o640},
)
XDP = LinkRecord(
    id=9,
    program_id=17,
    program_name="xdp_count",
    hook="xdp",
    how="link",
    created="2026-01-02T03:04:05Z",
    spec={
        "interface": "eth0",
        "priority": 50,
        "proceed_on": ["pass", "dispatcher_return"],
        "mode": "auto",
        "netns": "/run/netns/blue",
    },
    where="eth0",
    ifindex=4,
    netns_inode=4026532000,
    used_mode="generic",
    details={},
    note="the driver has no XDP",
    metadata={"a": "b"},
)
CLSACT = LinkRecord(
    id=10,
    program_id=18,
    program_name="other",
    hook="tc",
    how="clsact",
    created="2026-01-02T03:04:05Z",
    spec={
        "interface": "eth0",
        "direction": "egress",
        "priority": 50,
        "proceed_on": ["pipe", "dispatcher_return"],
    },
    where="eth0 egress",
    ifindex=4,
    netns_inode=4026532000,
    clsact_priority=50,
    details={},
    metadata={},
)
TRACEPOINT = LinkRecord(
    id=11,
    program_id=19,
    program_name="t",
    hook="tracepoint",
    how="link",
    created="",
    spec={"group": "a", "name": "b"},
    where="a/b",
    details={"id": 7},
    parts=2,
    metadata={},
)


def fields(record: object) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__slots__}  # type: ignore[attr-defined]


def test_a_load_survives_the_round_trip() -> None:
    again = LoadRecord.from_dict(decode(encode(LOAD)))
    assert again.to_dict() == LOAD.to_dict()
    assert again.id == 17
    assert again.image is not None
    assert fields(again.image) == fields(IMAGE)


@pytest.mark.parametrize("record", [XDP, CLSACT, TRACEPOINT], ids=lambda record: record.hook)
def test_a_link_survives_the_round_trip(record: LinkRecord) -> None:
    assert fields(LinkRecord.from_dict(decode(encode(record)), record.id)) == fields(record)


def test_a_local_object_has_no_image() -> None:
    assert LoadRecord.from_dict(decode(encode(replace(LOAD, image=None)))).image is None


def test_the_shape_that_other_tools_read() -> None:
    document = json.loads(encode(CLSACT))
    assert document["version"] == 1
    assert document["program"] == {"id": 18, "name": "other"}
    assert document["hook"]["kind"] == "tc"
    assert document["hook"]["direction"] == "egress"
    assert document["clsact"] == {"priority": 50}
    assert json.loads(encode(XDP))["mode"] == "generic"
    assert json.loads(encode(LOAD))["maps"] == [{"name": "counters", "id": 3}, {"name": ".rodata", "id": 4}]


def test_keys_of_later_versions_are_left_alone() -> None:
    document = LOAD.to_dict() | {"new": 1}
    document["programs"] = [{**program, "new": 2} for program in document["programs"]]  # type: ignore[attr-defined]
    assert LoadRecord.from_dict(document).to_dict() == LOAD.to_dict()


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_version_is_not_guessed_at(version: object) -> None:
    with pytest.raises(DamagedRecord, match="expected 1"):
        LoadRecord.from_dict(LOAD.to_dict() | {"version": version})
    with pytest.raises(DamagedRecord, match="expected 1"):
        LinkRecord.from_dict(XDP.to_dict() | {"version": version}, 9)


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        1,
        "x",
        {},
        {"version": 1},
        {"version": 1, "programs": [], "maps": [], "name": "x"},
        {"version": 1, "programs": 7},
    ],
)
def test_anything_else_is_damaged(document: object) -> None:
    with pytest.raises(DamagedRecord):
        LoadRecord.from_dict(document)
    with pytest.raises(DamagedRecord):
        LinkRecord.from_dict(document, 1)


@pytest.mark.parametrize("text", ["", "{", "\x00", "[" * 50000, "9" * 70000])
def test_text_that_is_no_record(text: str) -> None:
    with pytest.raises(DamagedRecord):
        LoadRecord.from_dict(decode(text))


def test_records_are_bounded_and_printable() -> None:
    assert len(encode(LOAD)) < 3700
    assert encode(LOAD).isascii()
    with pytest.raises(UsageError, match="expected at most 65536"):
        encode(replace(LOAD, metadata={str(n): "x" * 1024 for n in range(64)}))


def test_metadata_is_printable_and_bounded() -> None:
    assert check_words("metadata", {"a": ""}) == {"a": ""}
    for bad in ({"": "x"}, {"a\n": "x"}, {"a": "\x1b"}, {"a" * 129: "x"}, {"a": "x" * 1025}):
        with pytest.raises(UsageError, match="cannot be recorded"):
            check_words("metadata", bad)


def test_the_target_in_words() -> None:
    assert [record.target for record in (XDP, CLSACT, TRACEPOINT)] == ["eth0", "eth0 egress", "a/b"]


def test_a_name_is_printable_and_no_id() -> None:
    assert Origin("xdp_count").name == "xdp_count"
    for bad in ("", "17", "a\nb", "x" * 129):
        with pytest.raises(UsageError, match="cannot be the name"):
            Origin(bad)


@pytest.mark.parametrize("number", [float("inf"), -1, 1 << 32, "9" * 5000, [], None])
def test_a_number_that_no_kernel_gives_is_damage(number: object) -> None:
    document = LOAD.to_dict()
    document["programs"] = [{"name": "p", "id": number, "type": "xdp", "section": "xdp"}]
    with pytest.raises(DamagedRecord):
        LoadRecord.from_dict(document)


def test_a_path_with_a_nul_is_damage() -> None:
    document = XDP.to_dict()
    document["hook"] = {"kind": "xdp", "netns": "a\0b"}
    with pytest.raises(DamagedRecord):
        LinkRecord.from_dict(document, 1)


@pytest.mark.parametrize(("field", "value"), [("direction", "up"), ("ifindex", 1 << 31)])
def test_a_place_that_no_call_takes_is_damage(field: str, value: object) -> None:
    document = CLSACT.to_dict()
    hook = document["hook"]
    assert isinstance(hook, dict)
    with pytest.raises(DamagedRecord):
        LinkRecord.from_dict({**document, "hook": {**hook, field: value}}, 1)


def test_a_record_from_before_signers_had_fields_is_read() -> None:
    """`AUTHORITY KEY` was all that a record said, and programs outlive an upgrade."""
    document = LOAD.to_dict()
    assert isinstance(document["image"], dict)
    old = {**document["image"], "signers": ["--key my keys/k.pub sha256:" + "c" * 64, "sha256:" + "d" * 64]}
    image = LoadRecord.from_dict({**document, "image": old}).image
    assert image is not None
    assert [(signer.authority, signer.key) for signer in image.signers] == [
        ("--key my keys/k.pub", "sha256:" + "c" * 64),
        ("", "sha256:" + "d" * 64),
    ]
    assert [signer.who for signer in image.signers] == old["signers"]
    for name in ("signers", "policy_digest", "version"):
        del old[name]
    image = LoadRecord.from_dict({**document, "image": old}).image
    assert image is not None
    assert (image.signers, image.policy_digest, image.version) == ((), "", "")


@pytest.mark.parametrize("signers", [7, [7], [None], [[]], {"a": 1}, "x", [{"logs": 7}]])
def test_signers_of_another_shape_are_damage_or_words(signers: object) -> None:
    document = LOAD.to_dict()
    assert isinstance(document["image"], dict)
    try:
        found = LoadRecord.from_dict({**document, "image": {**document["image"], "signers": signers}}).image
    except DamagedRecord:
        return
    assert found is not None
    assert all(isinstance(signer, SignerRecord) for signer in found.signers)


def test_signers_in_words() -> None:
    assert [signer.who for signer in IMAGE.signers] == [
        "release sha256:" + "c" * 64,
        "ci https://ci.example/team/x/.ci.yml@refs/tags/v1 of https://ci.example",
    ]


def test_many_long_signers_still_fit() -> None:
    many = tuple(
        SignerRecord(f"a{n}", identity="i" * 2048, issuer="j" * 2048, logs=("l" * 999,) * 9) for n in range(64)
    )
    made = replace(IMAGE, signers=many)
    assert [signer.authority for signer in made.signers] == [f"a{n}" for n in range(8)]
    assert made.signers[0].identity.endswith("i...")
    assert len(encode(replace(LOAD, image=made))) < 32 * 1024
