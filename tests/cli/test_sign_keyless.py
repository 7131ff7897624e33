"""`bpfimg sign` without a key, as people and CI jobs type it: where the identity comes from, which services sign."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.cli import Cli
from tests.support.objects import EXAMPLES
from tests.support.sigstack import SUBJECT, sigstack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.sigstack import Stack

NAME = "x/xdp_pass:v1"
#: what would make this a CI job, or a place with a browser
ELSEWHERE = (
    "GITHUB_ACTIONS",
    "GITLAB_CI",
    "BUILDKITE",
    "CIRCLECI",
    "SIGSTORE_ID_TOKEN",
    "GOOGLE_SERVICE_ACCOUNT_NAME",
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "BROWSER",
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with sigstack(tmp_path_factory.mktemp("sigstack") / "stack") as running:
        yield running


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, stack: Stack) -> None:
    for name in ELSEWHERE:
        monkeypatch.delenv(name, raising=False)
    for service in stack.services.values():
        service.asked.clear()
    stack.provider.claims = {"sub": SUBJECT}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with an image."""
    folder = tmp_path_factory.mktemp("store")
    found = Cli(folder, {"BPFIMG_STORE": str(folder / "store"), "HOME": str(folder)})
    found("build", "-t", NAME, str(EXAMPLES / "xdp_pass.bpf.c"))
    return folder / "store"


@pytest.fixture
def built(cli: Cli, store: Path) -> Cli:
    shutil.copytree(store, cli.folder / "store")
    return cli


def verified(cli: Cli, stack: Stack, identity: str = SUBJECT) -> list[dict[str, object]]:
    words = ["--certificate-identity", identity, "--certificate-oidc-issuer", stack.issuer]
    words += ["--trusted-root", str(stack.trusted_root), "--pull", "never", "-o", "json", NAME]
    found = json.loads(cli("verify", *words).stdout)["images"][0]["signers"]
    assert all(one["identity"] == identity for one in found)
    return list(found)


def test_a_token_in_a_file(built: Cli, stack: Stack) -> None:
    words = ["--trust-config", str(stack.trust_config_of(1)), "--identity-token", str(stack.token_file())]
    done = built("sign", *words, NAME)
    assert re.fullmatch(r"docker\.io/x/xdp_pass:v1@sha256:[0-9a-f]{64}\n", done.stdout)
    assert f"signing as {SUBJECT} (by {stack.issuer}) with " in done.stderr
    assert "read that name for good" not in done.stderr
    assert sorted(str(one["format"]) for one in verified(built, stack)) == ["bundle", "legacy"]
    done = built("sign", "-v", *words, NAME)
    assert done.stderr.count("signature was there already") == 2


def test_a_token_on_stdin_and_in_the_variable(built: Cli, stack: Stack) -> None:
    config = str(stack.trust_config)
    one, two = (stack.token(f"https://ci.example/{word}") for word in ("stdin", "variable"))
    done = built("sign", "--trust-config", config, "--identity-token", "-", NAME, stdin=one + "\n")
    assert one not in done.stdout + done.stderr
    done = built("sign", "--trust-config", config, NAME, SIGSTORE_ID_TOKEN=two)
    assert two not in done.stdout + done.stderr
    for word in ("stdin", "variable"):
        assert len(verified(built, stack, f"https://ci.example/{word}")) == 1


def test_the_two_halves_of_a_configuration(built: Cli, stack: Stack) -> None:
    words = ["--signing-config", str(stack.signing_config), "--trusted-root", str(stack.trusted_root)]
    built("sign", *words, "--identity-token", str(stack.token_file()), NAME)
    assert len(verified(built, stack)) == 1


def test_a_job_of_github(built: Cli, stack: Stack) -> None:
    workflow = "acme/bpf/.github/workflows/release.yml@refs/tags/v1"
    stack.provider.claims = {
        "sub": "repo:acme/bpf:ref:refs/tags/v1",
        "job_workflow_ref": workflow,
        "repository": "acme/bpf",
        "ref": "refs/tags/v1",
        "event_name": "push",
        "runner_environment": "github-hosted",
    }
    built("sign", "--trust-config", str(stack.trust_config), NAME, **stack.github)
    assert len(verified(built, stack, f"https://github.com/{workflow}")) == 1
    again = built("sign", "-v", "--trust-config", str(stack.trust_config), NAME, **stack.github)
    assert "bundle signature was there already" in again.stderr


