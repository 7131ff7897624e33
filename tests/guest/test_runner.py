"""The runner of the guests: hangs end as failures, skips that hide something fail, what cannot be had is said."""

from __future__ import annotations

import gzip
import json
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from bpfimg.kernel import features as probes
from tests.support import features, tools
from tests.support.guest import asked, initramfs, kernels, run
from tests.support.guest.background import Guest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OUTCOMES = (pytest.skip.Exception, pytest.fail.Exception)


@pytest.fixture
def qemu() -> Iterator[subprocess.Popen[bytes]]:
    """A process that goes on and on, as QEMU does."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process
        process.kill()


def lines(out: Path, *documents: dict[str, object]) -> None:
    with (out / "results").open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(document) + "\n" for document in documents))


PASSED = {"test": "a.py::b", "outcome": "passed", "text": "", "seconds": 1.5}


def test_a_guest_that_says_nothing_is_given_up_with_the_tail_of_its_console(
    tmp_path: Path, qemu: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SILENCE", 0.2)
    (tmp_path / "console").write_text("BUG: soft lockup\r\n")
    lines(tmp_path, {"begun": "a.py::b"}, PASSED, {"begun": "a.py::c"})
    found = run.collected(tmp_path, qemu, threading.Event())
    assert next(found) == run.Result("a.py::b", "passed", "", 1.5)
    with pytest.raises(run.HungError, match=r"(?s)nothing for 0 s, last a.py::c.*BUG: soft lockup"):
        next(found)


def test_a_guest_that_ends_before_its_tests_has_broken_off(tmp_path: Path, qemu: subprocess.Popen[bytes]) -> None:
    qemu.kill()
    qemu.wait()
    lines(tmp_path, PASSED)
    found = run.collected(tmp_path, qemu, threading.Event())
    assert next(found).test == "a.py::b"
    with pytest.raises(run.HungError, match="the guest ended, last before the first test"):
        next(found)


def test_an_end_without_all_tests_is_no_success(tmp_path: Path, qemu: subprocess.Popen[bytes]) -> None:
    (tmp_path / "log").write_text("ERROR: file or directory not found: x.py")
    lines(tmp_path, {"ended": 4})
    with pytest.raises(run.HungError, match=r"pytest ended with 4: ERROR: file or directory not found"):
        list(run.collected(tmp_path, qemu, threading.Event()))


def test_the_end_is_told_once_and_never_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def results(*_: object) -> Iterator[run.Result]:
        yield run.Result("a.py::b", "passed", "", 0.0)
        raise run.HungError("hangs")

    monkeypatch.setattr(run, "results", results)
    guest = Guest("6.12", ["a.py::b", "a.py::c", "a.py::d"])
    guest.start()
    found = [guest.result(test) for test in ("a.py::b", "a.py::c", "a.py::d")]
    guest.stop()
    assert [result.outcome for result in found] == ["passed", "failed", "failed"]
    assert [result.text for result in found[1:]] == [
        "the guest broke off: hangs",
        "the guest broke off, see the first test that says so",
    ]


def test_where_there_can_be_no_guest_its_tests_are_skipped_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "program_path", lambda name: None)
    guest = Guest("6.12", ["a.py::b"])
    guest.start()
    result = guest.result("a.py::b")
    assert (result.outcome, guest.outcomes(["a.py::b"])) == ("skipped", {})
    assert result.text.startswith("no guest with kernel 6.12: needs qemu-system-x86_64 (Debian: qemu-system-x86)")


@pytest.mark.parametrize(
    ("answer", "words", "outcome"),
    [
        (False, "xdp", "failed"),
        (None, "xdp", "failed"),
        (False, "kprobe", "skipped"),
        (True, "xdp", ""),
    ],
)
def test_a_skip_where_the_kernel_has_the_feature_is_a_failure(
    answer: bool | None, words: str, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(features.VARIABLE, "6.18")
    monkeypatch.setattr(probes, "has", lambda feature: answer)
    assert decided(features.needs, words) == outcome


def test_what_a_kernel_should_lack_and_has_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(features.VARIABLE, "6.18")
    monkeypatch.setattr(probes, "has", lambda feature: True)
    assert decided(features.lacks, "kprobe") == "failed"
    assert decided(features.lacks, "xdp") == "skipped"


def test_on_a_kernel_that_nobody_knows_skips_are_only_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "kernel", lambda: None)
    monkeypatch.setattr(probes, "has", lambda feature: False)
    assert decided(features.needs, "xdp") == "skipped"


def decided(word: object, feature: str) -> str:
    try:
        word(feature)  # type: ignore[operator]
    except OUTCOMES as outcome:
        return "skipped" if isinstance(outcome, pytest.skip.Exception) else "failed"
    return ""


def test_what_a_guest_asks_for_is_compiled_here(tmp_path: Path) -> None:
    with asked.answering(tmp_path / "asked"):
        source = b"int f(void) { return 1; }"
        command = ["clang", "-target", "bpf", "-c", "-x", "c", "-", "-o", tools.OUTPUT]
        status, out, err = asked.ask(tmp_path / "asked", "1", command, source)
        assert (status, out[:4], err) == (0, b"\x7fELF", b"")
        status, _, err = asked.ask(tmp_path / "asked", "2", ["rm", "-rf", "x"], b"")
        assert (status, err.split()[0]) == (127, b"rm")


def test_the_initramfs_is_a_cpio_archive() -> None:
    busybox = kernels.program_path("busybox")
    if busybox is None:
        pytest.skip("needs busybox (Debian: busybox-static)")
    data = gzip.decompress(initramfs.build(b"program", [b"first", b"second!"]))
    names = subprocess.run([busybox, "cpio", "-t"], input=data, capture_output=True, check=True).stdout.split()
    assert {b"init", b"bin/busybox", b"modules/000.ko", b"modules/001.ko", b"newroot"} <= {*names}
