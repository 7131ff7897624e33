"""The same image on both sides, digests and all, when we and a peer meet in a registry, whatever its door is like."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bpfimg.image import BytecodeImage
from bpfimg.oci import Layout, Manifest, Reference, copy
from tests.support import cosign
from tests.support.exchange import NAME, SOME, assert_same, blobs
from tests.support.peers import COPIERS, content, entries
from tests.support.podman import podman

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.exchange import Made, Place
    from tests.support.podman import Podman

TAGS = ("image", "index", "artifact", "artifacts")
#: skopeo 1.9 writes lists anew, and drops their `artifactType`, which is younger
OLDER = {"skopeo": TAGS[:3]}
some = pytest.mark.parametrize("place", SOME, indirect=True)


def tags(place: Place, peer: str) -> tuple[str, ...]:
    """What a peer exchanges with us in a registry: each kind of image in some, in the others what has most parts."""
    return OLDER.get(peer, TAGS) if place.form in SOME else ("index",)


@pytest.fixture
def folder(tmp_path: Path, made: Made) -> Path:
    """A folder with our store in it."""
    shutil.copytree(made.path, tmp_path / "store")
    return tmp_path


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    with podman(tmp_path_factory.mktemp("podman")) as found:
        yield found


@pytest.mark.parametrize("name", COPIERS)
def test_a_peer_takes_what_we_pushed(place: Place, folder: Path, made: Made, name: str) -> None:
    peer, cli = place.peer(name, folder), place.cli(folder)
    for tag in tags(place, name):
        row, top = made.tags[tag]
        reference = place.name(f"ours/{name}", tag)
        cli("push", f"{NAME.repository}:{tag}", reference)
        layout = folder / f"theirs-{tag}"
        place.taken(name, peer, reference, layout)
        here = content(layout)
        assert blobs(made.layout, top) <= set(here)
        assert entries(layout)[0]["digest"] == str(top.digest)
        theirs = Layout(str(layout), Reference.parse(reference).repository)
        assert_same(theirs, theirs.resolve(top.digest), row)


@pytest.mark.parametrize("name", COPIERS)
def test_we_pull_what_a_peer_pushed(place: Place, folder: Path, made: Made, name: str) -> None:
    peer, cli = place.peer(name, folder), place.cli(folder, "other")
    for tag in tags(place, name):
        row, top = made.tags[tag]
        reference = place.name(f"theirs/{name}", tag)
        source, selector = folder / "store", f"{NAME.repository}:{tag}"
        if name == "crane":  # takes a layout with one entry, and puts several into an index of its own
            source, selector = folder / f"alone-{tag}", tag
            copy(made.layout, tag, Layout(str(source), NAME.repository), tag, referrers=False)
        place.given(name, peer, source, selector, reference)
        said = cli("pull", "-q", "--all-platforms", reference).stdout.strip()
        assert said == str(top.digest)
        assert blobs(made.layout, top) <= set(content(folder / "other"))
        theirs = Layout(str(folder / "other"), Reference.parse(reference).repository, short_names=False)
        assert_same(theirs, theirs.resolve(tag), row)


@some
def test_crane_says_the_same_of_what_we_pushed(place: Place, folder: Path, made: Made) -> None:
    crane, cli = place.peer("crane", folder), place.cli(folder)
    for tag in TAGS:
        top = made.tags[tag][1]
        reference = place.name("ours/said", tag)
        cli("push", f"{NAME.repository}:{tag}", reference)
        assert crane("digest", reference).strip() == str(top.digest)
        assert crane.bytes("manifest", reference).rstrip(b"\n") == made.layout.fetch(top)
    crane("validate", "--remote", place.name("ours/said", "image"))
    crane("validate", "--remote", place.name("ours/said", "index"))
    assert set(crane("ls", place.name("ours/said").rpartition(":")[0]).split()) >= set(TAGS)
    config = crane.json("config", place.name("ours/said", "image"))
    assert config["config"]["Labels"].items() >= made.tags["image"][0][0].labels.to_dict().items()
    crane("copy", place.name("ours/said", "index"), place.name("ours/copied", "index"))
    other = place.cli(folder, "other")
    assert other("pull", "-q", "--all-platforms", place.name("ours/copied", "index")).stdout.strip() == str(
        made.tags["index"][1].digest
    )


@some
def test_we_pull_what_crane_appended(place: Place, folder: Path, made: Made) -> None:
    """An image by other hands: one layer with an object, in Docker's media types, no labels of ours."""
    crane, cli = place.peer("crane", folder), place.cli(folder, "other")
    row, _ = made.tags["image"]
    with tarfile.open(folder / "layer.tar", "w") as tar:
        entry = tarfile.TarInfo("xdp_counter.bpf.o")
        entry.size = len(row[0].bytecode)
        tar.addfile(entry, io.BytesIO(row[0].bytecode))
    reference = place.name("theirs/appended")
    said = crane("append", "-f", "layer.tar", "-t", reference).strip()
    labels = [word for key, text in row[0].labels.to_dict().items() for word in ("--label", f"{key}={text}")]
    said = crane("mutate", *labels, "--set-platform", "linux/amd64", said, "-t", reference).strip()
    assert cli("pull", "-q", reference).stdout.strip() == said.rpartition("@")[2]
    content(folder / "other")
    place_ = Layout(str(folder / "other"), Reference.parse(reference).repository, short_names=False)
    found = BytecodeImage.fetch(place_, place_.resolve("v1"), row[0].platform)
    assert (found.bytecode, found.labels) == (row[0].bytecode, row[0].labels)


