"""No network at all: what is stored and signed is verified and runs where there is no interface, key and keyless."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.cli import Cli, check
from tests.support.netns import skip_unless
from tests.support.objects import example
from tests.support.sigstack import sigstack
from tests.support.trusting import rule, with_policy

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.netns import Namespace

SUBJECT = "https://ci.example/team/app/build.yml@refs/tags/v1"
FORMS = [(who, form) for who in ("key", "keyless") for form in ("legacy", "bundle")]


def name(who: str, form: str) -> str:
    return f"localhost/{who}/{form}:v1"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a store of four signed images, key and trusted root; the services that signed are gone again."""
    folder = tmp_path_factory.mktemp("made")
    cli = Cli(folder, {"BPFIMG_STORE": str(folder / "store"), "HOME": str(folder)})
    cli("key", "generate", "k")
    (folder / "app.o").write_bytes(example("xdp_counter"))
    with sigstack(folder / "stack") as stack:
        for who, form in FORMS:
            cli("build", "-t", name(who, form), "--label", f"of={who}-{form}", "app.o")
            by = ("--key", "k.key") if who == "key" else ("--identity-token", str(stack.token_file(SUBJECT)))
            # a `.sig` without a key needs the signed time that only version 1 of the log gives
            services = str(stack.trust_config_of(1 if form == "legacy" else 2))
            config = ("--trust-config", services) if who == "keyless" else ()
            cli("sign", *by, *config, "--format", form, name(who, form))
        (folder / "root.json").write_bytes(stack.trusted_root.read_bytes())
        issuer = stack.issuer
    return folder, issuer


def trusting(cli: Cli, made: tuple[Path, str]) -> Cli:
    """The commands with those images and a policy for both kinds."""
    folder, issuer = made
    shutil.copytree(folder, cli.folder, dirs_exist_ok=True)
    root = cli.folder / "root.json"
    pinned = {"path": str(root), "sha256": hashlib.sha256(root.read_bytes()).hexdigest()}
    cli = with_policy(cli, rule("localhost/key/**"), rule("localhost/keyless/**", "ci"), trustedRoots={"own": pinned})
    path = cli.folder / "policy.json"
    document = json.loads(path.read_text())
    document["authorities"]["ci"] = {
        "type": "keyless",
        "trustedRoot": "own",
        "identities": [{"issuer": issuer, "subject": SUBJECT}],
    }
    path.write_text(json.dumps(document))
    return cli


