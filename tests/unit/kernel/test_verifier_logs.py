"""The verifier's logs of real kernels, 6.1 to 7.3, and what a user reads about each. See tests/refusals/collect.py."""

from __future__ import annotations

import pytest

from bpfimg.kernel import _host_facts
from bpfimg.kernel._verifier_causes import cause
from bpfimg.kernel._verifier_error import verifier_error
from bpfimg.kernel._verifier_log import read
from tests.refusals import page
from tests.refusals.collect import HERE, expected, logs, sentences


@pytest.fixture(autouse=True)
def _as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_host_facts, "capability_set", lambda: (1 << 64) - 1)


KERNELS = sorted(path.name for path in (HERE / "logs").iterdir())


@pytest.mark.parametrize("kernel", KERNELS)
def test_each_log_becomes_the_sentence_that_was_found_good(kernel: str) -> None:
    wanted, found = expected(kernel), sentences(kernel)
    assert len(found) >= 38
    assert found.keys() == wanted.keys()
    for name, words in found.items():
        assert words == wanted[name], f"{kernel}: {name}"


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_refusal_has_a_cause(kernel: str) -> None:
    lost = [name for name, number, log in logs(kernel) if number != 28 and cause(read(log).said) is None]
    assert lost == []


@pytest.mark.parametrize("kernel", KERNELS)
def test_logs_that_are_cut_off_anywhere_are_read(kernel: str) -> None:
    for _name, _number, log in logs(kernel):
        for end in range(0, len(log), 97):
            read(log[:end])
            read(log[end:])


def test_a_process_that_lacks_a_capability_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_host_facts, "capability_set", lambda: 1 << 39)
    name, number, log = next(each for each in logs("6.12") if each[0] == "pointer_sum")
    hint = verifier_error(name, log, number).hint
    assert "this process lacks CAP_PERFMON, without which programs may do less with pointers" in hint


def test_the_newer_report_is_read_whole() -> None:
    log = next(log for name, _, log in logs("7.3") if name == "null_check")
    reading = read(log)
    assert reading.said == "R0 invalid mem access 'map_value_or_null'"
    assert (reading.index, reading.code) == (7, "r0 = *(u32 *)(r0 +0)")
    assert reading.source is not None
    assert (reading.source.file, reading.source.number, reading.source.text) == ("programs.bpf.c", 38, "return *value;")
    assert reading.reason.startswith("R0 may be NULL here")
    assert reading.suggestion.startswith("Add a NULL check before the access")


@pytest.mark.parametrize(
    "text", ["", "\n\n", "Verification failed:", "Verification failed: x\n\nAt:\n  >>> | |\n", ";", "; @"]
)
def test_junk_is_read_as_nothing(text: str) -> None:
    assert read(text).index == -1


def test_a_long_log_is_read_quickly_enough_to_wait_for() -> None:
    line = "10: (77) r0 >>= 32                    ; R0=scalar(smin=0,smax=umax=0xffffffff,var_off=(0x0; 0xffffffff))\n"
    log = line * (16_000_000 // len(line)) + "BPF program is too large. Processed 1000001 insn\n"
    assert read(log).said == "BPF program is too large. Processed 1000001 insn"


def test_the_page_of_refusals_says_what_the_code_says() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.page(), "python -m tests.refusals.page writes it"
