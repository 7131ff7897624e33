"""Words in: verbs, common options in every place, errors as sentences with the right exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bpfimg import errors
from bpfimg.cli import _main, _options, _parser, _render, main

if TYPE_CHECKING:
    from pathlib import Path


def test_no_words_is_a_usage_error_that_shows_the_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "bpfimg VERB" in err


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"]])
def test_help_names_every_verb(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    out, _ = capsys.readouterr()
    assert all(f"  {verb} " in out for verb in _main.VERBS)
    assert max(map(len, out.splitlines())) <= 120


@pytest.mark.parametrize("verb", _main.VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    out, _ = capsys.readouterr()
    assert f"usage: bpfimg {verb}" in out
    assert "example" in out
    for word in ("--store", "--bpffs", "--policy", "--output", "--quiet", "--verbose", "--authfile", "--lock-timeout"):
        assert word in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("bpfimg 0.")


def test_an_unknown_verb_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lsit"]) == 2
    _, err = capsys.readouterr()
    assert err == "bpfimg: error: there is no verb 'lsit'\nhint: did you mean `bpfimg list`?\n"


def test_a_usage_error_is_one_json_object_with_o_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-o", "json", "lsit"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    error = json.loads(err)["error"]
    assert error["kind"] == "UsageError"
    assert error["exit"] == 2
    assert "list" in error["hint"]


@pytest.mark.parametrize("place", ["before", "after"])
def test_common_options_stand_before_or_after_the_verb(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--store", str(tmp_path), "-o", "json"]
    assert main([*words, "images"] if place == "before" else ["images", *words]) == 0
    assert json.loads(capsys.readouterr().out) == {"images": []}


def test_environment_then_command_line(tmp_path: Path) -> None:
    environ = {"BPFIMG_STORE": "/a", "BPFIMG_QUIET": "1", "BPFIMG_LOCK_TIMEOUT": "2.5", "HOME": str(tmp_path)}
    parser = _parser.Parser(prog="x")
    _options.add_common(parser)
    options = _options.resolve(parser.parse_args([]), environ, uid=1000)
    assert (options.store, options.quiet, options.lock_timeout) == ("/a", True, 2.5)
    options = _options.resolve(parser.parse_args(["--store", "/b"]), environ, uid=1000)
    assert options.store == "/b"


def test_stores_of_root_and_others() -> None:
    arguments = _parser.Parser(prog="x").parse_args([])
    assert _options.resolve(arguments, {}, uid=0).store == "/var/lib/bpfimg/store"
    assert _options.resolve(arguments, {"HOME": "/home/a"}, uid=1).store == "/home/a/.local/share/bpfimg/store"
    assert _options.resolve(arguments, {"XDG_DATA_HOME": "/d"}, uid=1).store == "/d/bpfimg/store"


def test_histories_of_root_and_others() -> None:
    arguments = _parser.Parser(prog="x").parse_args([])
    assert _options.resolve(arguments, {}, uid=0).state == "/var/lib/bpfimg/history"
    assert _options.resolve(arguments, {"HOME": "/home/a"}, uid=1).state == "/home/a/.local/state/bpfimg/history"
    assert _options.resolve(arguments, {"XDG_STATE_HOME": "/s"}, uid=1).state == "/s/bpfimg/history"
    assert _options.resolve(arguments, {"XDG_STATE_HOME": "/s", "BPFIMG_STATE": "/t"}, uid=1).state == "/t"


def test_root_takes_no_policy_from_a_home(tmp_path: Path) -> None:
    (tmp_path / "bpfimg").mkdir()
    (tmp_path / "bpfimg/policy.json").write_text("{}")
    arguments = _parser.Parser(prog="x").parse_args([])
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert _options.resolve(arguments, environ, uid=1000).policy == str(tmp_path / "bpfimg/policy.json")
    assert _options.resolve(arguments, environ, uid=0).policy == "/etc/bpfimg/policy.json"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["images", "-o", "yaml"], "--output is 'yaml'"),
        (["images", "--lock-timeout", "soon"], "--lock-timeout is 'soon'"),
        (["images", "--no-such"], "`bpfimg images` has no option --no-such"),
        (["run"], "REF and HOOK are missing, expected `bpfimg run REF HOOK ...`"),
        (["run", "a:b", "xdp", "--iface", "e0", "--mode", "fast"], "fast"),
        (["run", "a:b", "tracepoint", "sched_switch"], "expected GROUP/NAME"),
        (["run", "a:b", "xdp", "--iface", "e0", "--priority", "x"], "--priority is 'x'"),
        (["run", "-g", "novalue", "a:b", "xdp", "--iface", "e0"], "expected NAME=VALUE"),
    ],
)
def test_usage_errors_say_what_was_expected(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    _, err = capsys.readouterr()
    assert err.startswith("bpfimg: error: ")
    assert said in err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.Error("x"), 1),
        (errors.UsageError("x"), 2),
        (errors.VerificationError("x"), 3),
        (errors.PolicyError("x"), 3),
        (errors.NotSupported("x", feature="tcx"), 4),
        (errors.KernelError("x"), 1),
        (errors.DigestMismatch("x", want="a", got="b"), 1),
        (errors.Busy("x", owner="y"), 1),
    ],
)
def test_exit_codes(error: errors.Error, code: int) -> None:
    assert _main.exit_code(error) == code


def test_nothing_untrusted_drives_the_terminal() -> None:
    assert _render.clean("a\x1b[2Jb\n") == "a\\x1b[2Jb\\n"
    assert _render.clean("é\tx", keep_lines=True) == "é\tx"
    assert _render.clean("\u202eevil") == "\\u202eevil"


def test_neither_do_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    from bpfimg.cli._parser import warn

    warn("the auth file /x\x1b[2J is passed over")
    assert capsys.readouterr().err == "bpfimg: warning: the auth file /x\\x1b[2J is passed over\n"


def test_table_and_block() -> None:
    assert _render.table(["ID", "NAME"], [["7", "a"], ["12", "bcd"]]) == "ID  NAME\n7   a\n12  bcd"
    assert _render.block("Program", [("name", "x"), ("image", "")]) == "Program\n  name:   x\n  image:  -"
