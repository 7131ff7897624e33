"""A cached image is believed anew at every load: by today's policy, with the signatures that are there today."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.oci import Digest, Layout, Reference, Registry
from bpfimg.run import fetching
from tests.support.cli import Cli
from tests.support.objects import EXAMPLES, example
from tests.support.trusting import rule, with_policy

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.registry import Server

Ready = tuple[Cli, str, str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, server: Server) -> tuple[Path, str, str]:
    """An image that k.key signed in a registry and in a store, and two more keys."""
    folder = tmp_path_factory.mktemp("made")
    cli = Cli(folder, {"BPFIMG_STORE": str(folder / "store"), "HOME": str(folder)})
    for key in ("k", "next", "other"):
        cli("key", "generate", key)
    name = f"{server.host}/cache/{folder.name}/app:v1"
    (folder / "app.o").write_bytes(example("xdp_counter"))
    cli("build", "-t", name, "app.o", "--push")
    cli("sign", "--key", "k.key", name)
    cli("push", name)
    return folder, name, cli("images", "-q", name).stdout.strip()


@pytest.fixture
def ready(cli: Cli, made: tuple[Path, str, str]) -> Ready:
    """Commands with all that in a folder of their own; the name and the digest of the image."""
    folder, name, digest = made
    shutil.copytree(folder, cli.folder, dirs_exist_ok=True)
    return cli, name, digest


def load(cli: Cli, name: str, *, pull: str = "never", expect: int = 0) -> str:
    return cli("load", "--dry-run", "--pull", pull, name, expect=expect).stderr


def tightened(ready: Ready) -> dict[str, Callable[[], Cli]]:
    """Policies that were changed after the image was pulled: each refuses it for a reason of its own."""
    cli, name, digest = ready
    good = rule(name)
    return {
        "no rule": lambda: with_policy(cli),
        "denied": lambda: with_policy(cli, {"scope": good["scope"], "action": "deny"}),
        "revoked": lambda: with_policy(cli, good, denyDigests=[digest]),
        "another key": lambda: with_policy(cli, good, keys={"release": "other.pub"}),
        "two of two": lambda: with_policy(
            cli, rule(name, "release", "qa", threshold=2), keys={"release": "k.pub", "qa": "other.pub"}
        ),
        "attestation": lambda: with_policy(
            cli,
            rule(name, attestations=[{"predicateType": "https://slsa.dev/provenance/v1", "requireAny": ["release"]}]),
        ),
        "age without time": lambda: with_policy(cli, rule(name, maxSignatureAge="P30D")),
        "a minimum version": lambda: with_policy(
            cli, rule(name, rollback={"mode": "monotonic", "minVersion": "1.0.0"})
        ),
        "a tag's own rule": lambda: with_policy(cli, good, {"scope": name, "action": "deny"}),
        "a prefix that is no longer ours": lambda: with_policy(cli, rule("registry.example")),
        "a log entry": lambda: _with_log(cli, name),
    }


def _with_log(cli: Cli, name: str) -> Cli:
    from tests.support.sigstack import World

    (cli.folder / "root.json").write_bytes(World().trusted_root())
    made = with_policy(cli, rule(name), trustedRoots={"own": {"path": str(cli.folder / "root.json")}})
    path = cli.folder / "policy.json"
    document: dict[str, Any] = json.loads(path.read_text())
    document["authorities"]["release"] |= {"trustedRoot": "own", "tlog": "require"}
    path.write_text(json.dumps(document))
    return made


TIGHTENED = ["no rule", "denied", "revoked", "another key", "two of two", "attestation", "age without time",
             "a minimum version", "a tag's own rule", "a prefix that is no longer ours", "a log entry"]  # fmt: skip


@pytest.mark.parametrize("how", TIGHTENED)
def test_a_cached_image_under_a_tightened_policy_is_refused(how: str, ready: Ready) -> None:
    cli, name, _ = ready
    load(with_policy(cli, rule(name)), name)
    policies = tightened(ready)
    assert sorted(policies) == sorted(TIGHTENED)
    for pull in fetching.PULL_POLICIES if how == "revoked" else ("never", "always"):
        load(policies[how](), name, pull=pull, expect=3)
    load(with_policy(cli, rule(name)), name)


def test_all_pull_policies_believe_alike(ready: Ready) -> None:
    cli, name, _ = ready
    good = with_policy(cli, rule(name))
    for pull in fetching.PULL_POLICIES:
        load(good, name, pull=pull)


def test_a_policy_that_is_damaged_or_gone_refuses_what_ran_before(ready: Ready) -> None:
    cli, name, _ = ready
    cli = with_policy(cli, rule(name))
    load(cli, name)
    path = cli.folder / "policy.json"
    text = path.read_text()
    for broken in (
        text[:-1],
        text.replace('"version": 1', '"version": 1, "version": 1'),
        text.replace("deny", "allow"),
    ):
        path.write_text(broken)
        assert cli.error("load", "--dry-run", "--pull", "never", name, expect=3)["kind"] == "PolicyError"
    path.unlink()
    assert cli.error("load", "--dry-run", "--pull", "never", name, expect=3)["kind"] == "PolicyError"


def test_a_key_that_is_rotated(ready: Ready) -> None:
    """Both keys for a while; then the old one is out, and what it alone signed with it."""
    cli, name, _ = ready
    path = cli.folder / "policy.json"

    def trusting(*files: str) -> Cli:
        made = with_policy(cli, rule(name))
        document = json.loads(path.read_text())
        document["authorities"]["release"]["keyPaths"] = [str(cli.folder / file) for file in files]
        path.write_text(json.dumps(document))
        return made

    load(trusting("k.pub", "next.pub"), name)
    load(trusting("next.pub"), name, expect=3)
    cli("sign", "--key", "next.key", name)
    load(trusting("next.pub"), name)
    load(trusting("k.pub"), name)


def signatures(cli: Cli, name: str) -> list[Path]:
    """The blobs in the store of everything that says something about the image."""
    found = Layout(str(cli.folder / "store"), Reference.parse(name).repository, short_names=False)
    top = found.resolve("v1")
    documents = [found.resolve(f"{top.digest.tag}.sig"), *found.referrers(top.digest)]
    blobs = [layer for each in documents for layer in json.loads(found.fetch(each))["layers"]]
    folder = cli.folder / "store" / "blobs" / "sha256"
    return [
        folder / digest.hex
        for digest in (*(each.digest for each in documents), *(Digest.parse(b["digest"]) for b in blobs))
    ]


@pytest.mark.parametrize("how", ["names", "manifests", "payloads", "flipped"])
def test_signatures_that_are_taken_from_the_cache(how: str, ready: Ready) -> None:
    """Nothing that says "it was verified" is kept: without them nobody is believed, and `missing` fetches them anew."""
    cli, name, _ = ready
    cli = with_policy(cli, rule(name))
    load(cli, name)
    blobs = signatures(cli, name)
    assert len(blobs) == 4
    if how == "names":
        path = cli.folder / "store" / "index.json"
        document = json.loads(path.read_text())
        document["manifests"] = [
            entry
            for entry in document["manifests"]
            if entry["annotations"].get("org.opencontainers.image.ref.name") == name
        ]
        assert len(document["manifests"]) == 1
        path.write_text(json.dumps(document))
    for path in blobs[:2] if how == "manifests" else blobs[2:] if how == "payloads" else []:
        path.unlink()
    for path in blobs[2:] if how == "flipped" else []:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    load(cli, name, expect=3)
    load(cli, name, pull="newer" if how == "names" else "missing")
    load(cli, name)


@pytest.mark.parametrize("which", ["name", "digest"])
def test_a_tag_that_moved_in_the_registry(which: str, ready: Ready, server: Server) -> None:
    """What is here stays what it is; what comes is judged by itself. The digest means one image for ever."""
    cli, name, digest = ready
    moved = f"{name.rpartition(':')[0]}-{which}:v1"
    cli("copy", name, moved)
    cli("build", "-t", moved, str(EXAMPLES / "xdp_pass.bpf.c"), "--push", BPFIMG_STORE=str(cli.folder / "evil"))
    cli("copy", name, f"store:{moved}")
    trusting = with_policy(cli, rule(name), rule(moved, identity="none"))
    if which == "name":
        for pull in ("never", "missing"):
            load(trusting, moved, pull=pull)
        for pull in ("newer", "always"):
            load(trusting, moved, pull=pull, expect=3)
        # it is in the store now, and still nobody's
        load(trusting, moved, expect=3)
    else:
        pinned = f"{moved.rpartition(':')[0]}@{digest}"
        for pull in fetching.PULL_POLICIES:
            load(trusting, pinned, pull=pull)


def test_signatures_in_a_repository_of_their_own(ready: Ready, server: Server) -> None:
    """Signed where the image is not: fetched with it, kept beside it under their own name, and enough offline."""
    cli, name, _ = ready
    apart = f"{server.host}/signatures/{cli.folder.name.lower().replace('_', '-')}"
    unsigned = f"{name.rpartition(':')[0]}-apart:v1"
    cli("build", "-t", unsigned, str(EXAMPLES / "xdp_pass.bpf.c"), "--push", BPFIMG_STORE=str(cli.folder / "ci"))
    top = Reference.parse(unsigned)
    with Registry(top.repository) as image, Registry(Reference.parse(f"{apart}:x").repository) as place:
        found = image.resolve("v1")
        from bpfimg.sign import PrivateKey
        from bpfimg.sign import image as sign_image

        key = PrivateKey.load((cli.folder / "k.key").read_bytes(), b"x")
        # what cosign does with COSIGN_REPOSITORY: the image is not there, its signatures name the image's repository
        from bpfimg.oci import Manifest, Memory, parse_document

        draft = Memory(image.repository)
        manifest = parse_document(image.fetch(found), found.media_type)
        assert isinstance(manifest, Manifest)
        for part in manifest.parts:
            draft.push(part, image.fetch(part))
        draft.push(found, manifest.raw, tag="v1")
        sign_image(draft, found, key)
        for each, tag in (
            *((one, None) for one in draft.referrers(found.digest)),
            (draft.resolve(f"{found.digest.tag}.sig"), f"{found.digest.tag}.sig"),
        ):
            document = parse_document(draft.fetch(each), each.media_type)
            for part in document.parts:
                place.push(part, draft.fetch(part))
            place.push(each, document.raw, tag=tag)
    plain = with_policy(cli, rule(unsigned))
    assert "is not signed" in load(plain, unsigned, pull="missing", expect=3)
    trusting = with_policy(cli, rule(unsigned, signatureRepository=apart))
    # the image is here and nothing of its signatures is: `never` asks nobody, `missing` does
    load(trusting, unsigned, pull="never", expect=3)
    load(trusting, unsigned, pull="missing")
    load(trusting, unsigned, pull="never")
    cli("verify", "--policy", str(cli.folder / "policy.json"), "--pull", "never", unsigned)
    cli("verify", "--policy", str(cli.folder / "policy.json"), f"registry:{unsigned}")
    load(with_policy(cli, rule(unsigned)), unsigned, pull="never", expect=3)
    # a registry that cannot be reached is an error, and no news about signatures
    nowhere = with_policy(cli, rule(unsigned, signatureRepository="127.0.0.1:1/signatures"))
    assert nowhere.error("load", "--dry-run", unsigned, expect=1)["kind"] == "RegistryError"


@pytest.mark.parametrize("form", ["legacy", "bundle"])
def test_attestations_are_kept_and_judged_like_signatures(form: str, ready: Ready) -> None:
    """Pulled with the image in either form, asked for at every load, and true of what they say, offline."""
    cli, name, _ = ready
    own = f"{name.rpartition(':')[0]}-{form}:v1"
    kind = "https://slsa.dev/provenance/v1"
    (cli.folder / "provenance.json").write_text(json.dumps({"runDetails": {"builder": {"id": "https://ci.example/b"}}}))
    ci = {"BPFIMG_STORE": str(cli.folder / "ci")}
    cli("build", "-t", own, "app.o", **ci)
    cli("sign", "--key", "k.key", own, **ci)
    words = ("--type", "slsaprovenance1", "--predicate", "provenance.json", "--format", form)
    cli("attest", "--key", "other.key", *words, own, **ci)
    cli("push", own, **ci)

    def asking(*authorities: str, **condition: object) -> Cli:
        where = {"pointer": "/runDetails/builder/id", **(condition or {"equals": "https://ci.example/b"})}
        asked = {"predicateType": kind, "requireAny": list(authorities), "conditions": [where]}
        return with_policy(cli, rule(own, attestations=[asked]), keys={"release": "k.pub", "ci": "other.pub"})

    load(asking("ci"), own, pull="missing")
    load(asking("ci"), own)
    load(asking("release"), own, expect=3)
    load(asking("ci", equals="https://ci.example/another"), own, expect=3)
    assert cli("verify", "--policy", str(cli.folder / "policy.json"), "--pull", "never", own, expect=3).stderr
