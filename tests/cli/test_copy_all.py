"""`copy --all`: every image of a place in one go, as a list of them would."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bpfimg.oci import Layout, Registry, Repository
from tests.support.cli import Cli, check
from tests.support.fake_registry import FakeRegistry, fake_registry
from tests.support.targets import image, legacy_signature, loadable, referrer

if TYPE_CHECKING:
    from collections.abc import Iterator

TAGS = ("v1", "v2", "sha256-not-a-digest")


@pytest.fixture
def remote() -> Iterator[FakeRegistry]:
    """A registry with a repository of three signed images, tags for their signatures beside them."""
    with fake_registry() as made:
        with Registry(Repository(made.host, "team/probe")) as place:
            for tag in TAGS:
                one = loadable(tag)
                one.push(place, tag)
                referrer(one.descriptor, f"evidence {tag}").push(place)
                legacy_signature(tag).push(place, f"{one.descriptor.digest.tag}.sig")
                image(f"sbom of {tag}").push(place, f"{one.descriptor.digest.tag}.sbom")
                image("list").push(place, one.descriptor.digest.tag)
        yield made


def names(remote: FakeRegistry) -> list[str]:
    """What there is to copy: cosign's SBOMs do not go along with images, and so they go for themselves."""
    tags = [*TAGS, *(f"{loadable(tag).descriptor.digest.tag}.sbom" for tag in TAGS)]
    return sorted(f"{remote.host}/team/probe:{tag}" for tag in tags)


def said(out: str) -> list[str]:
    return sorted(line.partition("@")[0] for line in out.splitlines())


def test_a_repository_goes_from_place_to_place(cli: Cli, remote: FakeRegistry) -> None:
    out = cli("copy", "--all", f"registry:{remote.host}/team/probe", "oci:usb").stdout
    assert said(out) == [f"oci:usb:{name}" for name in names(remote)]
    for source, destination in (
        ("oci:usb", "oci-archive:usb.tar"),
        ("oci-archive:usb.tar", "store:"),
        ("store:", "docker-archive:docker.tar"),
        ("docker-archive:docker.tar", "oci:last"),
    ):
        done = cli("copy", "--all", source, destination)
        there = destination if destination.endswith(":") else f"{destination}:"
        assert said(done.stdout) == [f"{there}{name}" for name in names(remote)], source
    with fake_registry() as mirror:
        out = cli("copy", "--all", "oci:last", f"registry:{mirror.host}/ebpf").stdout
        assert said(out) == [
            name.replace("/team", "/ebpf/team").replace(remote.host, mirror.host) for name in names(remote)
        ]
        with Registry(Repository(mirror.host, "ebpf/team/probe")) as place:
            for tag in TAGS:
                top = place.resolve(tag)
                assert top == loadable(tag).descriptor
                assert len(place.referrers(top.digest)) == 1
                assert place.resolve(f"{top.digest.tag}.sig")
    assert [each.name for each in cli.folder.iterdir() if "journal" in each.name] == []


