"""`bpfimg key` as typed: where the password comes from, what is on disk afterwards, and what never is."""

from __future__ import annotations

import os
import pty
import resource
import signal
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING

import pytest

from bpfimg.cli import _new_file
from bpfimg.errors import KeyFileError, UsageError
from bpfimg.sign import PrivateKey
from tests.support import cosign

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.cli import Cli

PASSWORD = "correct horse"


def opens(cli: Cli, password: bytes, name: str = "k.key") -> bool:
    try:
        PrivateKey.load((cli.folder / name).read_bytes(), password)
    except KeyFileError:
        return False
    return True


def modes(cli: Cli) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in cli.folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ecdsa-p384", "ed25519"])
def test_each_type_of_key_is_cosigns(cli: Cli, kind: str) -> None:
    entry = cli.json("keys", "key", "generate", "--type", kind, "k")["keys"][0]
    assert entry["type"] == kind
    assert entry["public_key"] == (cli.folder / entry["public_file"]).read_text()
    del entry["private_file"], entry["public_file"]
    assert cli.json("keys", "key", "public", "k.key")["keys"] == [entry]
    for peer in (cosign.require(cli.folder, "x"), cosign.require_modern(cli.folder, "x")):
        assert peer.do("public-key", "--key", "k.key") == entry["public_key"]


def test_the_files_are_private_whatever_the_mask(cli: Cli) -> None:
    for mask, public in ((0o000, 0o644), (0o022, 0o644), (0o077, 0o600)):
        before = os.umask(mask)
        try:
            cli("key", "generate", f"k{mask}")
        finally:
            os.umask(before)
        assert modes(cli)[f"k{mask}.key"] == 0o600
        assert modes(cli)[f"k{mask}.pub"] == public


