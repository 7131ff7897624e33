"""What a failed call is called."""

from __future__ import annotations

import errno

import pytest

from bpfimg.errors import NotSupported
from bpfimg.kernel import abi
from bpfimg.kernel._failure import failure, missing_capabilities, printable, reason

NET_ADMIN, SYS_ADMIN, PERFMON, BPF = 1 << 12, 1 << 21, 1 << 38, 1 << 39


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.EPERM, "Operation not permitted (EPERM)"),
        (524, "not supported by this kernel (ENOTSUPP)"),
        (4001, "not a proper ELF object (LIBBPF_ERRNO__FORMAT)"),
        (4013, "netlink parsing error (LIBBPF_ERRNO__NLPARSE)"),
        (3999, "Unknown error 3999 (error 3999)"),
    ],
)
def test_error_numbers_as_words(number: int, words: str) -> None:
    assert reason(number) == words


@pytest.mark.parametrize(
    ("have", "missing"),
    [
        (0, ("CAP_BPF", "CAP_NET_ADMIN")),
        (BPF, ("CAP_NET_ADMIN",)),
        (NET_ADMIN, ("CAP_BPF",)),
        (BPF | NET_ADMIN, ()),
        (SYS_ADMIN, ("CAP_NET_ADMIN",)),
        (SYS_ADMIN | NET_ADMIN, ()),
    ],
)
def test_what_is_missing(have: int, missing: tuple[str, ...]) -> None:
    assert missing_capabilities(("CAP_BPF", "CAP_NET_ADMIN"), have) == missing


def test_listing_needs_more_than_bpf() -> None:
    assert missing_capabilities(("CAP_SYS_ADMIN",), BPF | NET_ADMIN | PERFMON) == ("CAP_SYS_ADMIN",)


def test_a_failure_names_command_object_and_number() -> None:
    error = failure(abi.MAP_CREATE, "map 'counters'", errno.EINVAL)
    assert str(error) == "cannot create map 'counters' (MAP_CREATE): Invalid argument (EINVAL)"
    assert error.errno == errno.EINVAL
    assert error.hint == ""


def test_no_bpf_at_all() -> None:
    error = failure(abi.PROG_LOAD, "a program", errno.ENOSYS)
    assert isinstance(error, NotSupported)
    assert error.feature == "bpf"


def test_every_command_has_words() -> None:
    commands = {
        value
        for name, value in vars(abi).items()
        if name.startswith(("MAP_", "PROG_", "OBJ_", "LINK_", "BTF_"))
        and isinstance(value, int)
        and not name.startswith(("MAP_TYPE", "PROG_TYPE", "LINK_RAW", "LINK_TRACING", "LINK_CGROUP", "LINK_ITER"))
        and name not in ("LINK_NETNS", "LINK_XDP", "LINK_PERF_EVENT", "LINK_NETFILTER", "LINK_TCX", "LINK_NETKIT")
        and name not in ("LINK_CREATE_UNION", "OBJ_NAME_LENGTH")
    }
    for command in commands:
        assert "call bpf(" not in str(failure(command, "it", errno.EINVAL)), command


def test_foreign_text_is_made_fit() -> None:
    assert printable("a\x1b[31mb\nc\td") == "a?[31mb?c d"
    assert printable("x" * 300) == "x" * 199 + "…"
