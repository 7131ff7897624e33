"""syscall: a program that runs once when it is called, on memory of the caller."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import UsageError, VerifierError
from bpfimg.run import once
from tests.support import believed, loads
from tests.support.features import hook, needs
from tests.support.objects import compile_source, example

if TYPE_CHECKING:
    from bpfimg.load import Host

pytestmark = [pytest.mark.kernel, hook("syscall")]


@pytest.fixture(autouse=True)
def _needed() -> None:
    needs("syscall")


def test_it_answers_and_writes_into_its_memory(host: Host) -> None:
    with loads.nothing_left(host):
        done = once.call(host, *believed.image(example("syscall_sum")), struct.pack("=IIQ", 2, 3, 0))
    assert (done.program, done.result) == ("add", 0)
    assert struct.unpack("=IIQ", done.context) == (2, 3, 5)
    assert done.id > 0


def test_what_it_returns_is_a_number_with_a_sign(host: Host) -> None:
    assert once.call(host, *believed.image(example("syscall_sum")), struct.pack("=IIQ", 99, 2, 0)).result == -1


def test_less_memory_than_it_uses(host: Host) -> None:
    with loads.nothing_left(host), pytest.raises(UsageError, match="uses more than a context of 8 bytes"):
        once.call(host, *believed.image(example("syscall_sum")), bytes(8))
    with pytest.raises(UsageError, match="has 65536 bytes, expected at most 65535"):
        once.call(host, *believed.image(example("syscall_sum")), bytes(65536))


def test_without_memory_and_with_a_global(host: Host) -> None:
    data = compile_source('volatile const int answer = 1; SEC("syscall") int say(void *ctx) { return answer; }')
    assert once.call(host, *believed.image(data), globals={"answer": "42"}).result == 42


def test_what_the_verifier_refuses_leaves_nothing(host: Host) -> None:
    data = compile_source('SEC("syscall") int bad(void *ctx) { return *(int *)0; }')
    with loads.nothing_left(host), pytest.raises(VerifierError):
        once.call(host, *believed.image(data))


def test_a_dry_run_asks_the_kernel_and_runs_nothing(host: Host) -> None:
    with loads.nothing_left(host):
        done = once.call(host, *believed.image(example("syscall_sum")), dry_run=True)
    assert (done.id, done.result) == (0, None)
    data = compile_source('SEC("syscall") int bad(void *ctx) { return *(int *)0; }')
    with pytest.raises(VerifierError):
        once.call(host, *believed.image(data), dry_run=True)


def test_only_what_is_believed_runs(host: Host) -> None:
    store, verified = believed.image(example("syscall_sum"))
    with pytest.raises(TypeError, match="no proof"):
        once.call(host, store, verified.reference)  # type: ignore[arg-type]