def test_what_has_no_full_name_is_said(cli: Cli) -> None:
    """A bare tag is a name in other layouts; what has none at all is named by its digest."""
    bare = Layout(str(cli.folder / "mixed"), Repository("localhost", "mixed"), bare=True)
    image("bare").push(bare, "v1")
    full = Layout(str(cli.folder / "mixed"), Repository("registry.test", "a"))
    image("full").push(full, "v1")
    image("kept").push(full)
    full.keep(image("kept").descriptor)
    nameless = image("nameless").push(full)
    signature = referrer(image("full").descriptor)
    signature.push(full)
    index = cli.folder / "mixed" / "index.json"
    document = json.loads(index.read_text())
    for each in document["manifests"]:  # as other tools write it
        if each["digest"] == str(signature.descriptor.digest):
            del each["annotations"]
    index.write_text(json.dumps({**document, "manifests": [*document["manifests"], nameless.to_dict()]}))
    kept = f"registry.test/a@{image('kept').descriptor.digest}"

    done = cli("copy", "--all", "oci:mixed", "store:")
    assert sorted(done.stdout.split()) == [
        f"store:registry.test/a:v1@{image('full').descriptor.digest}",
        f"store:{kept}",
    ]
    first, second = done.stderr.splitlines()
    assert first == (
        f"bpfimg: warning: {nameless.digest} in oci:mixed is passed over: it has no name; "
        f"`bpfimg copy oci:mixed:@{nameless.digest} DST` gives it one"
    )
    assert second.startswith("bpfimg: warning: oci:mixed:v1 is passed over: 'v1' is no full name of an image; ")
    for number, place in enumerate(("oci:other", "oci-archive:other.tar")):
        done = cli("copy", "--all", "oci:mixed", place)
        assert said(done.stdout) == [f"{place}:registry.test/a", f"{place}:registry.test/a:v1", f"{place}:v1"], number
        assert len(done.stderr.splitlines()) == 1
    cli("copy", f"oci:mixed:@{nameless.digest}", "oci:other:given")


def test_a_failure_is_named_and_the_others_are_there(cli: Cli) -> None:
    for tag in ("v1", "v2"):
        image(tag).push(Layout(str(cli.folder / "usb"), Repository("registry.test", "a")), tag)
    (cli.folder / "usb/blobs/sha256" / image("v1").manifest.layers[0].digest.hex).unlink()
    done = cli("copy", "-o", "json", "--all", "--journal", "done", "oci:usb", "store:", expect=1)
    document = json.loads(done.stdout)
    check("copies", document)
    assert [each["source"] for each in document["images"]] == ["oci:usb:registry.test/a:v2"]
    assert [each["id"] for each in document["failed"]] == ["oci:usb:registry.test/a:v1"]
    assert (cli.folder / "done").exists()
    said = cli("copy", "--all", "oci:usb", "store:", expect=1).stderr
    assert said.startswith("bpfimg: error: oci:usb:registry.test/a:v1 was not copied: ")
    assert "1 of 2 images were not copied" in said


def test_two_images_for_one_place(cli: Cli) -> None:
    for host in ("one.test", "two.test"):
        image(host).push(Layout(str(cli.folder / "usb"), Repository(host, "a")), "v1")
    error = cli.error("copy", "--all", "oci:usb", "registry:127.0.0.1:1/x", expect=2)
    assert error["message"].endswith("both go to '127.0.0.1:1/x/a:v1'")


def test_an_empty_place(cli: Cli) -> None:
    done = cli("copy", "--all", "store:", "oci:usb")
    assert (done.stdout, done.stderr) == ("", "bpfimg: the place has no image: nothing was copied\n")
    assert json.loads(cli("copy", "-o", "json", "--all", "store:", "oci:usb").stdout) == {"images": [], "failed": []}


@pytest.mark.parametrize(
    ("words", "expect", "said"),
    [
        (("oci:none", "store:"), 1, "there is no none, expected a directory"),
        (("oci-archive:none", "store:"), 1, "there is no none, expected a file"),
        (("oci:usb:v1", "store:"), 2, "'oci:usb:v1' is no place of many images, expected oci:DIR, "),
        (("registry.test/a", "store:"), 2, "is no place of many images"),
        (("registry:registry.test/a:v1", "store:"), 2, "is not a repository, expected registry:HOST/NAME"),
        (("docker-daemon:a", "store:"), 2, "is no place of many images"),
        (("store:", "store:"), 2, "expected two places"),
        (("store:",), 2, "expected SRC DST"),
        (("store:", "oci:usb:v1"), 2, "a name for one image"),
        (("--from-file", "list", "store:"), 2, "--all and --from-file are both given"),
    ],
)
def test_what_is_no_place(words: tuple[str, ...], expect: int, said: str, cli: Cli) -> None:
    assert said in cli.error("copy", "--all", *words, expect=expect)["message"]
