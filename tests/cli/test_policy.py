"""`bpfimg policy` as it is typed: begin a policy, look into it, ask which rule is for an image."""

from __future__ import annotations

import base64
import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.cli import check
from tests.support.objects import EXAMPLES
from tests.support.sigstack import World
from tests.unit.sign.craft import key

if TYPE_CHECKING:
    from bpfimg.sign import PrivateKey
    from tests.support.cli import Cli
    from tests.support.registry import Server

ISSUER = "https://issuer.example"


@pytest.fixture
def pub(cli: Cli) -> PrivateKey:
    (cli.folder / "release.pub").write_text(key().public.pem)
    return key()


def document(cli: Cli, name: str = "p.json") -> dict[str, Any]:
    found = json.loads((cli.folder / name).read_text())
    assert isinstance(found, dict)
    check("policy", found)
    return found


# -- init ------------------------------------------------------------------------------------------------------------


def test_a_policy_begins_with_keys_and_scopes(cli: Cli, pub: PrivateKey) -> None:
    done = cli(
        "policy", "init", "p.json", "--key", "release.pub", "--scope", "a.example/team/**", "--scope", "b.example/x"
    )
    assert done.stdout.strip() == "p.json"
    assert document(cli) == {
        "version": 1,
        "default": "deny",
        "authorities": {
            "release": {"type": "key", "keyData": [pub.public.pem], "tlog": "ignore", "timestamp": "ignore"}
        },
        "rules": [
            {"scope": "a.example/team/**", "requireAny": ["release"]},
            {"scope": "b.example/x", "requireAny": ["release"]},
        ],
    }
    assert "a.example/team/**" in cli("policy", "check", "p.json").stdout


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_everybody_may_read_what_is_written_and_nobody_else_may_change_it(cli: Cli, umask: int) -> None:
    before = os.umask(umask)
    try:
        cli("policy", "init", "deep/down/p.json")
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((cli.folder / name).stat().st_mode) for name in ("deep/down/p.json", "deep/down", "deep")]
    assert modes[0] == 0o644
    assert not any(mode & 0o022 for mode in modes)


def test_nothing_is_ever_overwritten(cli: Cli) -> None:
    (cli.folder / "p.json").write_text("mine")
    done = cli("policy", "init", "p.json", expect=2)
    assert "exists, expected a free name" in done.stderr
    assert (cli.folder / "p.json").read_text() == "mine"
    (cli.folder / "link").symlink_to("nowhere")
    cli("policy", "init", "link", expect=2)
    assert not (cli.folder / "nowhere").exists()


def test_without_keys_nothing_is_believed(cli: Cli) -> None:
    cli("policy", "init", BPFIMG_POLICY="p.json")
    assert document(cli) == {"version": 1, "default": "deny", "rules": []}
    done = cli("policy", "explain", "a.example/x", BPFIMG_POLICY="p.json")
    assert "nothing is believed" in done.stdout


def test_an_identity_takes_a_root_which_is_pinned(cli: Cli) -> None:
    (cli.folder / "root.json").write_bytes(World().trusted_root())
    words = ["--certificate-identity", "me@example.org", "--certificate-oidc-issuer", ISSUER, "--scope", "a.example"]
    cli("policy", "init", "p.json", *words, "--trusted-root", "root.json")
    found = document(cli)
    (root,) = found["trustedRoots"].values()
    assert root["path"] == str(cli.folder / "root.json")
    assert len(root["sha256"]) == 64
    assert found["authorities"]["keyless"]["identities"] == [{"issuer": ISSUER, "subject": "me@example.org"}]
    cli("policy", "check", "p.json")
    (cli.folder / "root.json").write_bytes(World("other").trusted_root())
    assert "has the SHA-256" in cli("policy", "check", "p.json", expect=3).stderr


def test_an_identity_is_of_the_public_sigstore_if_nothing_else_is_said(cli: Cli) -> None:
    words = ["--certificate-identity-regexp", "https://x/.*", "--certificate-oidc-issuer-regexp", "https://y/.*"]
    cli("policy", "init", "p.json", *words, "--scope", "a.example")
    found = document(cli)
    assert found["trustedRoots"] == {"public": {"builtin": "sigstore-public-good"}}
    assert found["authorities"]["keyless"]["identities"] == [
        {"subjectRegex": "https://x/.*", "issuerRegex": "https://y/.*"}
    ]


