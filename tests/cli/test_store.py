"""The store as a user types it: images, tag, rm, prune, fsck; and what of it concerns registries."""

from __future__ import annotations

import json
import os
import re
import time
from typing import TYPE_CHECKING

import pytest

from bpfimg.oci import Layout, Repository
from tests.support.objects import EXAMPLES, example
from tests.support.targets import image

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.cli import Cli
    from tests.support.registry import Server

V1, V2 = "registry.test/acme/xdp:v1", "registry.test/acme/xdp:v2"


@pytest.fixture
def built(cli: Cli) -> Cli:
    """A store with two images of one repository and one of another."""
    (cli.folder / "pass.o").write_bytes(example("xdp_pass"))
    (cli.folder / "counter.o").write_bytes(example("xdp_counter"))
    cli("build", "-t", V1, "pass.o")
    cli("build", "-t", V2, "counter.o")
    cli("build", "-t", "counter:latest", "linux/amd64=counter.o", "linux/arm64=counter.o")
    return cli


def names(cli: Cli, *words: str) -> list[str]:
    return [each["reference"] for each in cli.json("images", "images", *words)["images"]]


def age(cli: Cli, seconds: float = 7200.0) -> None:
    for folder, _, files in os.walk(cli.folder / "store"):
        for name in files:
            os.utime(f"{folder}/{name}", (time.time() - seconds,) * 2)


def blobs(cli: Cli) -> set[str]:
    return set(os.listdir(cli.folder / "store/blobs/sha256"))


class TestImages:
    def test_text(self, built: Cli) -> None:
        head, *rows = built("images").stdout.splitlines()
        assert head.split() == ["IMAGE", "DIGEST", "PLATFORMS", "SIZE", "SINCE"]
        assert [re.split("  +", row)[0] for row in rows] == ["docker.io/library/counter:latest", V1, V2]
        assert re.fullmatch(
            r"docker\.io/library/counter:latest  sha256:\w{12}  linux/amd64,linux/arm64  \d+\.\d KiB  \d+ seconds?",
            rows[0],
        )

    def test_json_and_quiet(self, built: Cli) -> None:
        entries = built.json("images", "images")["images"]
        assert entries[0]["platforms"] == ["linux/amd64", "linux/arm64"]
        for each in entries:
            assert each["stored_size"] > each["size"] > 0
            assert time.strptime(each["since"], "%Y-%m-%dT%H:%M:%SZ")
        assert built("images", "-q").stdout.split() == [each["digest"] for each in entries]

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ("registry.test/acme/xdp", [V1, V2]),
            ("store:registry.test/acme/xdp", [V1, V2]),
            (V2, [V2]),
            ("registry.test/acme/xdp:v3", []),
            ("registry.test/acme/x", []),
            ("counter", ["docker.io/library/counter:latest"]),
            ("docker.io/library/counter:latest", ["docker.io/library/counter:latest"]),
        ],
    )
    def test_only_some(self, built: Cli, asked: str, found: list[str]) -> None:
        assert names(built, asked) == found

    def test_by_digest(self, built: Cli) -> None:
        digest = built("images", "-q", V1).stdout.strip()
        assert names(built, f"registry.test/acme/xdp@{digest}") == [V1]
        assert names(built, f"{V1}@{digest}") == [V1]
        assert names(built, f"registry.test/acme/other@{digest}") == []

    def test_what_skopeo_put_there(self, built: Cli) -> None:
        """Its size is not written down: it is looked up when that image is asked for."""
        index = built.folder / "store/index.json"
        document = json.loads(index.read_text())
        document["manifests"][0]["annotations"] = {"org.opencontainers.image.ref.name": "theirs"}
        index.write_text(json.dumps(document, indent=1))
        theirs = {each["reference"]: each for each in built.json("images", "images")["images"]}["theirs"]
        assert (theirs["stored_size"], theirs["platforms"], theirs["since"]) == (None, None, None)
        assert "theirs" in built("images").stdout
        (theirs,) = built.json("images", "images", "theirs")["images"]
        assert theirs["stored_size"] > 1000
        assert theirs["platforms"] == ["linux/amd64"]
        assert names(built, "theirs") == ["theirs"]
        assert built("rm", "theirs").stdout == "theirs\n"
        assert names(built) == ["docker.io/library/counter:latest", V2]

    def test_other_transports(self, built: Cli) -> None:
        assert "--store" in built.error("images", "oci:x", expect=2)["hint"]
        assert built.error("images", "docker-daemon:x", expect=2)["kind"] == "UsageError"

    def test_names_drive_no_terminal(self, built: Cli) -> None:
        index = built.folder / "store/index.json"
        index.write_text(index.read_text().replace("registry.test/acme/xdp:v1", "\\u001b[31mred"))
        assert "\x1b" not in built("images").stdout
        assert r"\x1b[31mred" in built("images").stdout


