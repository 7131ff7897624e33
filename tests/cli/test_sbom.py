"""SBOM and provenance from the command line: made, stored, pushed, pulled, listed and read back."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.build._referrer import CYCLONEDX, IN_TOTO, SPDX
from tests.support import debian
from tests.support.cli import Cli, check
from tests.support.cosign import require
from tests.support.objects import EXAMPLES, example

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.registry import Server

SOURCE = str(EXAMPLES / "xdp_counter.bpf.c")
NAME = "registry.example/team/xdp_counter:v1"
BOTH = ("--platform", "linux/amd64,linux/arm64")


def _built(cli: Cli, *words: str, name: str = NAME) -> Any:
    document = json.loads(cli("build", "-t", name, *words, SOURCE, "-o", "json").stdout)
    check("images", document)
    return document


def _listed(cli: Cli, name: str = NAME, **environ: str) -> list[dict[str, Any]]:
    document = json.loads(cli("referrers", name, "-o", "json", **environ).stdout)
    check("referrers", document)
    found: list[dict[str, Any]] = document["referrers"]
    return found


def test_each_document_is_attached_to_what_it_is_about(cli: Cli) -> None:
    answer = _built(cli, "--sbom", "--provenance", *BOTH)
    found = _listed(cli)
    top = answer["images"][0]["digest"]
    assert [(each["artifact_type"], each["platform"], each["title"]) for each in found] == [
        (IN_TOTO, None, "provenance.intoto.json"),
        (SPDX, "linux/amd64", "xdp_counter.bpf.spdx.json"),
        (SPDX, "linux/arm64", "xdp_counter.bpf.spdx.json"),
    ]
    assert found[0]["subject"] == top
    assert top not in {each["subject"] for each in found[1:]}
    assert sorted(each["id"] for each in answer["documents"]) == sorted(each["id"] for each in found)
    assert {each["created"] for each in found} == {"1970-01-01T00:00:00Z"}


def test_a_single_image_has_both(cli: Cli) -> None:
    answer = _built(cli, "--sbom-format", "cyclonedx", "--provenance")
    found = _listed(cli)
    assert {(each["artifact_type"], each["subject"]) for each in found} == {
        (IN_TOTO, answer["images"][0]["digest"]),
        (CYCLONEDX, answer["images"][0]["digest"]),
    }


def test_documents_are_those_of_the_build(cli: Cli) -> None:
    from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    answer = _built(cli, "--sbom", "--provenance", "-D", "RATE=10", "--builder-id", "https://ci.example/b@v1")
    listed = {each["artifact_type"]: each for each in _listed(cli)}
    sbom = json.loads(cli("referrers", NAME, "--get", listed[SPDX]["digest"]).stdout)
    assert validate_full_spdx_document(JsonLikeDictParser().parse(sbom)) == []
    names = {file["fileName"] for file in sbom["files"]}
    sources = answer["build"]["platforms"][0]["sources"]
    assert names == {"./xdp_counter.bpf.o", *(f"./{source['path'].lstrip('/')}" for source in sources)}
    assert str(cli.folder) not in json.dumps(sbom)
    # by the digest of the layer, and by its beginning
    layer = listed[IN_TOTO]["layers"][0]["digest"]
    statement = json.loads(cli("referrers", NAME, "--get", layer[:19]).stdout)
    assert statement["subject"][0]["digest"] == {"sha256": answer["images"][0]["digest"].partition(":")[2]}
    assert statement["predicate"]["buildDefinition"]["externalParameters"]["images"][0]["defines"] == ["RATE=10"]
    assert statement["predicate"]["runDetails"]["builder"]["id"] == "https://ci.example/b@v1"


def test_building_again_attaches_nothing_new(cli: Cli) -> None:
    words = ("--sbom", "--provenance")
    _built(cli, *words)
    first = _listed(cli)
    _built(cli, *words)
    assert _listed(cli) == first
    _built(cli, *words, "--sbom-format", "cyclonedx")
    assert len(_listed(cli)) == len(first) + 1


def test_text_and_quiet(cli: Cli) -> None:
    answer = _built(cli, "--sbom")
    (document,) = answer["documents"]
    lines = cli("referrers", NAME).stdout.splitlines()
    assert lines[0].split() == ["TYPE", "ABOUT", "SIZE", "CREATED", "DIGEST"]
    assert lines[1].split() == [SPDX, "image", str(document["size"]), "1970-01-01T00:00:00Z", document["id"]]
    assert cli("referrers", NAME, "-q").stdout == f"{document['id']}\n"


def test_an_image_without_any_has_an_empty_list(cli: Cli) -> None:
    _built(cli)
    assert _listed(cli) == []
    assert cli("referrers", NAME, "-q").stdout == ""


@pytest.mark.parametrize("form", ["spdx", "cyclonedx"])
def test_an_image_of_an_object_gets_one_later(cli: Cli, form: str) -> None:
    big = cli.folder / "big.o"
    big.write_bytes(example("xdp_counter", target="bpfeb"))
    cli("build", "-t", NAME, f"linux/s390x={big}")
    done = cli("referrers", NAME, "--sbom", form, "-o", "json")
    (found,) = json.loads(done.stdout)["referrers"]
    content = json.loads(cli("referrers", NAME, "--get", found["digest"]).stdout)
    if form == "spdx":
        assert [file["fileName"] for file in content["files"]] == ["./big.o"]
    else:
        assert [each["name"] for each in content["components"]] == ["big.o"]


def test_they_travel_with_push_and_pull(cli: Cli, server: Server) -> None:
    name = f"{server.host}/travel/xdp_counter:v1"
    _built(cli, "--sbom", "--provenance", "--push", *BOTH, name=name)
    here = _listed(cli, name)
    elsewhere = {"BPFIMG_STORE": str(cli.folder / "other")}
    assert _listed(cli, name, **elsewhere) == here  # from the registry, which has no referrers API
    cli("pull", "--all-platforms", name, **elsewhere)
    shutil.rmtree(server.storage / "docker/registry/v2/repositories/travel")
    assert _listed(cli, name, **elsewhere) == here
    for each in here:
        document = cli("referrers", name, "--get", each["digest"]).stdout
        assert cli("referrers", name, "--get", each["digest"], **elsewhere).stdout == document


def test_oras_finds_and_pulls_them(cli: Cli, server: Server, tmp_path: Path) -> None:
    program = debian.find("oras")
    if program is None:
        pytest.skip("needs the program oras (Debian package oras)")
    name = f"{server.host}/oras/xdp_counter:v1"
    _built(cli, "--sbom", "--provenance", "--push", name=name)
    said = subprocess.run(
        [program, "discover", "--plain-http", "--format", "json", name], capture_output=True, text=True, check=True
    ).stdout
    document = json.loads(said)
    entries = document.get("referrers", document.get("manifests"))  # oras 1.3, oras 1.2
    theirs = {(each["artifactType"], each["digest"]) for each in entries}
    assert theirs == {(each["artifact_type"], each["digest"]) for each in _listed(cli, name)}
    sbom = next(digest for kind, digest in theirs if kind == SPDX)
    repository = name.rpartition(":")[0]
    subprocess.run(
        [program, "pull", "--plain-http", "-o", str(tmp_path / "out"), f"{repository}@{sbom}"],
        check=True,
        capture_output=True,
    )
    pulled = (tmp_path / "out/xdp_counter.bpf.spdx.json").read_text()
    assert pulled == cli("referrers", name, "--get", sbom).stdout


def test_we_list_what_oras_attached(cli: Cli, server: Server) -> None:
    program = debian.find("oras")
    if program is None:
        pytest.skip("needs the program oras (Debian package oras)")
    name = f"{server.host}/attached/xdp_counter:v1"
    _built(cli, "--push", name=name)
    for number in (1, 2):
        (cli.folder / f"report{number}.txt").write_text(f"report {number}\n")
    files = ["report1.txt:text/plain", "report2.txt:text/plain"]
    command = [program, "attach", "--plain-http", "--artifact-type", "application/vnd.example.report", name, *files]
    subprocess.run(command, check=True, capture_output=True, cwd=cli.folder)
    fresh = {"BPFIMG_STORE": str(cli.folder / "other")}
    (found,) = _listed(cli, name, **fresh)
    assert (found["artifact_type"], found["title"], len(found["layers"])) == ("application/vnd.example.report", None, 2)
    error = cli.error("referrers", name, "--get", found["digest"], expect=2, **fresh)
    assert "has 2 layers, expected the digest of one of them" in error["message"]
    second = cli("referrers", name, "--get", found["layers"][1]["digest"], **fresh).stdout
    assert second == "report 2\n"


def test_cosign_signs_one_by_its_digest(cli: Cli, server: Server) -> None:
    """cosign 2 lists no referrers, but signs and verifies them as any manifest."""
    cosign = require(cli.folder)
    name = f"{server.host}/cosign/xdp_counter:v1"
    (document,) = _built(cli, "--sbom", "--push", name=name)["documents"]
    sbom = f"{name.rpartition(':')[0]}@{document['id']}"
    key, public = cosign.generate("cosign")
    cosign.sign(key, sbom)
    cli("verify", "--key", str(public), sbom, BPFIMG_STORE=str(cli.folder / "other"))
    cosign.sign(key, name)
    listed = {each["artifact_type"] for each in _listed(cli, name, BPFIMG_STORE=str(cli.folder / "third"))}
    assert SPDX in listed


def test_a_signed_sbom_takes_its_signature_along(cli: Cli, server: Server) -> None:
    name = f"{server.host}/signed/xdp_counter:v1"
    (document,) = _built(cli, "--sbom", name=name)["documents"]
    cli("key", "generate", "k")
    sbom = f"{name.rpartition(':')[0]}@{document['id']}"
    cli("sign", "--key", "k.key", "--format", "bundle", sbom)
    cli("push", name)
    fresh = {"BPFIMG_STORE": str(cli.folder / "other")}
    cli("verify", "--key", "k.pub", sbom, **fresh)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--sbom-format", "swid"), "--sbom-format is 'swid', expected spdx or cyclonedx"),
        (("--provenance", "--builder-id", "me"), "the builder is 'me', expected a URI"),
        (("--builder-id", "urn:x:y"), "--builder-id 'urn:x:y' has no meaning without --provenance"),
    ],
)
def test_words_that_do_not_fit(cli: Cli, words: tuple[str, ...], said: str) -> None:
    assert cli.error("build", "-t", NAME, *words, SOURCE, expect=2)["message"] == said
    assert json.loads(cli("images", "-o", "json").stdout) == {"images": []}


@pytest.mark.parametrize(
    ("digest", "said", "code"),
    [
        ("sha256:0000000000", "the image has no referrer 'sha256:0000000000'", 1),
        ("abc", "--get is 'abc', expected at least 4 digits of a digest", 2),
        ("../../etc/passwd", "the image has no referrer '../../etc/passwd'", 1),
    ],
)
def test_documents_that_are_not_there(cli: Cli, digest: str, said: str, code: int) -> None:
    _built(cli, "--sbom")
    assert cli.error("referrers", NAME, "--get", digest, expect=code)["message"] == said


def test_get_and_sbom_exclude_each_other(cli: Cli) -> None:
    error = cli.error("referrers", NAME, "--get", "sha256:7f3c", "--sbom", "spdx", expect=2)
    assert error["message"] == "--get and --sbom are both given, expected one of them"


def test_without_the_library_no_image_is_left_behind(cli: Cli) -> None:
    (cli.folder / "spdx_tools").mkdir()
    (cli.folder / "spdx_tools/__init__.py").write_text("raise ImportError('gone', name='spdx_tools')\n")
    error = cli.error("build", "-t", NAME, "--sbom", SOURCE, expect=1, PYTHONPATH=_with(cli))
    assert error["message"] == "the SBOM needs the Python package spdx_tools, which is not installed"
    assert error["hint"] == "pip install 'bpfimg[sbom]'"
    assert json.loads(cli("images", "-o", "json").stdout) == {"images": []}


def _with(cli: Cli) -> str:
    from pathlib import Path

    import bpfimg

    return f"{cli.folder}:{Path(bpfimg.__file__).parents[1]}"


def test_a_document_that_is_too_large_is_refused(cli: Cli) -> None:
    from bpfimg.build._referrer import LIMIT, Document, attach
    from bpfimg.oci import Layout, Reference

    _built(cli)
    reference = Reference.parse(NAME)
    place = Layout(cli.environ["BPFIMG_STORE"], reference.repository, short_names=False)
    assert reference.tag is not None
    huge = Document("application/vnd.example.huge", "huge", bytes(LIMIT + 1), "2026-01-01T00:00:00Z")
    where = attach(place, place.resolve(reference.tag), huge)
    (found,) = _listed(cli)
    assert found["size"] == LIMIT + 1
    error = cli.error("referrers", NAME, "--get", str(where.digest), expect=1)
    assert str(LIMIT) in error["message"]


def test_the_project_file_asks_for_them(cli: Cli) -> None:
    shutil.copy(SOURCE, cli.folder / "xdp_counter.bpf.c")
    (cli.folder / "bpfimg.toml").write_text(
        f'schema = 1\ninputs = ["xdp_counter.bpf.c"]\ntags = ["{NAME}"]\nsbom = "cyclonedx"\nprovenance = true\n'
    )
    cli("build")
    assert [each["artifact_type"] for each in _listed(cli)] == [CYCLONEDX, IN_TOTO]
