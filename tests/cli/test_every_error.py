"""Every error of every verb, as `tests/errors` has it: one file for each verb, one entry for each way to be wrong.

An entry is a command with what it says on stderr and its exit code. `{NAME}` stands for something of the scene
(tests/support/error_scene.py); a word NAME=VALUE before the command is a variable; `nobody` runs it without rights.
`BPFIMG_WRITE_ERRORS=1` writes what is said today into the files: read it before it is committed.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from bpfimg.cli import _described
from bpfimg.cli._main import VERBS
from tests.support.cli import check
from tests.support.error_scene import Said, Scene, scene

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).resolve().parents[1] / "errors"
WRITING = bool(os.environ.get("BPFIMG_WRITE_ERRORS"))
_ENTRY = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n?)*)", re.M)
#: what no message has: Python, argparse and the machine show through
_UGLY = re.compile(
    r"Traceback|\bErrno\b|NoneType|<class|object at 0x|(?<![\w'/])b'|argparse|"
    r"arguments? (?:is|are) required|unrecognized|\bself\b|PosixPath|\bTrue\b|\bFalse\b|\bdict\b|\btuple\b|"
    r"\S  +\S|\bException\b"
)
_NAMESPACES = re.compile(r"ip netns has: .*")


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a file: the command, and what it says, the exit code first."""

    file: Path
    line: str
    said: str

    @property
    def verb(self) -> str:
        return self.file.stem

    def run(self, here: Scene, *more: str) -> Said:
        words = shlex.split(here.filled(self.line))
        environ: dict[str, str] = {}
        runs = here.run
        while words[0] != "bpfimg":
            word = words.pop(0)
            if word == "nobody":
                runs = here.unprivileged
            else:
                environ[word.partition("=")[0]] = word.partition("=")[2]
        return runs([*words[1:], *more], **environ)


def rows() -> Iterator[Row]:
    for file in sorted(FOLDER.glob("*.txt")):
        for line, said in _ENTRY.findall(file.read_text()):
            yield Row(file, line, said)


ROWS = list(rows())


@pytest.fixture(scope="module")
def here() -> Iterator[Scene]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with TemporaryDirectory(prefix="bpfimg-scene-") as folder:  # pytest's own are for one user, and nobody is another
        os.chmod(folder, 0o755)
        with scene(Path(folder)) as made:
            yield made


@pytest.fixture(scope="module", autouse=WRITING)
def writing(here: Scene) -> None:
    """Writes what is said today."""
    for file in sorted({row.file for row in ROWS}):
        text = "".join(f"$ {row.line}\n{said(here, row.run(here))}" for row in ROWS if row.file == file)
        file.write_text(text)


def said(here: Scene, found: Said) -> str:
    """The exit code and what is on stderr, with names for what differs."""
    return f"[{found.code}] {named(here, found.err).removeprefix('bpfimg: error: ')}"


def named(here: Scene, text: str) -> str:
    """The text with names for what differs; this machine may have network namespaces or none."""
    return _NAMESPACES.sub("ip netns list shows the named ones; a path is fine too", here.named(text))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.line)
def test_what_is_said(row: Row, here: Scene) -> None:
    found = row.run(here)
    assert said(here, found) == row.said
    assert found.code in (1, 2, 3, 4)
    assert not _UGLY.search(here.named(found.err)), found.err
    lines = found.err.splitlines()
    errors = [line for line in lines if line.startswith("bpfimg: error: ")]
    assert len(errors) == 1, "one sentence, and one only"
    message = errors[0].removeprefix("bpfimg: error: ")
    assert not message[0].isupper() or message.split()[0].isupper() or message.split()[0].endswith(("'s", "s")), message
    assert not message.endswith("."), message


#: those that may be asked for JSON, once more
PLAIN = [row for row in ROWS if not any(form in row.line for form in (" -o ", " --output", "BPFIMG_OUTPUT"))]


@pytest.mark.parametrize("row", PLAIN, ids=lambda row: row.line)
def test_what_is_said_as_json(row: Row, here: Scene) -> None:
    found = row.run(here, *(() if " -- " in row.line else ("-o", "json")))
    if " -- " in row.line:
        return
    if row.verb == "report" and "-o json" in found.err:
        return  # a report has no JSON, and says so
    assert found.out == "" or row.verb == "rm"  # which says what it has removed before
    (line,) = [line for line in found.err.splitlines() if line.startswith("{")]
    document = json.loads(line)
    check("error", document)
    error = document["error"]
    assert error["exit"] == found.code
    assert f"[{found.code}] " in row.said
    assert here.named(error["message"]).strip() in row.said
    if "..." not in row.said:
        assert all(named(here, part) in row.said for part in error["hint"].splitlines())


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_errors(verb: str) -> None:
    mine = [row for row in ROWS if row.verb == verb]
    assert mine, f"tests/errors/{verb}.txt is missing"
    described = _described.described(verb)
    for name in (described.name, *(each.name for each in described.subs)):
        lines = [row.line for row in mine if f"bpfimg {name}" in row.line or verb in ("run", "attach")]
        assert lines, f"{name} has no entry"
    assert any("has no option" in row.said for row in mine), "an unknown option"
    assert any("--output is" in row.said for row in mine), "an unknown form"
