"""What programs that are one are loaded as: licence, flags."""

from __future__ import annotations

import pytest

from bpfimg.dispatcher import _instructions as i
from bpfimg.dispatcher._together import HAS_FRAGS, flags_of, is_gpl, license_of
from bpfimg.dispatcher._unseen import is_unseen
from bpfimg.load import members


def code(license: str = "GPL", flags: int = 0) -> members.Code:
    return members.Code("member", b"", license=license, flags=flags)


@pytest.mark.parametrize(
    ("licences", "all_of_them"),
    [
        (("GPL",), "GPL"),
        (("Dual BSD/GPL", "Dual BSD/GPL"), "Dual BSD/GPL"),
        (("Dual BSD/GPL", "GPL v2"), "GPL"),
        (("Proprietary", "BSD", "Proprietary"), "Proprietary, BSD"),
        (("Proprietary",) * 3, "Proprietary"),
    ],
)
def test_one_licence_for_all(licences: tuple[str, ...], all_of_them: str) -> None:
    found = license_of([code(each) for each in licences])
    assert found == all_of_them
    assert is_gpl(found) == is_gpl(licences[0])


def test_a_licence_of_many_fits_and_gives_nothing_away() -> None:
    found = license_of([code(f"License of maker {number}") for number in range(40)])
    assert len(found) <= 127
    assert not is_gpl(found)


def test_fragments_are_for_all_or_none_and_other_flags_for_all() -> None:
    assert flags_of([code(flags=HAS_FRAGS), code(flags=HAS_FRAGS)]) == HAS_FRAGS
    assert flags_of([code(flags=HAS_FRAGS), code()]) == 0
    assert flags_of([code(flags=HAS_FRAGS | 2), code(flags=1)]) == 3


@pytest.mark.parametrize("operation", [0x20, 0x28, 0x30, 0x40, 0x48, 0x50])
def test_loads_beyond_a_packet_end_programs_unseen(operation: int) -> None:
    assert is_unseen(i.constant(0, 2) + i.instruction(operation) + i.leave())


def test_tail_calls_end_programs_unseen_and_other_calls_do_not() -> None:
    assert is_unseen(i.call_kernel(7) + i.call_kernel(12) + i.leave())
    assert not is_unseen(i.call_kernel(7) + i.call(12) + i.leave())
    assert not is_unseen(i.instruction(0x85, 0, 2, 0, 12) + i.leave())
