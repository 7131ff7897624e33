"""`build --engine` and `build --print` as a user types them, with a real podman."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.cli import Cli, check
from tests.support.objects import EXAMPLES, compile_source, example
from tests.support.podman import Podman, podman

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "registry.example/team/xdp_counter:v1"
SOURCE = str(EXAMPLES / "xdp_counter.bpf.c")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    with podman(tmp_path_factory.mktemp("podman")) as running:
        yield running


@pytest.fixture
def with_podman(cli: Cli, engine: Podman) -> Cli:
    return Cli(cli.folder, {**cli.environ, "CONTAINER_HOST": f"unix://{engine.socket}"})


def test_podman_makes_the_image(with_podman: Cli, engine: Podman) -> None:
    done = with_podman("build", "--engine", "podman", "-t", NAME, "-t", "registry.example/b:2", SOURCE)
    (seen,) = json.loads(engine.run("image", "inspect", NAME))
    pinned = f"sha256:{seen['Id']}"
    names = (NAME, "registry.example/b:2")
    assert done.stdout.splitlines() == [f"{name} {pinned} {name}@{seen['Digest']}" for name in names]
    assert "podman stamps the time into its images" in done.stderr
    assert json.loads(seen["Labels"]["io.ebpf.programs"]) == {"xdp_count": "xdp"}
    assert json.loads(with_podman("images", "-o", "json").stdout) == {"images": []}


def test_several_platforms_get_a_name_each(with_podman: Cli, engine: Podman) -> None:
    words = ("build", "--engine", "podman", "-t", NAME, "--platform", "linux/amd64,linux/arm64", SOURCE)
    document = json.loads(with_podman(*words, "-o", "json").stdout)
    check("engine-images", document)
    assert [(each["platform"], each["references"]) for each in document["images"]] == [
        ("linux/amd64", [f"{NAME}-amd64"]),
        ("linux/arm64", [f"{NAME}-arm64"]),
    ]
    for each in document["images"]:
        (seen,) = json.loads(engine.run("image", "inspect", each["references"][0]))
        assert (each["id"], each["digest"]) == (f"sha256:{seen['Id']}", seen["Digest"])
        assert f"linux/{seen['Architecture']}" == each["platform"]
    assert with_podman(*words, "-q").stdout.count("sha256:") == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--engine", "lxc"), "there is no engine 'lxc', expected docker or podman"),
        (("--engine", "podman", "--push"), "--push has no meaning with --engine"),
        (("--engine", "podman", "--sbom"), "--sbom has no meaning with --engine"),
        (("--engine", "podman", "--digest-file", "d"), "--digest-file has no meaning with --engine"),
        (("--engine", "podman", "--print", "shell"), "--print has no meaning with --engine"),
        (("--engine", "podman", "--variant", "artifact"), "engines make ordinary images only"),
        (("--print", "dockerfile"), "--print is 'dockerfile', expected containerfile, build-args, shell"),
        (("--print", "containerfile"), "an engine copies object files, so --print takes no C source and no --link"),
    ],
)
def test_words_that_do_not_fit(cli: Cli, words: tuple[str, ...], said: str) -> None:
    error = cli.error("build", "-t", NAME, *words, SOURCE, expect=2)
    assert error["message"].startswith(said)


def test_an_engine_needs_a_name(cli: Cli) -> None:
    assert "expected -t NAME:TAG" in cli.error("build", "--engine", "podman", SOURCE, expect=2)["message"]


@pytest.mark.parametrize(("kind", "variable"), [("podman", "CONTAINER_HOST"), ("docker", "DOCKER_HOST")])
def test_an_engine_that_does_not_answer(cli: Cli, kind: str, variable: str) -> None:
    words = ("build", "--engine", kind, "-t", NAME, SOURCE)
    error = cli.error(*words, expect=1, **{variable: f"unix://{cli.folder}/none.sock"})
    assert error["message"] == f"{kind} does not answer: there is no socket '{cli.folder}/none.sock'"
    assert variable in error["hint"]
    (cli.folder / "file.sock").write_text("")
    error = cli.error(*words, expect=1, **{variable: f"unix://{cli.folder}/file.sock"})
    assert error["message"].startswith(f"{kind} does not answer: ")


def test_without_the_sdk_the_command_that_installs_it_is_named(cli: Cli) -> None:
    from pathlib import Path

    import bpfimg

    (cli.folder / "docker").mkdir()
    (cli.folder / "docker/__init__.py").write_text("raise ImportError('gone', name='docker')\n")
    path = f"{cli.folder}:{Path(bpfimg.__file__).parents[1]}"
    error = cli.error("build", "--engine", "podman", "-t", NAME, SOURCE, expect=1, PYTHONPATH=path)
    assert error["message"] == "an engine is reached through the Python package docker, which is not installed"
    assert error["hint"].startswith("pip install 'bpfimg[docker]'")


def test_a_printed_containerfile_builds(cli: Cli, engine: Podman) -> None:
    (cli.folder / "out").mkdir()
    (cli.folder / "out/xdp pass$1.o").write_bytes(example("xdp_pass"))
    text = cli("build", "--print", "containerfile", "out/xdp pass$1.o").stdout
    (cli.folder / "Containerfile").write_text(text)
    engine.run("build", "-q", "--network=none", "-t", "localhost/printed:1", str(cli.folder))
    (seen,) = json.loads(engine.run("image", "inspect", "localhost/printed:1"))
    assert (seen["Labels"]["io.ebpf.programs"], seen["Labels"]["io.ebpf.maps"]) == ('{"pass":"xdp"}', "{}")


def test_printed_arguments(cli: Cli) -> None:
    (cli.folder / "xdp.o").write_bytes(example("xdp_counter"))
    lines = cli("build", "--print", "build-args", "xdp.o").stdout.splitlines()
    assert lines[:3] == ["BYTECODE_FILE=xdp.o", 'PROGRAMS={"xdp_count":"xdp"}', 'MAPS={"counters":"array"}']
    document = json.loads(cli("build", "--print", "build-args", "xdp.o", "-o", "json").stdout)
    check("build-arguments", document)
    assert [f"{name}={text}" for name, text in document["build_args"].items()] == lines
    assert (document["programs"], document["maps"]) == ({"xdp_count": "xdp"}, {"counters": "array"})
    check("build-arguments", json.loads(cli("build", "--print", "containerfile", "xdp.o", "-o", "json").stdout))
    script = cli("build", "--print", "shell", "xdp.o").stdout + 'printf %s "$PROGRAMS"'
    assert subprocess.run(["sh", "-c", script], capture_output=True, check=True).stdout == b'{"xdp_count":"xdp"}'


def test_dwarf_that_an_engine_would_leave_in_is_mentioned(cli: Cli) -> None:
    plain = 'SEC("xdp") int f(void *c) { return 2; } char _license[] SEC("license") = "GPL";'
    (cli.folder / "fat.o").write_bytes(compile_source(plain, strip=False))
    assert "bytes of DWARF, which an engine leaves in" in cli("build", "--print", "containerfile", "fat.o").stderr


def test_an_object_outside_of_the_context_is_refused(cli: Cli) -> None:
    outside = cli.folder.parent / "outside.o"
    outside.write_bytes(example("xdp_pass"))
    error = cli.error("build", "--print", "containerfile", str(outside), expect=2)
    assert "is outside of the build context" in error["message"]
