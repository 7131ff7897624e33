"""Credential programs: real executables that answer, fail, say too much, or say nothing for ever."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import RegistryError
from bpfimg.oci import places
from bpfimg.oci._login._credential_program import Program
from bpfimg.oci._settings._environment import _OURS
from tests.support.descriptors import none_left
from tests.support.programs import keeper, script

if TYPE_CHECKING:
    from pathlib import Path

SERVER = "registry.test:5000"


def program(folder: Path, text: str, seconds: float = 20.0) -> Program:
    script(folder / "bin", "x", text)
    return Program("x", (str(folder / "bin"),), seconds=seconds)


def test_what_is_stored_is_found_and_can_be_erased(tmp_path: Path) -> None:
    made = keeper(tmp_path)
    one = Program("keeper", (str(made.folder),))
    assert one.get(SERVER) is None
    assert not one.erase(SERVER)
    one.store(SERVER, "me", 'p"w\n')
    assert one.get(SERVER) == ("me", 'p"w\n')
    assert one.erase(SERVER)
    assert one.get(SERVER) is None
    assert made.calls[2] == f"store {SERVER}"


@pytest.mark.parametrize("name", ["", "../x", "a/b", "x y", "x\n", "ü", "x;y", "$(x)", "a" * 65])
def test_a_name_is_a_word(name: str) -> None:
    with pytest.raises(RegistryError, match="is not the name of a credential program"):
        Program(name, ("/bin",))


def test_it_is_found_in_the_given_folders_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = script(tmp_path / "bin", "x", "#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.chdir(tmp_path / "bin")
    for folders in ((), ("",), (".",), ("bin",), (str(tmp_path),)):
        with pytest.raises(RegistryError, match="docker-credential-x is not there, expected a program on PATH"):
            Program("x", folders)
    assert Program("x", ("", str(tmp_path), str(tmp_path / "bin")))
    path.chmod(0o644)
    with pytest.raises(RegistryError, match="is not there"):
        Program("x", (str(tmp_path / "bin"),))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("#!/bin/sh\ncat >/dev/null; echo '{'", "is not JSON"),
        ("#!/bin/sh\ncat >/dev/null; echo '[]'", "expected a JSON object"),
        ("#!/bin/sh\ncat >/dev/null; echo '{}'", "has no Username and Secret"),
        ('#!/bin/sh\ncat >/dev/null; echo \'{"Username": 1, "Secret": "x"}\'', "has no Username and Secret"),
        (
            "#!/bin/sh\ncat >/dev/null; printf 'no \\033[31mluck\\n' >&2; exit 3",
            r"status 3 and says 'no \\x1b\[31mluck'",
        ),
        ("#!/bin/sh\ncat >/dev/null; exit 1", "fails with status 1 and says nothing"),
        ("#!/bin/sh\nkill -9 $$", "fails with status -9"),
        ("#!/bin/sh\nyes", "more than 65536 bytes"),
        ("#!/bin/sh\nyes >&2", "more than 65536 bytes"),
        ("#!/does/not/exist\n", "cannot be started"),
        ("\0\0\0", "cannot be started"),
    ],
)
def test_what_fails_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(RegistryError, match=sentence) as refused:
        program(tmp_path, text).get(SERVER)
    assert len(str(refused.value)) < 600
    assert str(refused.value).isprintable()


def test_a_program_that_reads_nothing_may_answer(tmp_path: Path) -> None:
    one = program(tmp_path, '#!/bin/sh\necho \'{"Username": "me", "Secret": "s"}\'\n')
    assert one.get("x" * (1 << 20)) == ("me", "s")


@pytest.mark.parametrize("name", _OURS)
def test_it_gets_no_secret_that_was_meant_for_us(tmp_path: Path, name: str) -> None:
    text = f'#!/bin/sh\necho "{{\\"Username\\": \\"me\\", \\"Secret\\": \\"${name}-$KEPT\\"}}"\n'
    script(tmp_path / "bin", "x", text)
    environ = {"PATH": os.environ["PATH"], name: "x", "KEPT": "y"}
    options = places.registry_options(environ, 1000, warn=print)
    assert Program("x", (str(tmp_path / "bin"),), options.program_environ).get(SERVER) == ("me", "-y")


def test_an_empty_entry_is_none(tmp_path: Path) -> None:
    assert program(tmp_path, '#!/bin/sh\necho \'{"Username": "", "Secret": ""}\'\n').get(SERVER) is None


@pytest.mark.parametrize("text", ["exec sleep 1000", "exec >&- 2>&-; exec sleep 1000", "while :; do :; done"])
def test_what_does_not_answer_is_ended(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bpfimg.oci._login._credential_program._AFTER", 0.2)
    one = program(tmp_path, f"#!/bin/sh\necho $$ > {tmp_path}/pid\n{text}\n", seconds=0.3)
    with pytest.raises(RegistryError, match=r"does not answer within 0\.3 seconds"):
        one.get(SERVER)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_what_it_leaves_running_keeps_nobody(tmp_path: Path) -> None:
    answer = 'echo \'{"Username": "me", "Secret": "s"}\''
    text = f"#!/bin/sh\nsleep 1000 & echo $! > {tmp_path}/pid\n{answer}\n"
    try:
        assert program(tmp_path, text, seconds=500).get(SERVER) == ("me", "s")
    finally:
        os.kill(int((tmp_path / "pid").read_text()), 9)


def test_nothing_stays_open(tmp_path: Path) -> None:
    with none_left():
        for text in ("echo '{}'", "exec sleep 1000", "yes"):
            with pytest.raises(RegistryError):
                program(tmp_path, f"#!/bin/sh\n{text}\n", seconds=0.3).get(SERVER)