def test_keys_with_a_root_have_their_evidence_checked(cli: Cli, pub: PrivateKey) -> None:
    (cli.folder / "root.json").write_bytes(World().trusted_root())
    words = ["--key", "release.pub", "--key", "release.pub", "--scope", "a.example", "--trusted-root", "root.json"]
    cli("policy", "init", "p.json", *words)
    found = document(cli)["authorities"]
    assert set(found) == {"release", "release-2"}
    assert found["release"] == {"type": "key", "keyData": [pub.public.pem], "trustedRoot": "trusted"}


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--key", "release.pub"], 2, "whom to believe is given without --scope"),
        (["--scope", "a.example"], 2, "a scope is given without --key or --certificate-identity"),
        (["--key", "release.pub", "--scope", "a b"], 2, "--scope 'a b' is not"),
        (["--key", "release.pub", "--scope", "a.example", "--scope", "a.example/**"], 3, "have the same scope"),
        (["--key", "none.pub", "--scope", "a.example"], 1, "none.pub"),
        (["--certificate-identity", "me", "--scope", "a.example"], 2, "an identity has one subject and one issuer"),
        (["--certificate-identity", "me", "--certificate-identity-regexp", "me", "--scope", "a"], 2, "one subject"),
        (["--ignore-signed-tags"], 2, "--ignore-signed-tags is about --from-containers"),
        (["--from-containers", "none.json"], 2, "'none.json' cannot be read"),
        (["--from-containers", "x", "--key", "release.pub"], 2, "--key cannot be used with --from-containers"),
        (["--certificate-identity-regexp", "(", "--certificate-oidc-issuer", "x", "--scope", "a"], 3, "cannot be used"),
    ],
)
def test_what_cannot_be_meant_leaves_nothing_behind(
    cli: Cli, pub: PrivateKey, words: list[str], code: int, says: str
) -> None:
    assert says in cli("policy", "init", "new/p.json", *words, expect=code).stderr
    assert not (cli.folder / "new").exists()


def test_the_policy_of_podman_is_imported_and_what_is_lost_is_told(cli: Cli) -> None:
    signed = {
        "type": "sigstoreSigned",
        "keyData": base64.b64encode(key().public.pem.encode()).decode(),
        "signedIdentity": {"type": "matchRepository"},
    }
    docker = {"a.example/b": [signed], "c.example": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/x"}]}
    (cli.folder / "theirs.json").write_text(
        json.dumps({"default": [{"type": "reject"}], "transports": {"docker": docker}})
    )
    done = cli("policy", "init", "p.json", "--from-containers", "theirs.json")
    assert "warning: c.example: GPG signatures (signedBy) cannot be asked for: denied" in done.stderr
    assert [(one["scope"], one.get("action", "verify")) for one in document(cli)["rules"]] == [
        ("a.example/b", "verify"), ("a.example/b/**", "verify"), ("c.example", "deny"),
    ]  # fmt: skip
    (entry,) = cli.json("policy-init", "policy", "init", "q.json", "--from-containers", "theirs.json")["policies"]
    assert {"place": "c.example", "message": "GPG signatures (signedBy) cannot be asked for: denied"} in entry["notes"]
    assert document(cli, "q.json") == document(cli)


def test_what_is_begun_is_believed(cli: Cli, server: Server) -> None:
    """From nothing to a believed image with what is printed in the manual."""
    name = f"{server.host}/begun/app:v1"
    cli("key", "generate", "release")
    cli("policy", "init", "p.json", "--key", "release.pub", "--scope", f"{server.host}/begun/**")
    cli("build", "-t", name, "--push", str(EXAMPLES / "xdp_counter.bpf.c"))
    assert "is not signed" in cli("verify", "--policy", "p.json", name, expect=3).stderr
    cli("sign", "--key", "release.key", f"registry:{name}")
    done = cli("verify", "--policy", "p.json", "--pull", "always", name)
    assert f"{server.host}/begun/**" in done.stdout


# -- check -----------------------------------------------------------------------------------------------------------


def test_check_says_what_a_policy_means(cli: Cli, pub: PrivateKey) -> None:
    (cli.folder / "p.json").write_text(
        json.dumps(
            {
                "version": 1,
                "default": "insecure-allow-unsigned",
                "authorities": {"release": {"type": "key", "keyPaths": [str(cli.folder / "release.pub")]}},
                "rules": [
                    {"scope": "a.example", "requireAny": ["release"], "rollback": {"mode": "monotonic"}},
                    {"scope": "team/app", "action": "deny"},
                ],
                "denyDigests": ["sha256:" + "0" * 64],
            }
        )
    )
    text = cli("policy", "check", "p.json").stdout
    for line in (
        "p.json is a valid policy",
        "default:      insecure-allow-unsigned",
        "denied:       1 digest",
        "rule a.example\n  signed by release\n",
        "never goes back on this host",
        f"authority release\n  key {pub.public.fingerprint} (ecdsa-p256)",
        "default: images that no rule is for are believed unsigned, also those of a host that has rules, under another "
        "of its names (an address, localhost, a CNAME) (insecure-default)",
        "(evidence-refused)",
        "(never-reached)",
    ):
        assert line in text, text
    (entry,) = cli.json("policy-check", "policy", "check", "p.json")["policies"]
    assert [one["id"] for one in entry["rules"]] == ["team/app", "a.example"]
    assert {one["code"] for one in entry["advice"]} == {"insecure-default", "evidence-refused", "never-reached"}
    assert cli("policy", "check", "p.json", "-q").stdout.strip() == entry["id"]


def test_check_reads_trusted_roots_to_the_end(cli: Cli) -> None:
    root = World().root_document()
    (cli.folder / "root.json").write_text(json.dumps(root))
    policy = {
        "version": 1,
        "default": "deny",
        "trustedRoots": {"corp": {"path": str(cli.folder / "root.json")}},
        "authorities": {
            "ci": {"type": "keyless", "trustedRoot": "corp", "identities": [{"issuer": ISSUER, "subject": "me"}]}
        },
        "rules": [{"scope": "a.example", "requireAny": ["ci"]}],
    }
    (cli.folder / "p.json").write_text(json.dumps(policy))
    (entry,) = cli.json("policy-check", "policy", "check", "p.json")["policies"]
    assert entry["trusted_roots"][0]["certificate_authorities"] == len(root["certificateAuthorities"])
    root["certificateAuthorities"][0]["certChain"]["certificates"][0]["rawBytes"] = "AAAA"
    (cli.folder / "root.json").write_text(json.dumps(root))
    assert "trusted root corp" in cli("policy", "check", "p.json", expect=3).stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not JSON"),
        ('{"version":1,"default":"deny","rules":[],"rules":[]}', "has the key 'rules' twice"),
        ('{"version":1,"default":"deny","rules":[],"x":1}', "unknown field 'x'"),
    ],
)
def test_check_refuses_what_verify_refuses(cli: Cli, text: str, says: str) -> None:
    (cli.folder / "p.json").write_text(text)
    assert says in cli("policy", "check", "p.json", expect=3).stderr
    assert says in cli("verify", "--policy", "p.json", "a.example/x", expect=3).stderr