def sealed(cli: Cli, script: str) -> subprocess.CompletedProcess[str]:
    """Runs a shell script in a network namespace of its own, in which nothing is but a loopback that is down."""
    kept = {key: text for key, text in os.environ.items() if not key.startswith("BPFIMG_")}
    bpfimg = f"{sys.executable} -m bpfimg"
    return subprocess.run(
        ["unshare", "--net", "sh", "-ec", script],
        cwd=cli.folder,
        env={**kept, **cli.environ, "bpfimg": bpfimg},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.kernel
@pytest.mark.parametrize(("who", "form"), FORMS)
def test_verify_and_run_where_there_is_no_network(who: str, form: str, host: Cli, made: tuple[Path, str]) -> None:
    skip_unless("xdp")
    cli = trusting(host, made)
    script = f"""
        ip link show up | grep -q . && exit 99
        $bpfimg verify {name(who, form)} -o json > verified.json
        $bpfimg run --pull never {name(who, form)} xdp -i lo --mode generic -o json > running.json
        $bpfimg get $($bpfimg list -q) > text
        $bpfimg unload app
    """.replace("unload app", f"unload {form}")
    done = sealed(cli, script)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    (program,) = json.loads((cli.folder / "running.json").read_text())["programs"]
    check("programs", {"programs": [program]})
    (signature,) = program["image"]["signatures"]
    assert signature["format"] == form
    text = (cli.folder / "text").read_text()
    if who == "key":
        assert signature["authority"] == "release"
        assert signature["key"].startswith("sha256:")
        assert (signature["identity"], signature["signed_at"]) == (None, None)
    else:
        assert signature["authority"] == "ci"
        assert signature["key"] is None
        assert signature["identity"] == SUBJECT
        assert signature["issuer"] == made[1]
        assert signature["signed_at"].endswith("Z")
        assert signature["logs"] or signature["timestamps"]
        assert f"ci {SUBJECT} of {made[1]}" in text
        assert signature["signed_at"] in text
    assert program["image"]["rule"] == f"localhost/{who}/**"
    assert str(cli.folder / "policy.json") in text


@pytest.mark.kernel
@pytest.mark.parametrize("pull", ["missing", "never"])
def test_whoever_is_not_believed_is_not_believed_offline_either(pull: str, host: Cli, made: tuple[Path, str]) -> None:
    cli = trusting(host, made)
    words = [
        f"localhost/key/bundle:v1 --policy {policy(cli, 'keyless')}",
        f"localhost/keyless/bundle:v1 --policy {policy(cli, 'other')}",
    ]
    for each in words:
        done = sealed(cli, f"$bpfimg load --pull {pull} {each}")
        assert done.returncode == 3, done.stderr
    assert cli.json("programs", "list")["programs"] == []


def policy(cli: Cli, what: str) -> Path:
    """A policy under which the image is nobody's: only the other kind counts, or another subject."""
    document: dict[str, Any] = json.loads((cli.folder / "policy.json").read_text())
    if what == "keyless":
        document["rules"] = [rule("localhost/key/**", "ci")]
    else:
        document["authorities"]["ci"]["identities"][0]["subject"] = f"{SUBJECT}x"
    path = cli.folder / f"{what}.json"
    path.write_text(json.dumps(document))
    return path


_NO_SOCKETS = """
import sys
def watch(event, arguments):
    if event.startswith(("socket.", "urllib.", "http.")):
        raise SystemExit(f"asked for {event}")
sys.addaudithook(watch)
from bpfimg.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(("who", "form"), FORMS)
@pytest.mark.parametrize("words", [("verify",), ("load", "--dry-run", "--pull", "missing")], ids=" ".join)
def test_no_socket_is_opened(who: str, form: str, words: tuple[str, ...], cli: Cli, made: tuple[Path, str]) -> None:
    """Not even one that comes to nothing: an offline load makes no request."""
    cli = trusting(cli, made)
    done = subprocess.run(
        [sys.executable, "-c", _NO_SOCKETS, *words, name(who, form)],
        cwd=cli.folder,
        env={**os.environ, **cli.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("form", ["legacy", "bundle"])
def test_an_identity_on_the_command_line_is_enough(form: str, cli: Cli, made: tuple[Path, str]) -> None:
    """For `load`, and for `run` before HOOK and behind it; whoever is nearly that one is another one."""
    cli = trusting(cli, made)
    cli.environ["BPFIMG_POLICY"] = str(cli.folder / "nowhere.json")
    image = name("keyless", form)
    issuer, root = ("--certificate-oidc-issuer", made[1]), ("--trusted-root", "root.json")
    whole = ("--certificate-identity", SUBJECT, *issuer, *root)
    cli("load", "--dry-run", *whole, image)
    pattern = ("--certificate-identity-regexp", r"https://ci\.example/team/.*@refs/tags/v.*", *issuer, *root)
    cli("load", "--dry-run", *pattern, image)
    for wrong in (
        ("--certificate-identity", SUBJECT[:-1], *issuer, *root),
        ("--certificate-identity", SUBJECT, "--certificate-oidc-issuer", f"{made[1]}/", *root),
        ("--certificate-identity-regexp", r"https://ci\.example/team/", *issuer, *root),
        ("--certificate-identity", SUBJECT, *issuer),
        ("--key", "k.pub"),
    ):
        assert cli.error("load", "--dry-run", *wrong, image, expect=3)["kind"] == "VerificationError"
    assert cli.error("load", "--dry-run", "--certificate-identity", SUBJECT, image, expect=2)["kind"] == "UsageError"


@pytest.mark.kernel
def test_an_identity_behind_the_hook(host: Cli, made: tuple[Path, str], network: Namespace) -> None:
    cli = trusting(host, made)
    cli.environ["BPFIMG_POLICY"] = str(cli.folder / "nowhere.json")
    where = ("xdp", "-i", network.interface, "--netns", network.name)
    trust = ("--certificate-identity", SUBJECT, "--certificate-oidc-issuer", made[1], "--trusted-root", "root.json")
    for words in ((*trust, name("keyless", "bundle"), *where), (name("keyless", "bundle"), *where, *trust)):
        (program,) = cli.json("programs", "run", *words)["programs"]
        assert program["image"]["policy"] == f"--certificate-identity {SUBJECT}"
        assert program["image"]["signatures"][0]["identity"] == SUBJECT
        cli("unload", str(program["id"]))
