"""The script by itself: which version it compares with, what it refuses, what is left when it is stopped."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.ci.conftest import PIPELINE, commit, git
from tests.support.registry import PASSWORD, USER, registry

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ci.conftest import Shell


def called(name: str, argument: str, lines: list[str]) -> str:
    """What one of the script's own functions prints."""
    text = PIPELINE.read_text()
    start = text.index(f"\n{name}() {{")
    function = text[start : text.index("\n}\n", start) + 3]
    done = subprocess.run(
        ["dash", "-c", f'set -u\n{function}\n{name} "$1"', "sh", argument],
        input="".join(f"{each}\n" for each in lines),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def before(tag: str, tags: list[str]) -> str:
    return called("before", tag, tags).rstrip("\n")


TAGS = [
    "v1.2.0",
    "v1.10.0",
    "v1.9.3",
    "latest",
    "v2.0.0-rc.1",
    "v2.0.0-rc.10",
    "v2.0.0-rc.2",
    "sha256-aa.sig",
    "1.10",
    "main",
]


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        ("v1.2.0", ""),
        ("v1.2.1", "v1.2.0"),
        ("v1.9.4", "v1.9.3"),
        ("v1.11.0", "v1.10.0"),
        ("v2.0.0", "v1.10.0"),  # releases with releases
        ("v2.0.0-rc.11", "v2.0.0-rc.10"),
        ("v2.0.0-rc.1", "v1.10.0"),
        ("v2.0.0-alpha", "v1.10.0"),
        ("v0.1", ""),
        ("v99999999999999999999.0.0", "v1.10.0"),
        ("ci-5f3c", "v1.10.0"),
        ("main", "v1.10.0"),
    ],
)
def test_the_version_before(tag: str, found: str) -> None:
    kind = "version" if re.match(r"v?\d", tag) else "-"
    assert before(tag, [each for each in TAGS if each != "1.10"]) == f"{kind} {found}"
    assert before(tag, []) == f"{kind} "


def test_the_version_before_is_not_this_one() -> None:
    assert before("v1.2.0", ["v1.2.0"]) == "version "
    assert before("1.2.0", ["v1.1.9", "1.1.10"]) == "version 1.1.10"


def test_no_more_annotations_than_are_shown(tmp_path: Path) -> None:
    """Those of several steps together; what is beyond is counted."""
    file = tmp_path / "remarks"
    errors = [f"::error file=a,line={n}::e{n}" for n in range(12)]
    notices = [f"::notice::n{n}" for n in range(10)]
    file.write_text("".join(f"{each}\n" for each in (*errors, *notices)))
    lines = called("shown", str(file), []).splitlines()
    assert lines[:9] == errors[:9]
    assert lines[9:19] == notices
    assert lines[19:] == ["::error title=bpfimg::3 more are in the summary of this job"]


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"BPFIMG_CI_IMAGE": "", "BPFIMG_CI_INPUTS": "src/xdp_counter.bpf.c"}, "BPFIMG_CI_IMAGE is not set"),
        ({"BPFIMG_CI_TAG": "a/b"}, "the tag is 'a/b', which no registry takes"),
        ({"BPFIMG_CI_TAG": "$(touch pwned)"}, "which no registry takes"),
        ({"BPFIMG_CI_PUSH": "maybe"}, "BPFIMG_CI_PUSH is 'maybe', expected one of: auto yes no"),
        ({"BPFIMG_CI_BREAKING": "perhaps"}, "expected one of: deny allow major"),
        ({"BPFIMG_CI_KEY": "", "BPFIMG_CI_SIGN": "key"}, "BPFIMG_CI_KEY is not set"),
        ({"BPFIMG_CI_DIR": "nowhere"}, "expected a folder"),
    ],
)
def test_words_that_are_wrong(shell: Shell, tmp_path: Path, image: str, environ: dict[str, str], said: str) -> None:
    folder = tmp_path / "machine"
    folder.mkdir()
    done = shell.start(folder, **{"BPFIMG_CI_IMAGE": image, "BPFIMG_CI_TAG": "v1", **environ})
    assert done.returncode == 1
    assert said in done.stdout
    assert not (shell.source / "pwned").exists()