SOURCES: dict[str, tuple[dict[str, str], str | None, bytes]] = {
    "COSIGN_PASSWORD": ({"COSIGN_PASSWORD": "one"}, None, b"one"),
    "no characters": ({"COSIGN_PASSWORD": ""}, None, b""),
    "ours before cosign's": ({"BPFIMG_KEY_PASSWORD": "two", "COSIGN_PASSWORD": "one"}, None, b"two"),
    "ours empty": ({"BPFIMG_KEY_PASSWORD": "", "COSIGN_PASSWORD": "one"}, None, b""),
    "the option before all": ({"BPFIMG_KEY_PASSWORD": "two"}, "three", b"three"),
    "a line": ({}, "three\n", b"three"),
    "a line of Windows": ({}, "three\r\n", b"three"),
    "two line ends": ({}, "three\n\n", b"three\n"),
    "an empty file": ({}, "", b""),
    "not UTF-8": ({"COSIGN_PASSWORD": "\udcff\udcfe"}, None, b"\xff\xfe"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_where_the_password_comes_from(cli: Cli, name: str) -> None:
    environ, file, wanted = SOURCES[name]
    words = []
    if file is not None:
        (cli.folder / "password").write_bytes(file.encode())
        words = ["--password-file", "password"]
    cli("key", "generate", "k", *words, **environ)
    assert opens(cli, wanted)
    cli("key", "public", "k.key", *words, **environ)


def test_a_password_file_may_be_a_pipe(cli: Cli) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"piped\n")
    os.close(writer)
    words = [sys.executable, "-m", "bpfimg", "key", "generate", "k", "--password-file", f"/dev/fd/{reader}"]
    subprocess.run(words, cwd=cli.folder, pass_fds=[reader], check=True, capture_output=True)
    os.close(reader)
    assert opens(cli, b"piped")


def test_no_password_and_nobody_to_ask_is_said(cli: Cli) -> None:
    environ = {name: text for name, text in os.environ.items() if not name.startswith(("BPFIMG_", "COSIGN_"))}
    words = [sys.executable, "-m", "bpfimg", "key", "generate", "k"]
    done = subprocess.run(
        words, cwd=cli.folder, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "BPFIMG_KEY_PASSWORD or COSIGN_PASSWORD is not set, and there is no terminal to ask on" in done.stderr
    assert "--password-file" in done.stderr
    assert modes(cli) == {}


def test_a_password_file_that_is_none_is_said(cli: Cli) -> None:
    (cli.folder / "large").write_bytes(bytes(70000))
    for path, said in (("nothing", "No such file"), ("large", "larger than"), (".", "directory")):
        assert said in cli.error("key", "generate", "k", "--password-file", path, expect=1)["message"]
    assert "k.key" not in modes(cli)


def test_a_key_may_be_in_a_variable_as_cosign_has_it(cli: Cli) -> None:
    cli("key", "generate", "k")
    public = (cli.folder / "k.pub").read_text()
    assert (
        cli("key", "public", "env://COSIGN_PRIVATE_KEY", COSIGN_PRIVATE_KEY=(cli.folder / "k.key").read_text()).stdout
        == public
    )
    assert "variable 'NOWHERE' is not set" in cli.error("key", "public", "env://NOWHERE", expect=1)["message"]
    assert "is not PEM" in cli.error("key", "public", "env://EMPTY", expect=1, EMPTY="")["message"]


@pytest.mark.parametrize("uri", ["k8s://team/release", "gitlab://1234", "github://team/bpf", "https://x.example/k"])
def test_places_that_only_cosign_looks_in_are_said(uri: str, cli: Cli) -> None:
    said = cli.error("sign", "--key", uri, "registry.example/x/y:v1", expect=1)
    scheme = uri.partition(":")[0]
    assert said["message"].startswith(f"keys of {scheme!r} are kept where bpfimg does not look, expected a file or one")
    assert said["kind"] == "KeyFileError"


def test_nothing_is_overwritten(cli: Cli) -> None:
    for ending in ("key", "pub"):
        (cli.folder / f"k.{ending}").write_text("precious")
        assert f"k.{ending} exists" in cli.error("key", "generate", "k", expect=2)["message"]
        assert modes(cli).keys() == {f"k.{ending}"}
        assert (cli.folder / f"k.{ending}").read_text() == "precious"
        (cli.folder / f"k.{ending}").unlink()
    (cli.folder / "k.pub").symlink_to("elsewhere")
    assert "k.pub exists" in cli.error("key", "generate", "k", expect=2)["message"]
    assert not (cli.folder / "elsewhere").exists()


def test_what_cannot_be_written_leaves_nothing(cli: Cli) -> None:
    assert "No such file" in cli.error("key", "generate", "no/such/k", expect=1)["message"]
    words = [sys.executable, "-m", "bpfimg", "key", "generate", "k"]

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    done = subprocess.run(
        words,
        cwd=cli.folder,
        env={**os.environ, "COSIGN_PASSWORD": "x"},
        preexec_fn=full,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "key file 'k.key' cannot be written: File too large" in done.stderr
    assert modes(cli) == {}


def test_both_files_are_there_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the second appears at the last moment, and where the file system has no hard links."""
    one, two = tmp_path / "one", tmp_path / "two"
    files = {str(one): (b"1", 0o600), str(two): (b"2", 0o644)}

    def without_links(*_args: object, **_named: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    for links in (True, False):
        if not links:
            monkeypatch.setattr(os, "link", without_links)
        two.write_text("precious")
        with pytest.raises(UsageError, match="two exists"):
            _new_file.create(files)
        assert [path.name for path in tmp_path.iterdir()] == ["two"]
        assert two.read_text() == "precious"
        two.unlink()
        _new_file.create(files)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"one": b"1", "two": b"2"}
        assert one.stat().st_mode & 0o777 == 0o600
        one.unlink()
        two.unlink()


@pytest.fixture
def typed(cli: Cli) -> Callable[..., tuple[int, str, bool]]:
    """Runs `bpfimg WORDS` on a terminal and types what is given after each prompt; says how it ended, what was to be
    seen, and whether the terminal echoes again."""

    def run(*words: str, answers: tuple[bytes, ...]) -> tuple[int, str, bool]:
        ours, theirs = pty.openpty()
        environ = {name: text for name, text in os.environ.items() if not name.startswith(("BPFIMG_", "COSIGN_"))}
        child = subprocess.Popen(
            [sys.executable, "-m", "bpfimg", *words],
            cwd=cli.folder,
            env={**environ, **cli.environ},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: (os.open(os.ttyname(0), os.O_RDWR), None)[1],  # noqa: PLW1509
        )
        seen = b""
        for answer in answers:
            before = len(seen)
            while b": " not in seen[before:]:
                seen += os.read(ours, 4096)
            while termios.tcgetattr(theirs)[3] & termios.ECHO:
                time.sleep(0.01)
            os.write(ours, answer)
        code = child.wait(timeout=60)
        echoes = bool(termios.tcgetattr(theirs)[3] & termios.ECHO)
        os.close(theirs)
        try:
            while more := os.read(ours, 4096):
                seen += more
        except OSError:  # EIO: everybody has closed the other side
            pass
        os.close(ours)
        return code, seen.decode(), echoes

    return run


def test_a_password_is_asked_for_twice_and_not_shown(cli: Cli, typed: Callable[..., tuple[int, str, bool]]) -> None:
    code, seen, echoes = typed("key", "generate", "k", answers=(PASSWORD.encode() + b"\n",) * 2)
    assert (code, echoes) == (0, True)
    assert "Password for the private key: " in seen
    assert PASSWORD not in seen
    assert opens(cli, PASSWORD.encode())
    code, seen, _ = typed("key", "public", "k.key", answers=(PASSWORD.encode() + b"\n",))
    assert code == 0
    assert "BEGIN PUBLIC KEY" in seen
    assert PASSWORD not in seen


@pytest.mark.parametrize(
    ("answers", "expect", "said"),
    [
        ((b"one\n", b"two\n"), 2, "the two passwords differ"),
        ((b"\x04",), 2, "no password was typed"),
        ((b"\x03",), 130, ""),
        ((PASSWORD.encode() + b"\n", b"\x03"), 130, ""),
    ],
    ids=["differ", "Ctrl-D", "Ctrl-C", "Ctrl-C later"],
)
def test_what_is_not_typed_makes_no_key(
    cli: Cli, typed: Callable[..., tuple[int, str, bool]], answers: tuple[bytes, ...], expect: int, said: str
) -> None:
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    code, seen, echoes = typed("key", "generate", "k", answers=answers)
    assert (code, echoes) == (expect, True)
    assert said in seen
    assert "Traceback" not in seen
    assert PASSWORD not in seen
    assert modes(cli) == {}
