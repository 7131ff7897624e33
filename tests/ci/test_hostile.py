"""The pipeline in a repository, and with words, that somebody made for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ci.conftest import Shell

COMPATIBILITY = b"urn:bpfimg:compatibility:1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "machine"
    made.mkdir()
    return made


def test_a_report_that_was_there_before_is_not_signed(shell: Shell, folder: Path, image: str) -> None:
    """As a repository may bring it, or a run before on the same machine left it."""
    (folder / "reports").mkdir()
    kernel = {"id": "x", "release": "6.1.0-49-amd64", "by": "verifier", "programs": []}
    for name in ("check.json", "kernels.json"):
        (folder / "reports" / name).write_text(json.dumps({"kernels": [kernel]}))
    ran = shell.run(folder, BPFIMG_CI_IMAGE=image, BPFIMG_CI_TAG="v1.0.0", BPFIMG_CI_PUSH="yes")
    assert not ran.failed, ran.log
    assert shell.tags(image) == ["v1.0.0"]
    blobs = [path.read_bytes() for path in shell.server.storage.rglob("data") if path.is_file()]
    assert any(b"slsa.dev/provenance" in each for each in blobs), "attestations are looked at where they are"
    assert not any(COMPATIBILITY in each for each in blobs)
    assert not {"check.json", "kernels.json"} & set(ran.reports)


@pytest.mark.parametrize("name", ["IMAGE", "TAG", "SIGN", "BREAKING"])
def test_a_word_with_lines_makes_no_command_of_a_runner(name: str, shell: Shell, folder: Path, image: str) -> None:
    given = {"BPFIMG_CI_IMAGE": image, "BPFIMG_CI_TAG": "v1", "BPFIMG_CI_KEY": "", "BPFIMG_CI_SIGN": "none"}
    given[f"BPFIMG_CI_{name}"] = "registry.example/x\n::add-mask::x\r::set-output name=digest::sha256:0"
    output = folder / "output"
    done = shell.start(folder, GITHUB_ACTIONS="true", GITHUB_OUTPUT=str(output), BPFIMG_CI_PUSH="no", **given)
    assert done.returncode == 1
    assert [line for line in done.stdout.replace("\r", "\n").split("\n") if line.startswith(("::add", "::set"))] == []
    assert not output.exists() or "sha256:0" not in output.read_text()


def test_tags_of_a_project_file_are_one_name(shell: Shell, folder: Path, image: str) -> None:
    project = shell.source / "bpfimg.toml"
    text = project.read_text() if project.exists() else 'schema = 1\ninputs = ["src/xdp_counter.bpf.c"]\n'
    lines = [line for line in text.splitlines() if not line.startswith("tags")]
    project.write_text("\n".join([f'tags = ["{image}:v0"]', *lines, "", "[labels]", 'tags = ["y:z"]']) + "\n")
    ran = shell.run(folder, BPFIMG_CI_TAG="v1", BPFIMG_CI_PUSH="no")
    assert f"{image}:v1" in ran.log


@pytest.mark.parametrize("name", ["CI_MERGE_REQUEST_IID", "CI_EXTERNAL_PULL_REQUEST_IID"])
def test_a_child_pipeline_of_a_merge_request_pushes_nothing(name: str, shell: Shell, folder: Path, image: str) -> None:
    environ = {"GITLAB_CI": "true", "CI_PIPELINE_SOURCE": "parent_pipeline", "CI_COMMIT_SHA": "0" * 40, name: "7"}
    environ |= {"CI_PROJECT_URL": "https://gitlab.example/team/probe", "CI_RUNNER_ID": "1"}
    ran = shell.run(folder, BPFIMG_CI_IMAGE=image, BPFIMG_CI_PUSH="yes", **environ)
    assert not ran.failed, ran.log
    assert ran.outputs["pushed"] == "no"
    assert shell.tags(image) == []