@some
@pytest.mark.parametrize("name", ["skopeo", "newer-skopeo"])
def test_schema_2_by_skopeo(place: Place, folder: Path, made: Made, name: str) -> None:
    """As registries of the older kind have it: other bytes of manifest and config type, the same object and labels."""
    skopeo, cli = place.peer(name, folder), place.cli(folder, "other")
    reference = place.name("theirs/v2s2")
    (row, top) = made.tags["image"]
    skopeo(
        "copy", "-q", "--format", "v2s2", *place.skopeo("dest"),
        f"oci:{folder}/store:{NAME.repository}:image", f"docker://{reference}",
    )  # fmt: skip
    said = cli("pull", "-q", reference).stdout.strip()
    assert said == skopeo.json("inspect", *place.skopeo(""), f"docker://{reference}")["Digest"] != str(top.digest)
    content(folder / "other")
    there = Layout(str(folder / "other"), Reference.parse(reference).repository, short_names=False)
    found = BytecodeImage.fetch(there, there.resolve("v1"), row[0].platform)
    assert (found.bytecode, found.labels) == (row[0].bytecode, row[0].labels)


@some
def test_oras_takes_referrers_along(place: Place, folder: Path, made: Made) -> None:
    oras, cli, other = place.peer("oras", folder), place.cli(folder), place.cli(folder, "other")
    ours, theirs = place.name("ours/referrers"), place.name("theirs/referrers")
    cli("push", f"{NAME.repository}:image", ours)
    found = oras.json("discover", "--format", "json", *place.oras(), ours)
    entry = made.layout.referrers(made.tags["image"][1].digest)[0]
    (seen,) = found.get("referrers", found.get("manifests"))
    assert (seen["digest"], seen["artifactType"]) == (str(entry.digest), entry.artifact_type)
    oras("copy", "-r", "--no-tty", *place.oras("from"), ours, *place.oras("to"), theirs)
    listed = other.json("referrers", "referrers", theirs)["referrers"]
    assert [each["digest"] for each in listed] == [str(made.evidence.digest)]
    other("pull", theirs)
    assert str(made.evidence.digest) in content(folder / "other")


@some
def test_oras_pulls_the_object_of_our_artifact(place: Place, folder: Path, made: Made) -> None:
    oras, cli = place.peer("oras", folder), place.cli(folder)
    cli("push", f"{NAME.repository}:artifact", place.name("ours/artifact"))
    oras("pull", "--no-tty", *place.oras(), "-o", str(folder / "out"), place.name("ours/artifact"))
    assert (folder / "out" / "xdp_counter.bpf.o").read_bytes() == made.tags["artifact"][0][0].bytecode