class TestTag:
    def test_a_further_name(self, built: Cli) -> None:
        digest = built("images", "-q", V1).stdout.strip()
        assert built("tag", V1, "registry.test/acme/xdp:stable").stdout == f"registry.test/acme/xdp:stable@{digest}\n"
        assert built("tag", "-q", V1, V2).stdout == f"{digest}\n", "a name that is there moves"
        assert built.json("images", "tag", f"store:{V1}", "store:new")["images"][0]["reference"] == (
            "docker.io/library/new:latest"
        )
        assert built("images", "-q", V2).stdout.strip() == digest

    def test_signatures_come_along(self, built: Cli) -> None:
        built("key", "generate", "k")
        built("sign", "--key", "k.key", V1)
        built("tag", V1, "registry.test/acme/xdp:stable")
        built("tag", V1, "other.test/xdp:v1")
        built("rm", V1)
        assert "is believed" in built("verify", "--key", "k.pub", "registry.test/acme/xdp:stable").stdout
        error = built.error("verify", "--key", "k.pub", "other.test/xdp:v1", expect=3)
        assert len(error["reasons"]) == 2
        assert all("for another repository, 'registry.test/acme/xdp'" in reason for reason in error["reasons"])

    def test_what_is_refused(self, built: Cli) -> None:
        assert built.error("tag", "registry.test/no:v1", "x:v1", expect=1)["kind"] == "NotFound"
        digest = built("images", "-q", V1).stdout.strip()
        assert built.error("tag", V1, f"x@{digest}", expect=2)["kind"] == "UsageError"
        assert "copy" in built.error("tag", V1, "registry:x:v1", expect=2)["hint"]


class TestRm:
    def test_names_go_content_stays(self, built: Cli) -> None:
        before = blobs(built)
        assert built("rm", V1, V2).stdout == f"{V1}\n{V2}\n"
        assert names(built) == ["docker.io/library/counter:latest"]
        assert blobs(built) == before

    def test_what_is_not_there_is_said_the_rest_goes(self, built: Cli) -> None:
        digest = built("images", "-q", V2).stdout.strip()
        done = built("rm", "-o", "json", "registry.test/no:v1", V2, "registry.test/no:v2", expect=1)
        assert json.loads(done.stdout)["images"] == [{"id": digest, "reference": V2, "digest": digest}]
        said = json.loads(done.stderr)["error"]["message"]
        assert said == "2 of 3 are not there: registry.test/no:v1, registry.test/no:v2"
        assert "bpfimg images" in built.error("rm", V2, expect=1)["hint"]

    def test_json(self, built: Cli) -> None:
        assert [each["reference"] for each in built.json("images", "rm", V1, V2)["images"]] == [V1, V2]

    def test_only_with_that_digest(self, built: Cli) -> None:
        digest, other = (built("images", "-q", name).stdout.strip() for name in (V1, V2))
        assert other in built.error("rm", f"{V1}@{other}", expect=1)["message"]
        assert built("rm", "-q", f"{V1}@{digest}").stdout == f"{digest}\n"
        assert names(built, "registry.test/acme/xdp") == [V2]

    def test_a_digest_that_has_tags(self, built: Cli) -> None:
        digest = built("images", "-q", V1).stdout.strip()
        error = built.error("rm", f"registry.test/acme/xdp@{digest}", expect=1)
        assert error["hint"] == f"what has that digest is called {V1}"
        assert names(built, V1) == [V1]

    def test_an_entry_that_is_none_can_go(self, built: Cli) -> None:
        """Else nothing could ever be pruned again."""
        index = built.folder / "store/index.json"
        document = json.loads(index.read_text())
        document["manifests"][0]["digest"] = "sha256:../../x"
        index.write_text(json.dumps(document))
        age(built)
        assert "nothing is removed" in built.error("prune", expect=1)["message"]
        built("rm", V1)
        built("prune")
        assert names(built) == ["docker.io/library/counter:latest", V2]