def test_what_a_word_says_is_never_a_command(shell: Shell, tmp_path: Path, image: str) -> None:
    evil = "$(touch pwned) `touch pwned` ; touch pwned; * "
    folder = tmp_path / "machine"
    folder.mkdir()
    for name in ("INPUTS", "PLATFORMS", "FAIL_ON", "DISABLE", "PREVIOUS", "BTF", "BUILDER"):
        environ = {"BPFIMG_CI_IMAGE": image, "BPFIMG_CI_TAG": "v1", f"BPFIMG_CI_{name}": evil}
        ran = shell.run(folder, **environ)
        assert ran.failed, name
        assert not (shell.source / "pwned").exists(), name
    assert shell.tags(image) == []


def test_at_a_prompt_the_git_tag_counts(shell: Shell, tmp_path: Path, image: str) -> None:
    folder = tmp_path / "machine"
    folder.mkdir()
    ran = shell.run(folder, BPFIMG_CI_IMAGE=image)
    assert not ran.failed, ran.log
    assert (ran.outputs["pushed"], ran.outputs["image"].partition(":ci-")[1]) == ("no", ":ci-")
    assert "bpfimg-reports" not in git(shell.source, "status", "--short"), "nobody wants to commit them"
    commit(shell.source)
    git(shell.source, "tag", "v0.3.0")
    ran = shell.run(
        folder, BPFIMG_CI_IMAGE=image.upper().replace(image.upper().partition("/")[0], image.partition("/")[0])
    )
    assert not ran.failed, ran.log
    assert shell.tags(image) == ["v0.3.0"]


def test_no_login_is_no_first_time(shell: Shell, tmp_path: Path) -> None:
    """Whether there is an earlier version cannot be told: a job that pushes fails, one that only builds says so."""
    folder = tmp_path / "machine"
    folder.mkdir()
    (tmp_path / "locked").mkdir()
    with registry(tmp_path / "locked", auth="htpasswd") as locked:
        image = f"{locked.host}/team/xdp_counter"
        environ = {"BPFIMG_CI_IMAGE": image, "BPFIMG_CI_TAG": "v1.0.0"}
        ran = shell.run(folder, **environ)
        assert ran.failed
        assert f"the tags of {image} could not be listed" in ran.summary
        ran = shell.run(folder, BPFIMG_CI_PUSH="no", **environ)
        assert not ran.failed, ran.log
        assert "this job may not read the registry" in ran.summary
        ran = shell.run(folder, BPFIMG_USERNAME=USER, BPFIMG_PASSWORD=PASSWORD, **environ)
        assert not ran.failed, ran.log
        assert PASSWORD not in ran.log + ran.summary
    ran = shell.run(folder, BPFIMG_USERNAME=USER, BPFIMG_PASSWORD=PASSWORD, BPFIMG_CI_PUSH="no", **environ)
    assert ran.failed, "a registry that does not answer is no registry without versions"


def test_stopped_in_the_middle(shell: Shell, tmp_path: Path, image: str) -> None:
    """A job that is cancelled leaves a summary and no temporary files."""
    folder = tmp_path / "machine"
    folder.mkdir()
    (tmp_path / "bin").mkdir()
    slow = tmp_path / "bin" / "bpfimg"
    real = subprocess.run(["sh", "-c", "command -v bpfimg"], capture_output=True, text=True, check=False).stdout.strip()
    real = real or str(PIPELINE.parents[3] / ".venv/bin/bpfimg")
    slow.write_text(f'#!/bin/sh\n[ "$1" != lint ] || {{ : >"{folder}/there"; sleep 60; }}\nexec "{real}" "$@"\n')
    slow.chmod(0o755)
    environ = {
        "PATH": f"{tmp_path}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "TMPDIR": str(folder),
        "BPFIMG_CI_IMAGE": image,
        "BPFIMG_CI_REPORTS": str(folder / "reports"),
    }
    process = subprocess.Popen(
        ["dash", str(PIPELINE)],
        cwd=shell.source,
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not (folder / "there").exists():
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert "(stopped)" in (folder / "reports" / "summary.md").read_text()
    assert list(folder.glob("bpfimg-ci.*")) == []
