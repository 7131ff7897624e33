"""`run ./prog.o`: into the kernel only where the policy says it in so many words, and never quietly."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from tests.support.objects import example
from tests.support.trusting import rule, with_policy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cli import Cli
    from tests.support.netns import Namespace

ALLOW = {"localFiles": "insecure-allow-unsigned"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "xdp_counter.bpf.o"
    path.write_bytes(example("xdp_counter"))
    return path


def test_without_a_policy_the_hint_says_what_to_write(cli: Cli, file: Path) -> None:
    missing = str(cli.folder / "nowhere.json")
    words = ("load", "--dry-run", f"./{file.name}", "--policy", missing)
    error = cli.error(*words, expect=3)
    assert error["kind"] == "PolicyError"
    assert missing in error["message"]
    line = next(line for line in cli(*words, expect=3).stderr.splitlines() if line.startswith("{"))
    (cli.folder / "nowhere.json").write_text(line)
    cli(*words)
    assert cli.error("load", "--dry-run", "registry.example/x:v1", "--policy", missing, "--pull", "never", expect=1)


@pytest.mark.parametrize("word", [None, "deny"])
def test_a_policy_that_does_not_say_so_refuses(word: str | None, cli: Cli, file: Path) -> None:
    cli = with_policy(cli, {"scope": "localhost", "action": "insecure-allow-unsigned"}, keys={}, authorities={}, **(
        {} if word is None else {"localFiles": word}
    ))  # fmt: skip
    for name in (f"./{file.name}", str(file), file.name, f"../{file.parent.name}/{file.name}"):
        error = cli.error("load", "--dry-run", name, expect=3)
        assert error["kind"] == "VerificationError"
        assert "nobody signed it" in error["message"]
        assert '"localFiles": "insecure-allow-unsigned"' in error["hint"]


@pytest.mark.parametrize(
    "words",
    [
        ("--key", "k.pub"),
        ("--certificate-identity", "me", "--certificate-oidc-issuer", "https://issuer.example"),
        ("--trusted-root", "root.json"),
        ("--allow-downgrade",),
        ("--pull", "never"),
    ],
    ids=" ".join,
)
def test_options_about_signatures_are_not_for_files(words: tuple[str, ...], cli: Cli, file: Path) -> None:
    cli("key", "generate", "k")
    error = with_policy(cli, **ALLOW).error("load", "--dry-run", *words, f"./{file.name}", expect=2)
    assert error["kind"] == "UsageError"
    assert words[0] in error["message"]


def test_verify_says_that_nobody_signs_a_file(cli: Cli, file: Path) -> None:
    for name in (f"./{file.name}", str(file), "nothing.o"):
        error = with_policy(cli, **ALLOW).error("verify", name, expect=2)
        assert error["message"] == f"{name!r} is a local file, which nobody signs, expected an image"
        assert "policy explain" in error["hint"]


def test_denied_digests_count_for_files(cli: Cli, file: Path) -> None:
    digest = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    cli("key", "generate", "k")
    denying = with_policy(cli, denyDigests=[digest], **ALLOW)
    error = denying.error("load", "--dry-run", f"./{file.name}", expect=3)
    assert digest in error["message"]
    cli("build", "-t", "localhost/x:v1", str(file))
    image = json.loads(cli("images", "-o", "json").stdout)["images"][0]["digest"]
    denying = with_policy(cli, denyDigests=[image], **ALLOW)
    assert image in denying.error("load", "--dry-run", f"./{file.name}", expect=3)["message"]


def test_what_is_not_there_or_no_object(cli: Cli) -> None:
    cli("key", "generate", "k")
    allowing = with_policy(cli, **ALLOW)
    assert allowing.error("load", "--dry-run", "./nothing.o", expect=1)["kind"] == "BytecodeError"
    (cli.folder / "text.o").write_text("not an object")
    assert allowing.error("load", "--dry-run", "./text.o", expect=1)["kind"] == "BytecodeError"


def test_a_file_never_takes_the_place_of_an_image(cli: Cli, file: Path) -> None:
    """Whoever can write into the current folder must not be able to put himself in front of a registry."""
    cli("key", "generate", "k")
    (cli.folder / "xdp_pass").write_bytes(file.read_bytes())
    error = with_policy(cli, **ALLOW).error("load", "--dry-run", "--pull", "never", "xdp_pass", expect=1)
    assert error["kind"] == "NotFound"


@pytest.mark.kernel
def test_a_local_file_runs_and_is_marked_everywhere(host: Cli, file: Path, network: Namespace) -> None:
    host("key", "generate", "k")
    host = with_policy(host, **ALLOW)
    done = host("run", f"./{file.name}", "xdp", "-i", network.interface, "--netns", network.name, "-o", "json")
    assert "bpfimg: warning: UNSIGNED: " in done.stderr
    assert "localFiles" in done.stderr
    (program,) = json.loads(done.stdout)["programs"]
    digest = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    found = program["image"]
    assert (found["reference"], found["digest"]) == (f"file:{file}", digest)
    assert (found["rule"], found["unsigned_allowed"]) == ("localFiles", True)
    assert (found["signers"], found["signatures"]) == ([], [])
    assert program["application"] == "xdp_counter"
    assert network.ping(1)
    assert host.json("programs", "get", str(program["id"]))["programs"] == [program]
    text = host("get", str(program["id"])).stdout
    assert "nobody: UNSIGNED" in text
    assert f"file:{file}" in text
    assert digest in text
    assert "UNSIGNED" in host("list").stdout
    host("unload", "xdp_counter")


@pytest.mark.kernel
def test_dry_runs_and_loads_warn_as_well(host: Cli, file: Path) -> None:
    host("key", "generate", "k")
    host = with_policy(host, **ALLOW)
    for words in (("load", "--dry-run"), ("load", "-q")):
        assert "warning: UNSIGNED: " in host(*words, f"./{file.name}").stderr
    host("unload", "xdp_counter")


@pytest.mark.kernel
def test_an_unsigned_image_in_an_allowing_scope_is_marked_everywhere(host: Cli, file: Path) -> None:
    host("key", "generate", "k")
    host("build", "-t", "localhost/dev/x:v1", str(file))
    allowing = with_policy(host, {"scope": "localhost/dev/**", "action": "insecure-allow-unsigned"}, rule("localhost"))
    done = allowing("load", "localhost/dev/x:v1", "-o", "json")
    assert "warning: UNSIGNED ALLOWED: localhost/dev/x:v1, nobody whom the policy knows signed it" in done.stderr
    assert "localhost/dev/**" in done.stderr
    (program,) = json.loads(done.stdout)["programs"]
    assert (program["image"]["unsigned_allowed"], program["image"]["rule"]) == (True, "localhost/dev/**")
    assert "UNSIGNED" in allowing("list").stdout
    assert "UNSIGNED" in allowing("get", str(program["id"])).stdout
    allowing("unload", "x")
    # signed there, too: who signed is said, and that nobody asked
    host("sign", "--key", "k.key", "localhost/dev/x:v1")
    done = allowing("load", "localhost/dev/x:v1", "-o", "json")
    assert "UNSIGNED ALLOWED: localhost/dev/x:v1, it is signed, and need not be" in done.stderr
    (program,) = json.loads(done.stdout)["programs"]
    assert program["image"]["unsigned_allowed"]
    assert {signature["authority"] for signature in program["image"]["signatures"]} == {"release"}
    text = allowing("get", str(program["id"])).stdout
    assert "the policy asks for no signature here" in text
    allowing("unload", "x")