class TestPrune:
    def test_what_nothing_names(self, built: Cli) -> None:
        before = blobs(built)
        built("rm", V1)
        young = built("prune")
        assert young.stdout == ""
        assert "freed 0 B" in young.stderr
        assert "too young" in young.stderr
        age(built)
        wanted = built.json("prune", "prune", "--dry-run")
        assert wanted["dry_run"]
        assert blobs(built) == before
        done = built.json("prune", "prune")
        assert {**done, "dry_run": True} == wanted
        assert {each["id"] for each in done["blobs"]} == {f"sha256:{name}" for name in before - blobs(built)}
        assert done["freed"] == sum(each["size"] for each in done["blobs"]) > 5000
        assert names(built) == ["docker.io/library/counter:latest", V2]
        assert built("fsck", "-q").stdout == ""

    def test_text_and_foreign_files(self, built: Cli) -> None:
        (built.folder / "store/blobs/sha256/README").write_text("mine")
        built("rm", V1)
        done = built("prune", "--older", "0")
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", line) for line in done.stdout.split())
        assert re.search(r"freed \d+\.\d KiB: 3 blobs\n", done.stderr)
        assert "warning" in done.stderr
        assert "blobs/sha256/README is none of the store's files" in done.stderr
        assert "README" in blobs(built)

    @pytest.mark.parametrize(
        ("text", "goes"), [("90", True), ("1m", True), ("3h", False), ("1d", False), ("1w", False)]
    )
    def test_how_old(self, built: Cli, text: str, *, goes: bool) -> None:
        built("rm", V1)
        age(built)
        assert bool(built.json("prune", "prune", "--older", text)["blobs"]) == goes

    @pytest.mark.parametrize("text", ["", "soon", "-1", "1x", "1.5h", "h", "9" * 20])
    def test_what_is_no_time(self, cli: Cli, text: str) -> None:
        assert "30m" in cli.error("prune", f"--older={text}", expect=2)["message"]

    def test_an_empty_store(self, cli: Cli) -> None:
        assert cli.json("prune", "prune")["blobs"] == []
        assert not (cli.folder / "store").exists()


class TestFsck:
    def test_it_says_which_images_are_not_whole_and_the_next_copy_mends_them(self, built: Cli) -> None:
        built("copy", f"store:{V1}", f"oci:usb:{V1}")
        sound = built.json("fsck", "fsck")
        assert (sound["sound"], sound["names"], sound["blobs"]) == (True, 3, len(blobs(built)))
        (inspected,) = built.json("images", "images", V1)["images"]
        manifest = built.folder / "store/blobs/sha256" / inspected["digest"].removeprefix("sha256:")
        manifest.write_bytes(manifest.read_bytes() + b" ")
        text = built("fsck", expect=1)
        assert "damaged" in text.stdout
        assert V1 in text.stdout
        assert "pull those again" in text.stderr
        assert built("fsck", "-q", expect=1).stdout == f"{V1}\n"
        assert "removed" in built("fsck", "--repair", expect=1).stdout
        assert not manifest.exists()
        assert "missing" in built("fsck", expect=1).stdout
        built("copy", f"oci:usb:{V1}", f"store:{V1}")
        assert built.json("fsck", "fsck")["sound"]

    def test_json_of_problems(self, built: Cli) -> None:
        from tests.support.cli import check

        victim = sorted(blobs(built))[0]
        (built.folder / "store/blobs/sha256" / victim).write_bytes(b"")
        document = json.loads(built("fsck", "-o", "json", expect=1).stdout)
        check("fsck", document)
        (problem,) = document["problems"]
        assert problem["digest"] == f"sha256:{victim}"
        assert problem["names"]


class TestByDigest:
    def test_what_was_pulled_by_digest_stays(self, cli: Cli, ready: str) -> None:
        """It is listed, verified, survives prune, and goes with rm."""
        repository = ready.rpartition(":")[0]
        digest = cli("images", "-q", ready, BPFIMG_STORE=str(cli.folder / "ci")).stdout.strip()
        name = f"{repository}@{digest}"
        cli("pull", name)
        assert names(cli) == [name]
        (entry,) = cli.json("images", "images")["images"]
        assert entry["platforms"] == ["linux/amd64"]
        assert entry["stored_size"] > 1000
        age(cli)
        cli("prune")
        assert "is believed" in cli("verify", "--key", "k.pub", "--pull", "never", name).stdout
        assert cli("rm", name).stdout == f"{name}\n"
        assert names(cli) == []
        cli("prune", "--older", "0")
        assert blobs(cli) == set()

    def test_through_a_stick(self, cli: Cli, ready: str) -> None:
        digest = cli("images", "-q", ready, BPFIMG_STORE=str(cli.folder / "ci")).stdout.strip()
        name = f"{ready.rpartition(':')[0]}@{digest}"
        cli("pull", name)
        cli("copy", f"store:{name}", f"oci:usb:{name}")
        cli("copy", f"oci:usb:{name}", f"store:{name}", BPFIMG_STORE=str(cli.folder / "far"))
        listed = json.loads(cli("images", "-o", "json", BPFIMG_STORE=str(cli.folder / "far")).stdout)
        assert [each["reference"] for each in listed["images"]] == [name]