@some
def test_we_pull_an_artifact_that_oras_made(place: Place, folder: Path, made: Made) -> None:
    """With our types it is a bytecode artifact, whoever made it; anything else is moved all the same."""
    oras, cli = place.peer("oras", folder), place.cli(folder, "other")
    data = made.tags["artifact"][0][0].bytecode
    (folder / "x.bpf.o").write_bytes(data)
    (folder / "notes.txt").write_text("anything\n")
    rows = {"bytecode": ["x.bpf.o:application/vnd.bpfimg.bytecode.object.v1"], "any": ["notes.txt:text/plain"]}
    for tag, files in rows.items():
        reference = place.name("theirs/pushed", tag)
        kind = "application/vnd.bpfimg.bytecode.v1" if tag == "bytecode" else "application/vnd.example.notes"
        words = ["push", "--no-tty", "--format", "json", *place.oras(), "--artifact-type", kind]
        digest = oras.json(*words, reference, *files)["digest"]
        assert cli("pull", "-q", reference).stdout.strip() == digest
        assert digest in content(folder / "other")
    oras("attach", "--no-tty", *place.oras(), "--artifact-type", "text/plain", place.name("theirs/pushed", "any"),
         "notes.txt:text/plain")  # fmt: skip
    cli("pull", place.name("theirs/pushed", "any"))
    assert len(cli.json("referrers", "referrers", place.name("theirs/pushed", "any"))["referrers"]) == 1


@some
def test_podman_takes_and_gives(place: Place, folder: Path, made: Made, engine: Podman) -> None:
    """Its own store keeps layers unpacked, so what it pushes is another manifest of the same object."""
    cli, other = place.cli(folder), place.cli(folder, "other")
    ours, theirs = place.name("ours/podman"), place.name("theirs/podman")
    row, top = made.tags["image"]
    cli("push", f"{NAME.repository}:image", ours)
    reach = [f"--cert-dir={place.server.ca_file.parent / 'ca'}"] if place.server.ca_file else ["--tls-verify=false"]
    reach += ["--authfile", str(place.login / "config.json")]
    image = engine.run("pull", "-q", *reach, ours).strip()
    assert f"sha256:{image}" == str(Manifest.parse(made.layout.fetch(top)).config.digest)
    (seen,) = json.loads(engine.run("image", "inspect", ours))
    assert seen["Digest"] == str(top.digest)
    assert seen["Labels"].items() >= row[0].labels.to_dict().items()
    engine.run("push", "-q", *reach, ours, theirs)
    other("pull", theirs)
    content(folder / "other")
    there = Layout(str(folder / "other"), Reference.parse(theirs).repository, short_names=False)
    assert_same(there, there.resolve("v1"), row)
    engine.run("rmi", "-f", ours)


def test_cosign_finds_its_signatures_behind_every_copy(place: Place, folder: Path) -> None:
    """Signed by cosign, carried by us to another repository and back: cosign and we still believe it."""
    here = place.cli(folder)
    peer = cosign.require(folder, "x")
    shutil.copy(place.login / "config.json", folder / "config.json")
    name, away = place.name("cosign/here"), place.name("cosign/away")
    digest = here("push", "-q", f"{NAME.repository}:image", name).stdout.strip()
    private, public = peer.generate("theirs")
    pinned = f"{name.rpartition(':')[0]}@{digest}"
    with_ca = {"SSL_CERT_FILE": place.ca} if place.ca else {}
    peer = replace(peer, environ=with_ca)
    peer.sign(private, pinned)
    here("copy", f"registry:{name}", f"registry:{away}")
    other = place.cli(folder, "other")
    other("pull", name)
    other("verify", "--key", str(public), name)
    shutil.rmtree(place.server.storage / "docker/registry/v2/repositories/cosign/here")
    other("push", name)
    assert peer.verify(public, pinned)
    assert peer.verify(public, f"{away.rpartition(':')[0]}@{digest}")