def test_a_job_of_github_without_the_permission(built: Cli, stack: Stack) -> None:
    words = ["sign", "--trust-config", str(stack.trust_config), NAME]
    said = built.error(*words, expect=1, GITHUB_ACTIONS="true")
    assert said["message"].startswith("this CI job gives no identity token: ")
    assert "id-token: write" in said["hint"]
    stack.services["oidc"].fault = 500
    try:
        said = built.error(*words, expect=1, **stack.github)
    finally:
        stack.services["oidc"].fault = 0
    assert said["message"].startswith("this CI job gives no identity token: ")
    assert stack.github["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] not in json.dumps(said)
    assert stack.services["fulcio"].asked == []


def test_a_job_of_gitlab(built: Cli, stack: Stack) -> None:
    token = stack.token("project_path:acme/bpf:ref_type:tag:ref:v1")
    built("sign", "--trust-config", str(stack.trust_config), NAME, GITLAB_CI="true", SIGSTORE_ID_TOKEN=token)
    assert len(verified(built, stack, "project_path:acme/bpf:ref_type:tag:ref:v1")) == 1
    said = built.error("sign", "--trust-config", str(stack.trust_config), NAME, expect=1, GITLAB_CI="true")
    assert "SIGSTORE_ID_TOKEN not found" in said["message"]


def test_a_browser(built: Cli, stack: Stack, tmp_path: Path) -> None:
    """A real one's part is played by a program that follows where it is sent."""
    browser = tmp_path / "browser"
    browser.write_text(f"#!{sys.executable}\nimport sys, urllib.request\nurllib.request.urlopen(sys.argv[1]).read()\n")
    browser.chmod(0o755)
    stack.provider.claims = {"sub": "1", "email": "ann@acme.example", "email_verified": True}
    done = built("sign", "--trust-config", str(stack.trust_config), NAME, BROWSER=f"{browser} %s")
    assert "signing as ann@acme.example" in done.stderr
    assert len(verified(built, stack, "ann@acme.example")) == 1


@pytest.mark.parametrize("words", [["--no-browser"], []])
def test_a_code_typed_in(built: Cli, stack: Stack, words: list[str]) -> None:
    """Without a browser here, the address is shown, and the code that it leads to is asked for."""
    import urllib.request

    stack.provider.claims = {"sub": "1", "email": "bob@acme.example", "email_verified": True}
    ours, theirs = os.openpty()
    argv = [sys.executable, "-m", "bpfimg", "sign", "--trust-config", str(stack.trust_config), *words, NAME]
    environ = {**os.environ, **built.environ, **({"BROWSER": "/bin/false"} if words else {})}
    with subprocess.Popen(argv, cwd=built.folder, env=environ, stdin=theirs, stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        shown = _until(ours, rb"(http://127\.0\.0\.1:\d+/auth\?\S+)")

        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_: object) -> None:
                return None

        try:
            urllib.request.build_opener(Stay).open(shown)
        except urllib.error.HTTPError as answer:
            back = str(answer.headers["Location"])
        assert back.startswith("urn:ietf:wg:oauth:2.0:oob?")
        code = re.search(r"code=([^&]+)", back)
        assert code is not None
        os.write(ours, code[1].encode() + b"\n")
        _drain(ours)
        assert running.wait(60) == 0
    os.close(ours)
    assert len(verified(built, stack, "bob@acme.example")) == 1


def _until(terminal: int, pattern: bytes) -> str:
    seen, end = b"", time.monotonic() + 60
    while time.monotonic() < end:
        if select.select([terminal], [], [], 1.0)[0]:
            seen += os.read(terminal, 65536)
            found = re.search(pattern + rb"\s", seen)
            if found:
                return found[1].decode()
    raise AssertionError(seen)


def _drain(terminal: int) -> None:
    """Reads on until the program is gone: it may not wait for us."""
    try:
        while select.select([terminal], [], [], 60.0)[0] and os.read(terminal, 65536):
            pass
    except OSError:  # EIO: the other end is closed
        pass


def test_nobody_to_ask(built: Cli, stack: Stack) -> None:
    said = built.error("sign", "--trust-config", str(stack.trust_config), NAME, expect=2)
    assert said["message"] == (
        "there is no identity to sign with: this is no CI job that gives one, and nobody is here to log in"
    )
    assert said["hint"] == "sign with --key KEY, or with --identity-token FILE"
    assert all(service.asked == [] for service in stack.services.values())


def test_a_provider_that_fails(built: Cli, stack: Stack) -> None:
    stack.services["oidc"].fault = 500
    try:
        said = built.error("sign", "--trust-config", str(stack.trust_config), NAME, expect=1, BROWSER="/bin/true")
    finally:
        stack.services["oidc"].fault = 0
    assert said["message"].startswith(f"cannot log in at '{stack.issuer}': ")
    assert stack.services["fulcio"].asked == []


def test_a_provider_without_tls(built: Cli, stack: Stack, tmp_path: Path) -> None:
    document = json.loads(stack.trust_config.read_bytes())
    document["signingConfig"]["oidcUrls"][0]["url"] = "http://idp.example"
    (tmp_path / "config.json").write_text(json.dumps(document))
    said = built.error("sign", "--trust-config", "config.json", NAME, expect=2, BROWSER="/bin/true")
    assert said["message"].endswith("'http://idp.example' is not encrypted, expected an https URL")


def test_the_public_log_is_named(built: Cli, stack: Stack) -> None:
    """The token is no good there, but before anything is asked of anybody, its form is looked at."""
    said = built.error("sign", NAME, expect=2, SIGSTORE_ID_TOKEN="nonsense")
    assert said["message"] == "the identity token cannot be used: it is no JSON web token"


#: a proxy that is none: nothing of what a test asks of Sigstore's own services leaves this machine, not even a name
NOWHERE = {"https_proxy": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1", "no_proxy": "", "NO_PROXY": ""}


def test_who_is_named_in_public_is_said_before_anybody_is_asked(built: Cli, stack: Stack) -> None:
    """A certificate authority publishes what it certifies: afterwards is too late."""
    done = built("sign", NAME, expect=1, SIGSTORE_ID_TOKEN=stack.token(), **NOWHERE)
    said, error = done.stderr.splitlines()[:2]
    assert said == (
        f"bpfimg: signing as {SUBJECT} (by {stack.issuer}) with sigstore-public-good, "
        "where everybody can read that name for good"
    )
    assert error.startswith("bpfimg: error: cannot get a signing certificate: ")


def test_a_person_is_told_before_the_browser_opens(built: Cli, stack: Stack) -> None:
    """Also with -q: whoever logs in agrees to it."""
    done = built("sign", "-q", NAME, expect=1, BROWSER="/bin/true", **NOWHERE)
    said, error = done.stderr.splitlines()[:2]
    assert said == "bpfimg: the name that you log in with (an e-mail address) will stand in a public log for good"
    assert error.startswith(
        "bpfimg: error: cannot log in at 'https://oauth2.sigstore.dev/auth': \"HTTPSConnectionPool("
    )


def test_what_the_certificate_names_is_said_where_it_is_another_word(built: Cli, stack: Stack) -> None:
    workflow = "acme/bpf/.github/workflows/release.yml@refs/tags/v2"
    stack.provider.claims = {
        "sub": "repo:acme/bpf:ref:refs/tags/v2",
        "job_workflow_ref": workflow,
        "repository": "acme/bpf",
        "ref": "refs/tags/v2",
        "event_name": "push",
        "runner_environment": "github-hosted",
    }
    first, second = built("sign", "--trust-config", str(stack.trust_config), NAME, **stack.github).stderr.splitlines()[
        :2
    ]
    assert first.startswith("bpfimg: signing as repo:acme/bpf:ref:refs/tags/v2 (by ")
    assert second == f"bpfimg: the certificate names https://github.com/{workflow}"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--key", "k.key", "--identity-token", "t"], "--key and --identity-token are both given"),
        (["--key", "k.key", "--no-browser"], "--key and --no-browser are both given"),
        (["--password-file", "p"], "--password-file is given without --key"),
        (["--trust-config", "a", "--signing-config", "b"], "--trust-config and half of one are both given"),
        (["--signing-config", "a"], "--signing-config is given alone"),
        (["--trusted-root", "a"], "--trusted-root is given alone"),
        (["--trust-config", "nothing.json"], "--trust-config 'nothing.json' cannot be read: No such file"),
        (["--trust-config", "empty.json"], "the trust configuration empty.json cannot be used"),
        (["--identity-token", "nothing"], "--identity-token 'nothing' cannot be read"),
        (["--identity-token", "empty.json"], "--identity-token empty.json is empty"),
        (["--annotation", "novalue"], "--annotation is 'novalue', expected NAME=VALUE"),
    ],
)
def test_words_that_do_not_go_together(built: Cli, words: list[str], reason: str) -> None:
    (built.folder / "empty.json").write_text("")
    built("key", "generate", "k")
    assert built.error("sign", *words, NAME, expect=2)["message"].startswith(reason)