class TestRegistries:
    @pytest.fixture
    def pushed(self, cli: Cli, fragile: Server) -> str:
        name = f"{fragile.host}/team/xdp"
        for tag, source in (("v1", "xdp_pass"), ("v2", "xdp_counter"), ("v3", "xdp_counter")):
            cli("build", "-t", f"{name}:{tag}", str(EXAMPLES / f"{source}.bpf.c"), "--push")
        return name

    def test_tags_and_repositories(self, cli: Cli, pushed: str, fragile: Server) -> None:
        listed = cli.json("tags", "images", f"registry:{pushed}")["tags"]
        assert sorted(each["id"] for each in listed) == ["v1", "v2", "v3"]
        assert sorted(cli("images", f"registry:{pushed}").stdout.split()) == [f"{pushed}:v{n}" for n in (1, 2, 3)]
        assert sorted(cli("images", "-q", f"registry:{pushed}").stdout.split()) == ["v1", "v2", "v3"]
        assert cli.json("tags", "images", f"registry:{fragile.host}/")["repositories"] == [{"id": pushed}]
        assert cli("images", f"registry:{fragile.host}/").stdout == f"{pushed}\n"
        assert cli.error("images", f"registry:{fragile.host}/none", expect=1)["kind"] == "NotFound"
        assert "HOST/NAME" in cli.error("images", f"registry:{pushed}:v1", expect=2)["hint"]

    def test_removing(self, cli: Cli, pushed: str) -> None:
        digest = cli("images", "-q", f"{pushed}:v2").stdout.strip()
        assert cli("rm", f"registry:{pushed}@{digest}").stdout == f"registry:{pushed}@{digest}\n"
        assert cli("images", "-q", f"registry:{pushed}").stdout.split() == ["v1"], "all tags of that image go"
        assert cli.error("rm", f"registry:{pushed}:v2", expect=1)["kind"] == "NotFound"
        assert names(cli, pushed) == [f"{pushed}:v{number}" for number in (1, 2, 3)], "the store is another place"

    def test_a_tag_that_has_moved(self, cli: Cli, pushed: str) -> None:
        old = cli("images", "-q", f"{pushed}:v2").stdout.strip()
        assert "expected" in cli.error("rm", f"registry:{pushed}:v1@{old}", expect=1)["message"]


def test_ten_thousand_images(cli: Cli, tmp_path: Path) -> None:
    """Correct, that is; how fast is for the bench."""
    (cli.folder / "o.o").write_bytes(example("xdp_pass"))
    cli("build", "-t", V1, "o.o")
    index = tmp_path / "store/index.json"
    document = json.loads(index.read_text())
    (entry,) = document["manifests"]
    for number in range(10_000):
        name = {"org.opencontainers.image.ref.name": f"registry.test/acme/xdp:n{number}"}
        document["manifests"].append({**entry, "annotations": {**entry["annotations"], **name}})
    index.write_text(json.dumps(document))
    assert len(cli("images").stdout.splitlines()) == 10_002
    cli("tag", "registry.test/acme/xdp:n9999", V2)
    cli("rm", V1)
    assert len(names(cli)) == 10_001
    assert cli.json("fsck", "fsck")["names"] == 10_001
    assert cli.json("prune", "prune", "--older", "0")["blobs"] == []


def test_the_images_of_loaded_programs_stay(host: Cli, ready: str) -> None:
    """What runs can be looked at, and loaded again, although its name has gone."""
    host("load", "--key", "k.pub", ready)
    digest = host("images", "-q", ready).stdout.strip()
    host("rm", ready)
    host("prune", "--older", "0")
    assert digest.removeprefix("sha256:") in blobs(host)
    name = f"{ready.rpartition(':')[0]}@{digest}"
    assert "xdp_count" in host("inspect", f"store:{name}").stdout
    host("unload", "xdp_counter")
    host("prune", "--older", "0")
    assert blobs(host) == set()


def test_names_of_others_drive_no_terminal(cli: Cli) -> None:
    store = cli.folder / "store"
    image().push(Layout(str(store), Repository("registry.test", "acme/xdp")), "v1")
    index = json.loads((store / "index.json").read_text())
    index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] = "\x1b[31mred\ud800"
    index["manifests"][0]["size"] += 1
    (store / "index.json").write_text(json.dumps(index))
    for words in (("fsck", "-q"), ("fsck",)):
        said = cli(*words, "--store", str(store), expect=1).stdout
        assert "\x1b" not in said
        assert "[31mred" in said
    image().push(Layout(str(cli.folder / "good"), Repository("registry.test", "acme/xdp")), "v1")
    (cli.folder / "list").write_text("oci:good oci:\x1b[31mred:v1\n")
    assert "\x1b" not in cli("copy", "--from-file", "list").stdout
