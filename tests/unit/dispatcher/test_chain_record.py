"""Records of chains: written, read again, and refused where they are none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfimg.dispatcher._chain_record import ChainRecord
from bpfimg.dispatcher._model import Member, Spot
from bpfimg.dispatcher._plan import Plan
from bpfimg.errors import DamagedRecord

SPOT = Spot("tc", "ingress", "veth0", 7, "/run/netns/blue", 4026532000)
RECORD = ChainRecord(
    SPOT,
    Plan(
        "tc",
        (
            Member(11, "first", 10, 0x80000010, link=5, frags=True, returns=(0, -1)),
            Member(12, "second", 50, 0x80000010),
        ),
    ),
    "fused",
    "clsact",
    handle=4711,
    priority=10,
    inlined=(True, False),
)


def test_what_is_written_is_read() -> None:
    assert ChainRecord.from_text(RECORD.to_text()) == RECORD


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("version", 2),
        ("hook", "xdp2"),
        ("direction", "sideways"),
        ("interface", 7),
        ("ifindex", -1),
        ("netns_inode", 1 << 40),
        ("netns", "a\0b"),
        ("builder", "hand"),
        ("way", "pigeon"),
        ("members", [{"program": 1}]),
        ("members", 5),
        ("priority", 1 << 32),
    ],
)
def test_what_is_no_record_is_refused(field: str, found: object) -> None:
    document = json.loads(RECORD.to_text()) | {field: found}
    with pytest.raises(DamagedRecord, match="the record of a chain"):
        ChainRecord.from_text(json.dumps(document))


@given(st.text(max_size=200))
def test_any_text_is_a_record_or_damaged(text: str) -> None:
    with pytest.raises(DamagedRecord):
        ChainRecord.from_text(text)


def test_a_huge_record_is_refused() -> None:
    with pytest.raises(DamagedRecord):
        ChainRecord.from_text(" " * 70_000)


def test_a_chain_knows_the_names_of_results() -> None:
    chain = RECORD.chain(99, "")
    assert chain.proceed_on(chain.plan.members[0]) == ("pipe", "dispatcher_return")
