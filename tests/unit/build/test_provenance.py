"""Provenance: in-toto's and SLSA's own schemas take it, and it says no more than what is known."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement

from bpfimg import build
from bpfimg.build import _provenance
from bpfimg.build._made import Built, Source
from bpfimg.errors import UsageError
from bpfimg.oci import Digest, Platform, Repository
from tests.support.objects import example

REPOSITORY = Repository.parse("registry.example/team/xdp_counter")
REVISION = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
SOURCES = (Source.of("xdp_counter.bpf.c", b"int x;\n", "c"), Source.of("vmlinux.h", b"", "header"))
ARGUMENTS = ("-target", "bpfel", "-D__TARGET_ARCH_x86", "-DRATE=10", "-Iinclude1", "-c", "./xdp_counter.bpf.c")


def _built(arch: str = "amd64", *, created: int = 0, annotations: dict[str, str] | None = None, **more: Any) -> Built:
    image = build.image(
        example("xdp_counter"),
        file_name="xdp_counter.bpf.o",
        platform=Platform("linux", arch),
        created=created,
        annotations=annotations,
    )
    facts = {"sources": SOURCES, "compiler": "Debian clang version 14.0.6", "arguments": ARGUMENTS, **more}
    return Built(image, **facts)


def _subject(built: Built) -> Digest:
    return built.image.pack().manifest.descriptor.digest


def _statement(*built: Built, **more: Any) -> dict[str, Any]:
    made = _provenance.provenance(built, [_subject(each) for each in built], REPOSITORY, **more)
    found = json.loads(made.content)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    "built",
    [
        [_built()],
        [_built("amd64"), _built("arm64")],
        [_built(sources=(), compiler=None, arguments=())],
        [_built(created=1_700_000_000, annotations={"org.opencontainers.image.revision": REVISION})],
    ],
    ids=["one", "two", "nothing known", "time and revision"],
)
def test_in_toto_and_slsa_take_it(built: list[Built]) -> None:
    document = _statement(*built)
    parsed = json_format.ParseDict(document, statement_pb2.Statement())
    Statement.copy_from_pb(parsed).validate()
    # unknown fields are errors for this parser
    json_format.ParseDict(document["predicate"], provenance_pb2.Provenance())


def test_subjects_are_the_images_by_name_and_digest() -> None:
    built = [_built("amd64"), _built("arm64")]
    document = _statement(*built)
    assert document["_type"] == "https://in-toto.io/Statement/v1"
    assert document["predicateType"] == "https://slsa.dev/provenance/v1"
    assert document["subject"] == [
        {"name": "registry.example/team/xdp_counter", "digest": {"sha256": _subject(each).hex}} for each in built
    ]


def test_parameters_are_what_the_caller_asked_for() -> None:
    definition = _statement(_built())["predicate"]["buildDefinition"]
    assert definition["buildType"] == "urn:bpfimg:build:1"
    assert definition["externalParameters"]["images"] == [
        {
            "platform": "linux/amd64",
            "inputs": ["xdp_counter.bpf.c"],
            "defines": ["RATE=10"],
            "file": "xdp_counter.bpf.o",
        }
    ]
    assert definition["internalParameters"] == {"arguments": {"linux/amd64": list(ARGUMENTS)}}


def test_dependencies_are_the_files_each_once() -> None:
    definition = _statement(_built("amd64"), _built("arm64"))["predicate"]["buildDefinition"]
    assert definition["resolvedDependencies"] == [
        {"name": source.path, "digest": {"sha256": source.digest}} for source in SOURCES
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("https://git.example/team/xdp", {"uri": f"git+https://git.example/team/xdp@{REVISION}"}),
        ("", {}),
        ("javascript:alert(1)", {}),
    ],
)
def test_the_revision_is_a_dependency_where_it_is_known(source: str, expected: dict[str, str]) -> None:
    annotations = {"org.opencontainers.image.revision": REVISION, "org.opencontainers.image.source": source}
    first = _statement(_built(annotations=annotations))["predicate"]["buildDefinition"]["resolvedDependencies"][0]
    assert first == {**expected, "name": "source", "digest": {"gitCommit": REVISION}}


def test_a_revision_that_is_no_commit_is_left_out() -> None:
    built = _built(annotations={"org.opencontainers.image.revision": "main"})
    names = [each["name"] for each in _statement(built)["predicate"]["buildDefinition"]["resolvedDependencies"]]
    assert names == ["xdp_counter.bpf.c", "vmlinux.h"]


def test_the_builder_and_its_tools() -> None:
    from bpfimg import __version__

    run = _statement(_built(linker="libbpf 1.1"), builder="https://ci.example/builders/release@v1")["predicate"][
        "runDetails"
    ]
    assert run["builder"] == {
        "id": "https://ci.example/builders/release@v1",
        "version": {"bpfimg": __version__, "compiler": "Debian clang version 14.0.6", "linker": "libbpf 1.1"},
    }


def test_without_a_word_the_builder_is_a_local_one() -> None:
    assert _statement(_built())["predicate"]["runDetails"]["builder"]["id"] == "urn:bpfimg:builder:local"


@pytest.mark.parametrize("builder", ["", "me", "two words:x", "a:", "https://ci.example/ü", "urn:x\n"])
def test_a_builder_that_is_no_uri_is_a_usage_error(builder: str) -> None:
    with pytest.raises(UsageError, match="expected a URI"):
        _statement(_built(), builder=builder)


def test_the_time_is_that_of_source_date_epoch_or_none() -> None:
    run = _statement(_built(created=1_700_000_000))["predicate"]["runDetails"]
    assert run["metadata"] == {"startedOn": "2023-11-14T22:13:20Z", "finishedOn": "2023-11-14T22:13:20Z"}
    assert "metadata" not in _statement(_built())["predicate"]["runDetails"]


def test_the_same_build_says_the_same() -> None:
    one, other = (_provenance.provenance([_built()], [_subject(_built())], REPOSITORY).content for _ in range(2))
    assert one == other
