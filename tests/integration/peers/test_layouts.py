"""Our store is an ordinary image layout: others read it as it stands and write into it, and we read what they wrote."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bpfimg.image import BytecodeImage
from bpfimg.oci import Layout, Reference, Registry, Repository, places
from tests.support.exchange import NAME, assert_same, blobs
from tests.support.peers import content, entries, require
from tests.support.targets import image, referrer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cli import Cli
    from tests.support.exchange import Made
    from tests.support.podman import Podman
    from tests.support.registry import Server

TAGS = ("image", "index", "artifact", "artifacts")


def ours(folder: Path) -> Layout:
    return Layout(str(folder / "store"), NAME.repository, short_names=False)


# they read our store


@pytest.mark.parametrize("name", ["skopeo", "newer-skopeo"])
def test_skopeo_reads_our_store(folder: Path, made: Made, name: str) -> None:
    skopeo = require(name, folder)
    for tag in TAGS:
        place = f"oci:{folder}/store:{NAME.repository}:{tag}"
        assert skopeo.bytes("inspect", "--raw", place) == made.layout.fetch(made.tags[tag][1])
    row, top = made.tags["image"]
    seen = skopeo.json("inspect", f"oci:{folder}/store:{NAME.repository}:image")
    assert seen["Digest"] == str(top.digest)
    assert seen["Labels"].items() >= row[0].labels.to_dict().items()


def test_oras_reads_our_store(folder: Path, made: Made) -> None:
    oras = require("oras", folder)
    store = ["--oci-layout-path", f"{folder}/store"]
    for tag in TAGS:
        assert oras("resolve", *store, f"{NAME.repository}:{tag}").strip() == str(made.tags[tag][1].digest)
        assert oras.bytes("manifest", "fetch", *store, f"{NAME.repository}:{tag}") == made.layout.fetch(
            made.tags[tag][1]
        )
    seen = oras.json("discover", "--format", "json", *store, f"{NAME.repository}:image")
    (entry,) = seen.get("referrers", seen.get("manifests"))
    assert entry["digest"] == str(made.evidence.digest)
    oras("pull", "--no-tty", *store, "-o", f"{folder}/out", f"{NAME.repository}:artifact")
    assert (folder / "out" / "xdp_counter.bpf.o").read_bytes() == made.tags["artifact"][0][0].bytecode
    oras("copy", "-r", "--no-tty", "--from-oci-layout-path", f"{folder}/store", f"{NAME.repository}:image",
         "--to-oci-layout", f"{folder}/theirs:v1")  # fmt: skip
    theirs = Layout(f"{folder}/theirs", NAME.repository)
    assert theirs.resolve("v1") == made.tags["image"][1]
    assert [each.digest for each in theirs.referrers(theirs.resolve("v1").digest)] == [made.evidence.digest]


def test_crane_reads_our_store(folder: Path, made: Made, server: Server) -> None:
    """All of it as one index: with more than one entry it takes nothing else."""
    crane = require("crane", folder)
    crane("push", "--index", f"{folder}/store", f"{server.host}/crane/all:v1")
    with Registry(Repository(server.host, "crane/all"), places.RegistryOptions()) as place:
        for tag in TAGS:
            top = made.tags[tag][1]
            assert place.fetch(place.resolve(top.digest)) == made.layout.fetch(top)
            assert_same(place, place.resolve(top.digest), made.tags[tag][0])


def test_umoci_reads_our_store_and_leaves_it_whole(folder: Path, made: Made) -> None:
    umoci = require("umoci", folder)
    store = f"{folder}/store"
    names = {f"{NAME.repository}:{tag}" for tag in TAGS}
    assert set(umoci("ls", "--layout", store).split()) == names
    row, top = made.tags["image"]
    seen = umoci("stat", "--image", f"{store}:{NAME.repository}:image")
    assert all(digest in seen for digest in blobs(made.layout, top))
    umoci("raw", "config", "--image", f"{store}:{NAME.repository}:image", f"{folder}/config.json")
    assert json.loads((folder / "config.json").read_text())["annotations"].items() >= row[0].labels.to_dict().items()
    umoci("unpack", "--rootless", "--image", f"{store}:{NAME.repository}:image", f"{folder}/bundle")
    assert (folder / "bundle/rootfs" / row[0].file_name).read_bytes() == row[0].bytecode
    before = content(folder / "store")
    umoci("gc", "--layout", store)
    assert content(folder / "store") == before
    assert len(ours(folder).referrers(top.digest)) == 1


def test_podman_pulls_from_our_store(folder: Path, made: Made, engine: Podman) -> None:
    """Podman 5 calls it by its name, podman 4 by that of the directory."""
    row, _ = made.tags["image"]
    pulled = engine.run("pull", "-q", f"oci:{folder}/store:{NAME.repository}:image").strip()
    (seen,) = json.loads(engine.run("image", "inspect", "--format", "json", pulled))
    assert seen["NamesHistory"] in ([f"{NAME.repository}:image"], [f"localhost{folder}/store:latest"])
    assert seen["Labels"].items() >= row[0].labels.to_dict().items()
    engine.run("rmi", "-f", seen["Id"])


# they write into our store


@pytest.mark.parametrize("name", ["skopeo", "newer-skopeo", "oras", "umoci"])
def test_they_write_into_our_store(folder: Path, cli: Cli, name: str) -> None:
    """What was there stays, signatures too; what they added we list, inspect, copy and remove."""
    peer = require(name, folder)
    before = content(folder / "store")
    source, added = f"{NAME.repository}:image", f"{NAME.repository}:added"
    if name.endswith("skopeo"):
        peer("copy", "-q", f"oci:{folder}/store:{source}", f"oci:{folder}/store:{added}")
    elif name == "oras":
        peer("tag", "--oci-layout-path", f"{folder}/store", source, added)
    else:
        peer("tag", "--image", f"{folder}/store:{source}", added)
    store = ours(folder)
    assert store.resolve("added") == store.resolve("image")
    assert content(folder / "store") == before
    listed = {each["reference"]: each["digest"] for each in cli.json("images", "images")["images"]}
    assert listed[added] == listed[source]
    assert len(listed) == len(TAGS) + 1
    assert len(store.referrers(store.resolve("added").digest)) == 1
    assert cli("inspect", added).stdout
    image("later").push(ours(folder), "later")
    assert len(list(Layout.images(store.path))) == len(TAGS) + 2


def test_umoci_collects_no_more_than_we_gave_up(folder: Path, made: Made) -> None:
    umoci = require("umoci", folder)
    store = ours(folder)
    gone = blobs(store, made.tags["artifacts"][1]) - blobs(store, made.tags["artifact"][1])
    umoci("rm", "--image", f"{store.path}:{NAME.repository}:artifacts")
    umoci("gc", "--layout", store.path)
    left = content(folder / "store")
    assert gone & set(left) == set()
    for tag in TAGS[:3]:
        assert blobs(ours(folder), made.tags[tag][1]) <= set(left)
    assert str(made.evidence.digest) in left


# they write layouts of their own


def _written(name: str, folder: Path, tag: str) -> str:
    """Lets a peer copy the image of our store into the layout `theirs`; "" for no tag."""
    peer = require(name, folder)
    source, top = f"{NAME.repository}:image", f"{folder}/theirs"
    if name.endswith("skopeo"):
        peer("copy", "-q", f"oci:{folder}/store:{source}", f"oci:{top}" + (f":{tag}" if tag else ""))
    elif name == "oras":
        digest = ours(folder).resolve("image").digest
        named = f":{tag}" if tag else f"@{digest}"
        peer("copy", "--no-tty", "--from-oci-layout-path", f"{folder}/store", source, "--to-oci-layout", top + named)
    else:
        raise AssertionError(name)
    return top


@pytest.mark.parametrize("name", ["skopeo", "newer-skopeo", "oras"])
@pytest.mark.parametrize("tag", ["v1", "1.0.0-rc.1_x"])
def test_a_short_tag(folder: Path, cli: Cli, made: Made, name: str, tag: str) -> None:
    top = _written(name, folder, tag)
    for number, text in enumerate((f"oci:{top}:{tag}", f"oci:{top}")):
        cli("copy", text, f"store:other/place:{number}")
        found = Layout(f"{folder}/store", Repository.parse("other/place")).resolve(str(number))
        assert found == made.tags["image"][1]
    assert cli.json("object", "inspect", f"oci:{top}:{tag}")["reference"]


@pytest.mark.parametrize("name", ["skopeo", "newer-skopeo", "oras", "umoci"])
def test_a_bare_tag_is_written_bare(folder: Path, cli: Cli, made: Made, name: str) -> None:
    """Who says `oci:DIR:v1` to us says the same to them."""
    top = made.tags["image"][1]
    cli("copy", f"store:{NAME.repository}:image", f"oci:{folder}/bare:v1")
    peer = require(name, folder)
    if name.endswith("skopeo"):
        assert peer.bytes("inspect", "--raw", f"oci:{folder}/bare:v1") == made.layout.fetch(top)
    elif name == "oras":
        assert peer("resolve", "--oci-layout", f"{folder}/bare:v1").strip() == str(top.digest)
    else:
        assert all(digest in peer("stat", "--image", f"{folder}/bare:v1") for digest in blobs(made.layout, top))
    cli("copy", f"oci:{folder}/bare:v1", "store:back/bare:v1")


@pytest.mark.parametrize("name", ["skopeo", "newer-skopeo", "oras", "crane"])
def test_what_has_no_name(folder: Path, cli: Cli, made: Made, server: Server, name: str) -> None:
    descriptor = made.tags["image"][1]
    if name == "crane":
        reference = f"{server.host}/nameless/image:v1"
        cli("push", f"{NAME.repository}:image", reference)
        require("crane", folder)("pull", "--format=oci", reference, f"{folder}/theirs")
    else:
        _written(name, folder, "")
    top = f"{folder}/theirs"
    (entry,) = entries(folder / "theirs")
    assert "org.opencontainers.image.ref.name" not in entry.get("annotations", {})
    for text in (f"oci:{top}", f"oci:{top}:@{descriptor.digest}"):
        assert cli("copy", "-q", text, "store:other/place:v1").stdout.strip() == str(descriptor.digest)
    referrer(descriptor, "theirs").push(Layout(top, NAME.repository))
    cli("copy", f"oci:{top}", "store:other/place:v2")
    assert len(Layout(f"{folder}/store", Repository.parse("other/place")).referrers(descriptor.digest)) == 2
    image("two").push(Layout(top, NAME.repository), "v1")
    Layout(top, NAME.repository).remove("v1")
    assert cli("copy", "-q", f"oci:{top}:@{descriptor.digest}", "store:other/place:v1").stdout.strip() == str(
        descriptor.digest
    )


def test_several_without_a_name(folder: Path, cli: Cli, made: Made, server: Server) -> None:
    crane = require("crane", folder)
    for tag in ("image", "artifact"):
        cli("push", f"{NAME.repository}:{tag}", f"{server.host}/several/one:{tag}")
        crane("pull", "--format=oci", f"{server.host}/several/one:{tag}", f"{folder}/theirs")
    error = cli.error("copy", f"oci:{folder}/theirs", "store:other/place:v1", expect=1)
    for tag in ("image", "artifact"):
        digest = str(made.tags[tag][1].digest)
        assert digest in error["message"]
        assert cli("copy", "-q", f"oci:{folder}/theirs:@{digest}", "store:other/place:v1").stdout.strip() == digest


def test_two_entries_of_one_name(folder: Path, cli: Cli, made: Made, server: Server) -> None:
    """As crane leaves them when a tag has moved. The first one counts, as for skopeo; nothing crashes, and we write
    the name once."""
    crane = require("crane", folder)
    reference = f"{server.host}/moved/image:v1"
    for tag in ("image", "artifact"):
        cli("push", f"{NAME.repository}:{tag}", reference)
        crane("pull", "--format=oci", "--annotate-ref", reference, f"{folder}/theirs")
    names = [each["annotations"]["org.opencontainers.image.ref.name"] for each in entries(folder / "theirs")]
    assert names == [reference] * 2
    first = str(made.tags["image"][1].digest)
    assert cli("copy", "-q", f"oci:{folder}/theirs:{reference}", "store:other/place:v1").stdout.strip() == first
    theirs = Layout(f"{folder}/theirs", Reference.parse(reference).repository)
    one = image("new").push(theirs, "v1")
    assert theirs.resolve("v1") == one
    assert len(entries(folder / "theirs")) == 1


def test_podman_writes_a_layout(folder: Path, cli: Cli, made: Made, engine: Podman) -> None:
    row, _ = made.tags["image"]
    image_id = engine.run("pull", "-q", f"oci:{folder}/store:{NAME.repository}:image").strip()
    engine.run("push", "-q", image_id, f"oci:{folder}/theirs:v1")
    engine.run("tag", image_id, "registry.test/saved/image:v1")
    engine.run("save", "-q", "--format", "oci-dir", "-o", f"{folder}/saved", "registry.test/saved/image:v1")
    for name, text in (("theirs", f"oci:{folder}/theirs:v1"), ("saved", f"oci:{folder}/saved")):
        content(folder / name)
        digest = cli("copy", "-q", text, f"store:podman/{name}:v1").stdout.strip()
        there = Layout(f"{folder}/store", Repository.parse(f"podman/{name}"))
        assert str(there.resolve("v1").digest) == digest
        assert_same(there, there.resolve("v1"), row)
    engine.run("rmi", "-f", image_id)


def test_a_layout_by_umoci(folder: Path, cli: Cli, made: Made) -> None:
    """An image that umoci made from nothing: a layer of its own writing, labels by `umoci config`."""
    umoci = require("umoci", folder)
    row, _ = made.tags["image"]
    top = f"{folder}/theirs"
    umoci("init", "--layout", top)
    umoci("new", "--image", f"{top}:v1")
    (folder / row[0].file_name).write_bytes(row[0].bytecode)
    umoci("insert", "--rootless", "--image", f"{top}:v1", f"{folder}/{row[0].file_name}", f"/{row[0].file_name}")
    labels = [word for key, text in row[0].labels.to_dict().items() for word in ("--config.label", f"{key}={text}")]
    umoci("config", "--image", f"{top}:v1", "--architecture", row[0].platform.architecture, *labels)
    cli("copy", f"oci:{top}:v1", "store:umoci/made:v1")
    seen = cli.json("object", "inspect", "umoci/made:v1")
    assert seen == {**cli.json("object", "inspect", f"oci:{top}:v1"), "reference": seen["reference"]}
    there = Layout(f"{folder}/store", Repository.parse("umoci/made"))
    found = BytecodeImage.fetch(there, there.resolve("v1"), row[0].platform)
    assert (found.bytecode, found.labels) == (row[0].bytecode, row[0].labels)