def test_a_failing_service_ends_with_one_sentence_and_1(built: Cli, stack: Stack) -> None:
    stack.services["tsa"].fault = 500
    try:
        words = ["--trust-config", str(stack.trust_config), "--identity-token", str(stack.token_file())]
        done = built("sign", *words, NAME, expect=1)
    finally:
        stack.services["tsa"].fault = 0
    (line,) = [line for line in done.stderr.splitlines() if "error" in line]
    assert re.fullmatch(r"bpfimg: error: cannot have the signature stamped: HTTP 500 from \S+ \('out of order'\)", line)
    assert "Traceback" not in done.stderr
    assert built("referrers", "-q", NAME).stdout == ""


def test_a_key_with_services_and_a_claim(built: Cli, stack: Stack) -> None:
    built("key", "generate", "k")
    words = ["--key", "k.key", "--trust-config", str(stack.trust_config), "-a", "org.opencontainers.image.version=1.4"]
    done = built("sign", *words, NAME)
    assert "has no place for an entry of a Rekor of version 2" in done.stderr
    words = ["--key", "k.pub", "--trusted-root", str(stack.trusted_root), "--pull", "never", "-o", "json", NAME]
    found = json.loads(built("verify", *words).stdout)["images"][0]
    assert sorted((one["format"], bool(one["logs"])) for one in found["signers"]) == [
        ("bundle", True),
        ("legacy", False),
    ]
