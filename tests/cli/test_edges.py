"""What surrounds the command: closed and full streams, narrow terminals, other locales, Ctrl-C, too few descriptors."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bpfimg import cli as door
from bpfimg import errors, run
from bpfimg.cli import _main, _parser, _render, main
from bpfimg.load import Load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bpfimg.load import Host
    from tests.support.cli import Cli


def sh(words: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Runs a command line of the shell, in which `$BPFIMG` is the command and `$PYTHON` its Python."""
    known = {"BPFIMG": f"{sys.executable} -m bpfimg", "PYTHON": sys.executable, "PATH": os.environ["PATH"]}
    environ = {"BPFIMG_STORE": str(folder), **known, **environ}
    return subprocess.run(["sh", "-c", words], env=environ, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("verb", "code"), [("images", 0), ("lsit", 2), ("--help", 0), ("run --help", 0)])
def test_a_closed_stream_is_as_good_as_dev_null(verb: str, code: int, closed: str, tmp_path: Path) -> None:
    done = sh(f"$BPFIMG {verb} {closed}", tmp_path)
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_no_closed_stream_lends_its_number_to_what_is_opened_later(tmp_path: Path) -> None:
    probe = (
        "import os; from bpfimg.cli import _main; _main._open_streams(); print(os.open('/', 0), file=open('n', 'w'))"
    )
    assert sh(f'exec {sys.executable} -c "{probe}" <&- >&- 2>&-', tmp_path).returncode == 0
    assert int((tmp_path / "n").read_text()) > 2


@pytest.mark.parametrize("where", ["2>/dev/full", "2>&1 >/dev/null | true"])
def test_an_error_that_nobody_reads_keeps_its_exit_code(where: str, tmp_path: Path) -> None:
    done = sh(f"{{ $BPFIMG lsit; echo $? > code; }} {where}", tmp_path)
    assert "Traceback" not in done.stderr
    assert (tmp_path / "code").read_text() == "2\n"


def test_a_locale_that_cannot_spell_it_gets_escapes(tmp_path: Path) -> None:
    done = sh(
        "$PYTHON -c \"from bpfimg.cli import _main; _main._open_streams(); print('z\\\\xe4hler')\"",
        tmp_path,
        LC_ALL="C",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
    )
    assert (done.stdout, done.stderr) == ("z\\xe4hler\n", "")


def test_an_interface_in_no_encoding_is_a_usage_error(tmp_path: Path) -> None:
    done = sh("$BPFIMG run x xdp -i \"$(printf '\\377')\"", tmp_path)
    assert done.returncode == 2
    assert "is not an interface name" in done.stderr


@pytest.mark.parametrize("words", [["get", "9" * 5000], ["detach", "9" * 5000], ["get", "4294967296000"]])
def test_an_id_longer_than_any_is_a_usage_error(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert len(capsys.readouterr().err) < 300


@pytest.mark.parametrize(
    ("words", "said"), [(["-l", "foo"], "-l is 'foo'"), (["--type", "sched_cl"], "near it: sched_cls")]
)
def test_list_checks_its_words_before_it_looks(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", *words, "--bpffs", str(tmp_path)]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "variable", "wanted"),
    [
        (["-o", "json"], "", True),
        (["-ojson"], "text", True),
        (["--output=json"], "", True),
        (["--output=text"], "json", False),
        (["-otext"], "json", False),
        (["-o", "json", "-o", "text"], "", False),
        ([], "json", True),
    ],
)
def test_the_last_word_says_how_errors_are_written(
    words: list[str], variable: str, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BPFIMG_OUTPUT", variable)
    assert _main._wants_json(["list", *words]) is wanted


def test_too_few_descriptors_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def full(words: list[str]) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(_main, "_dispatch", full)
    assert main(["list"]) == 1
    assert "ulimit -n" in capfd.readouterr().err


def test_ctrl_c_in_an_import_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_main, "command", interrupted)
    monkeypatch.setattr(os, "_exit", codes.append)
    door.command()
    assert codes == [130]


@pytest.mark.parametrize("verb", ["", *_main.VERBS])
def test_help_fits_a_terminal_of_80_columns(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    if verb:
        with pytest.raises(SystemExit):
            main([verb, "--help"])
    else:
        main(["--help"])
    wide = [line for line in capsys.readouterr().out.splitlines() if len(line) > 80]
    assert all(line.startswith("  bpfimg ") for line in wide), "only examples, which are to be copied"


def test_paragraphs_are_filled_and_examples_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "42")
    text = f"{'word ' * 20}\nmore\n\nexamples:\n  bpfimg {'x' * 60}"
    shown = _parser._Formatter("p")._fill_text(text, 40, "").splitlines()
    assert shown[-3:] == ["", "examples:", f"  bpfimg {'x' * 60}"]
    assert max(map(len, shown[:-1])) <= 40
    assert shown[2].endswith("more")


def test_wide_and_combining_characters_keep_the_columns_straight() -> None:
    rows = _render.table(["NAME", "X"], [["日本", "1"], ["ab", "2"], ["e\u0301", "3"]]).splitlines()
    assert rows == ["NAME  X", "日本  1", "ab    2", "e\u0301     3"]


def test_what_went_before_a_failure_is_said(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def detach_many(host: Host, links: Sequence[int], *, gone: Callable[[Load, int, None], None], **_: object) -> None:
        for number in links:
            if number > 5:
                raise errors.Error("no")
            gone(Load(3, "", None), number, None)

    monkeypatch.setattr(run, "detach_many", detach_many)
    assert main(["detach", "5", "6", "-o", "json", "--bpffs", str(cli.folder)]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out) == {"links": [{"id": 5, "program_id": None, "load": 3}]}
    assert json.loads(err)["error"]["message"] == "no"
    assert main(["detach", "6", "-o", "json", "--bpffs", str(cli.folder)]) == 1
    assert capsys.readouterr().out == ""