def test_check_without_a_file_is_about_the_policy_in_force(cli: Cli) -> None:
    cli("policy", "init", "p.json")
    assert "p.json is a valid policy" in cli("policy", "check", BPFIMG_POLICY="p.json").stdout
    done = cli("policy", "check", BPFIMG_POLICY="none.json", expect=3)
    assert "none.json does not exist" in done.stderr
    assert "bpfimg policy init" in done.stderr


# -- explain ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def ruled(cli: Cli, pub: PrivateKey) -> Cli:
    words = [
        word for scope in ("a.example/x", "a.example/x:v1", "a.example", "localhost") for word in ("--scope", scope)
    ]
    cli("policy", "init", "p.json", "--key", "release.pub", *words)
    return type(cli)(cli.folder, {**cli.environ, "BPFIMG_POLICY": "p.json"})


def test_explain_says_which_rule_and_why(ruled: Cli) -> None:
    text = ruled("policy", "explain", "a.example/x:v1").stdout
    for line in ("rule:      a.example/x:v1", "it names this repository and tag", "asks for:  signed by release",
                 "not used:  a.example/x: it names this repository, but the rule for a.example/x:v1 "
                 "is more specific"):  # fmt: skip
        assert line in text, text
    (entry,) = ruled.json("policy-explain", "policy", "explain", "a.example/x:v1")["explanations"]
    assert (entry["rule"], entry["action"]) == ("a.example/x:v1", "verify")
    assert [one["rule"] for one in entry["others"]] == ["a.example/x", "a.example"]
    assert ruled("policy", "explain", "a.example/x:v1", "-q").stdout.strip() == "a.example/x:v1"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a.example/x:v2", "a.example/x"),
        ("a.example/x:v1@sha256:" + "0" * 64, "a.example/x"),
        ("registry:a.example/y", "a.example"),
        ("store:a.example/y", "a.example"),
        ("oci:dir:a.example/y:v1", "a.example"),
        ("oci-archive:file.tar:v1", "localhost"),
        ("oci:dir:@sha256:" + "0" * 64, "localhost"),
        ("docker-daemon:a.example/x:v1", "a.example/x:v1"),
        ("nginx", "default"),
        ("./x.o", "localFiles"),
        ("x.bpf.o", "localFiles"),
    ],
)
def test_explain_looks_at_words_alone(ruled: Cli, text: str, rule: str) -> None:
    entries = ruled.json("policy-explain", "policy", "explain", text)["explanations"]
    assert {entry["rule"] for entry in entries} == {rule}


def test_explain_means_a_file_where_run_does(ruled: Cli) -> None:
    """What merely exists here under the name of an image does not take its place."""
    (ruled.folder / "probe").write_text("x")
    assert ruled("policy", "explain", "probe").stdout.startswith("docker.io/library/probe:latest\n")
    for file in ("./probe", "../probe", "/probe", "probe.bpf.o"):
        assert "rule:      localFiles\n" in ruled("policy", "explain", file).stdout


def test_explain_asks_for_a_name_where_there_is_none(ruled: Cli) -> None:
    assert "says no name for the image" in ruled("policy", "explain", "oci:dir", expect=2).stderr
    assert "is not an image reference" in ruled("policy", "explain", "A B", expect=2).stderr


def test_explain_names_digests_that_are_denied(ruled: Cli) -> None:
    found = document(ruled)
    digest = "sha256:" + "ab" * 32
    (ruled.folder / "p.json").write_text(json.dumps({**found, "denyDigests": [digest]}))
    assert "denied:    denyDigests has this digest" in ruled("policy", "explain", f"a.example/x@{digest}").stdout
