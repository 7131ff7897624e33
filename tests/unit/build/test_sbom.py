"""SBOMs: what they say is so, both libraries find them valid, and the same build gives the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from elftools.elf.elffile import ELFFile

from bpfimg import build
from bpfimg.build import _debian, _sbom
from bpfimg.build._license import license_of
from bpfimg.build._made import Built, Source
from bpfimg.errors import UsageError
from bpfimg.oci import Descriptor, Platform, Repository
from tests.support.objects import compile_source, example

HEADER = "/usr/include/bpf/bpf_helpers.h"
LIBBPF = _debian.DebianPackage("libbpf-dev", "1:1.1.2-0+deb12u1", "amd64", "debian")
REPOSITORY = Repository.parse("registry.example/team/xdp_counter")


def _built(bytecode: bytes | None = None, *, created: int = 0, **changes: Any) -> Built:
    image = build.image(
        bytecode or example("xdp_counter"),
        file_name="xdp_counter.bpf.o",
        platform=Platform("linux", "amd64"),
        created=created,
    )
    sources = (
        Source.of("xdp_counter.bpf.c", b"// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause\nint x;\n", "c"),
        Source.of(HEADER, b"/* SPDX-License-Identifier: (LGPL-2.1 OR BSD-2-Clause) */\n", "header"),
        Source.of("vmlinux.h", b"#ifndef __VMLINUX_H__\n", "header"),
    )
    return Built(image, **{"sources": sources, "compiler": "Debian clang version 14.0.6", **changes})


def _subject(built: Built) -> Descriptor:
    return built.image.pack().manifest.descriptor


def _bill(built: Built) -> _sbom.Bill:
    return _sbom.bill(built, _subject(built), REPOSITORY, packages_of=_packages_of)


def _packages_of(paths: tuple[str, ...]) -> dict[str, _debian.DebianPackage]:
    return {path: LIBBPF for path in paths if path == HEADER}


def _document(built: Built, form: str) -> dict[str, Any]:
    found = json.loads(_sbom.written(_bill(built), form).content)
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def spdx() -> dict[str, Any]:
    return _document(_built(), "spdx")


@pytest.fixture(scope="module")
def cyclonedx() -> dict[str, Any]:
    return _document(_built(), "cyclonedx")


OBJECTS = {
    "one program": "xdp_counter",
    "globals of all kinds": 'int zero; int one = 1; const int two = 2; SEC("xdp") int a(void *c) { return zero + one; }'
    ' char _license[] SEC("license") = "GPL";',
    "no licence": 'SEC("xdp") int a(void *c) { return 2; }',
    "an unknown licence": 'SEC("xdp") int a(void *c) { return 2; } char _license[] SEC("license") = "Mine \\"& co\\"";',
    "an SPDX licence": 'SEC("xdp") int a(void *c) { return 2; } char _license[] SEC("license") = "Apache-2.0 OR MIT";',
    "hostile section names": 'SEC("xdp/$(id);`id`<b>#") int a(void *c) { return 2; }',
}


@pytest.mark.parametrize("name", OBJECTS)
def test_spdx_tools_reads_what_was_written_and_finds_it_valid(name: str) -> None:
    from spdx_tools.spdx.parser.jsonlikedict.json_like_dict_parser import JsonLikeDictParser
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    document = _document(_built(_object(name)), "spdx")
    read = JsonLikeDictParser().parse(document)
    assert validate_full_spdx_document(read, "SPDX-2.3") == []
    assert [file.name for file in read.files] == [
        "./xdp_counter.bpf.o",
        "./xdp_counter.bpf.c",
        "./usr/include/bpf/bpf_helpers.h",
        "./vmlinux.h",
    ]


@pytest.mark.parametrize("name", OBJECTS)
def test_cyclonedx_reads_what_was_written_and_finds_it_valid(name: str) -> None:
    from cyclonedx.model.bom import Bom
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    document = _document(_built(_object(name)), "cyclonedx")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document)) is None
    read = Bom.from_json(document)  # type: ignore[attr-defined]
    assert read.metadata.component.purl.to_string() == _bill(_built(_object(name))).purl


def _object(name: str) -> bytes:
    return example("xdp_counter") if OBJECTS[name] == "xdp_counter" else compile_source(OBJECTS[name])


def test_a_document_that_is_not_valid_is_never_handed_out() -> None:
    from bpfimg._value import replace
    from bpfimg.errors import Error

    wrong = replace(_bill(_built()), sha1="beef")
    with pytest.raises(Error, match=r"the SPDX document is not valid: .*beef"):
        _sbom.written(wrong, "spdx")
    wrong = replace(_bill(_built()), sha256="beef")
    with pytest.raises(Error, match=r"the CycloneDX document is not valid: .*beef"):
        _sbom.written(wrong, "cyclonedx")


def test_sections_are_those_of_the_file() -> None:
    bytecode = compile_source(OBJECTS["globals of all kinds"])
    elf = ELFFile(io.BytesIO(bytecode))
    made = _bill(_built(bytecode))
    assert {section.name for section in made.sections} >= {"xdp", "license", ".bss", ".data", ".rodata", ".BTF"}
    for section in made.sections:
        theirs = elf.get_section_by_name(section.name)
        assert (section.offset, section.size) == (theirs["sh_offset"], theirs["sh_size"])
        if section.name == ".bss":
            assert section.digest is None
        else:
            assert section.digest == hashlib.sha256(theirs.data()).hexdigest()


def test_spdx_snippets_are_the_bytes_of_the_sections(spdx: dict[str, Any]) -> None:
    bytecode = example("xdp_counter")
    assert {snippet["name"] for snippet in spdx["snippets"]} >= {"xdp", ".maps", "license"}
    for snippet in spdx["snippets"]:
        (only,) = snippet["ranges"]
        content = bytecode[only["startPointer"]["offset"] - 1 : only["endPointer"]["offset"]]
        assert hashlib.sha256(content).hexdigest() in snippet["comment"]


def test_spdx_names_image_object_sources_compiler_and_packages(spdx: dict[str, Any]) -> None:
    digest = _subject(_built()).digest
    packages = {package["name"]: package for package in spdx["packages"]}
    image = packages["registry.example/team/xdp_counter"]
    purl = f"pkg:oci/xdp_counter@{digest}?arch=amd64&repository_url=registry.example/team/xdp_counter"
    assert image["externalRefs"][0]["referenceLocator"] == purl
    assert image["checksums"] == [{"algorithm": "SHA256", "checksumValue": digest.hex}]
    assert packages["clang"]["versionInfo"] == "14.0.6"
    assert packages["libbpf-dev"]["externalRefs"][0]["referenceLocator"] == LIBBPF.purl
    files = {file["fileName"]: file for file in spdx["files"]}
    assert files["./xdp_counter.bpf.o"]["checksums"][1]["checksumValue"] == (
        hashlib.sha256(example("xdp_counter")).hexdigest()
    )
    assert files["./xdp_counter.bpf.c"]["licenseInfoInFiles"] == ["GPL-2.0-only OR BSD-2-Clause"]
    assert files["./vmlinux.h"]["licenseInfoInFiles"] == ["NOASSERTION"]
    relations = {
        (each["spdxElementId"], each["relationshipType"], each["relatedSpdxElement"]) for each in spdx["relationships"]
    }
    assert {
        ("SPDXRef-image", "CONTAINS", "SPDXRef-object"),
        ("SPDXRef-object", "GENERATED_FROM", "SPDXRef-source-1"),
        ("SPDXRef-tool-1", "BUILD_TOOL_OF", "SPDXRef-object"),
        ("SPDXRef-package-1", "BUILD_DEPENDENCY_OF", "SPDXRef-object"),
    } <= relations


def test_cyclonedx_names_them_too(cyclonedx: dict[str, Any]) -> None:
    image = cyclonedx["metadata"]["component"]
    assert image["version"] == str(_subject(_built()).digest)
    components = {each["name"]: each for each in cyclonedx["components"]}
    binary = components["xdp_counter.bpf.o"]
    assert binary["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(example("xdp_counter")).hexdigest()}]
    assert {"xdp", "license", ".BTF"} <= {each["name"] for each in binary["components"]}
    assert [each["name"] for each in components["libbpf-dev"]["components"]] == [HEADER]
    assert (components["clang"]["version"], components["clang"]["scope"]) == ("14.0.6", "excluded")
    needs = {each["ref"]: set(each.get("dependsOn", ())) for each in cyclonedx["dependencies"]}
    assert needs["image"] == {"object"}
    assert needs["object"] == {"tool-1", LIBBPF.purl, "source-1", "source-3"}


def test_every_reference_is_ours_and_none_is_random(cyclonedx: dict[str, Any]) -> None:
    assert cyclonedx == _document(_built(), "cyclonedx")
    assert cyclonedx["serialNumber"].startswith("urn:uuid:")


def test_time_comes_from_the_image_alone() -> None:
    built = _built(created=1_700_000_000)
    spdx, cyclonedx = _document(built, "spdx"), _document(built, "cyclonedx")
    assert spdx["creationInfo"]["created"] == "2023-11-14T22:13:20Z"
    assert cyclonedx["metadata"]["timestamp"] == "2023-11-14T22:13:20+00:00"


def test_documents_of_other_content_have_another_name() -> None:
    one, other = _built(), _built(sources=())
    assert _document(one, "spdx")["documentNamespace"] != _document(other, "spdx")["documentNamespace"]
    assert _document(one, "cyclonedx")["serialNumber"] != _document(other, "cyclonedx")["serialNumber"]


def test_an_object_alone_has_sections_and_no_sources() -> None:
    document = _document(_built(sources=(), compiler=None), "spdx")
    assert [file["fileName"] for file in document["files"]] == ["./xdp_counter.bpf.o"]
    assert [package["name"] for package in document["packages"]] == [str(REPOSITORY)]


def test_the_linker_is_a_tool_as_well() -> None:
    document = _document(_built(linker="libbpf 1.1"), "spdx")
    assert {"clang 14.0.6", "libbpf 1.1"} <= {f"{p['name']} {p['versionInfo']}" for p in document["packages"]}


def test_an_unknown_format_is_a_usage_error() -> None:
    built = _built()
    with pytest.raises(UsageError, match="no SBOM format 'swid', expected spdx or cyclonedx"):
        _sbom.sbom(built, _subject(built), REPOSITORY, "swid")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Debian clang version 14.0.6", ("clang", "14.0.6")),
        ("clang version 19.1.7 (https://github.com/llvm/llvm-project cd70802)", ("clang", "19.1.7")),
        ("libbpf 1.1", ("libbpf", "1.1")),
        ("a compiler", ("a compiler", "")),
        ("", ("", "")),
    ],
)
def test_what_a_tool_says_of_itself(said: str, expected: tuple[str, str]) -> None:
    tool = _sbom.Tool.parse(said)
    assert (tool.name, tool.version, tool.said) == (*expected, said)


@pytest.mark.parametrize(
    ("word", "expression"),
    [
        ("GPL", "GPL-2.0-only"),
        ("GPL v2", "GPL-2.0-only"),
        ("GPL and additional rights", "GPL-2.0-only"),
        ("Dual BSD/GPL", "GPL-2.0-only OR LicenseRef-Linux-BSD"),
        ("Dual MIT/GPL", "GPL-2.0-only OR MIT"),
        ("Dual MPL/GPL", "GPL-2.0-only OR LicenseRef-Linux-MPL"),
        ("Proprietary", "LicenseRef-Object"),
        ("Apache-2.0", "Apache-2.0"),
        ("GPL-2.0", "GPL-2.0-only"),
        ("GPL-2.0 OR", "LicenseRef-Object"),
        ("WITH ( MIT", "LicenseRef-Object"),
        (") OR (", "LicenseRef-Object"),
        ("WITH WITH", "LicenseRef-Object"),
        ("", None),
    ],
)
def test_licence_words(word: str, expression: str | None) -> None:
    found = license_of(word)
    assert found.expression == expression
    assert set(found.texts) == {part for part in (expression or "").split() if part.startswith("LicenseRef-")}
    assert all(text == word for text in found.texts.values())


def test_packages_are_those_of_dpkg(tmp_path: Any) -> None:
    (tmp_path / "info").mkdir()
    (tmp_path / "info/libbpf-dev:amd64.list").write_text(f"/.\n/usr\n{HEADER}\n")
    (tmp_path / "info/liar.list").write_text(f"{HEADER}.orig\n/x{HEADER}\n")
    (tmp_path / "info/gone.list").write_text("/usr/include/gone.h\n")
    (tmp_path / "status").write_text(
        "Package: other\nVersion: 9\nArchitecture: all\n\n"
        "Package: libbpf-dev\nStatus: install ok installed\nArchitecture: amd64\nMulti-Arch: same\n"
        "Version: 1:1.1.2-0+deb12u1\nDescription: headers\n Version: 666\n"
    )
    (tmp_path / "release").write_text('PRETTY_NAME="x"\nID=ubuntu\n')
    found = _debian.packages_of(
        (HEADER, "/usr/include/gone.h", "vmlinux.h", "/nowhere.h"),
        dpkg=str(tmp_path),
        release=str(tmp_path / "release"),
    )
    assert found == {HEADER: _debian.DebianPackage("libbpf-dev", "1:1.1.2-0+deb12u1", "amd64", "ubuntu")}
    assert found[HEADER].purl == "pkg:deb/ubuntu/libbpf-dev@1:1.1.2-0%2Bdeb12u1?arch=amd64"


def test_machines_without_dpkg_name_no_packages(tmp_path: Any) -> None:
    assert _debian.packages_of((HEADER,), dpkg=str(tmp_path)) == {}


def test_dpkg_itself_agrees() -> None:
    import shutil

    if shutil.which("dpkg-query") is None or not os.path.exists(HEADER):
        pytest.skip("needs dpkg-query and libbpf-dev's headers")
    said = subprocess.run(["dpkg-query", "-S", HEADER], capture_output=True, text=True, check=False).stdout
    name = said.partition(":")[0]
    version = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version} ${Architecture}", name], capture_output=True, text=True, check=True
    ).stdout
    (found,) = _debian.packages_of((HEADER,)).values()
    assert (found.name, f"{found.version} {found.architecture}") == (name, version)


SCRIPT = """
import sys
from bpfimg import build
from bpfimg.build import _sbom
from bpfimg.build._made import Built, Source
from bpfimg.oci import Platform, Repository
image = build.image(sys.stdin.buffer.read(), file_name="a.o", platform=Platform("linux", "amd64"))
built = Built(image, (Source.of("a.c", b"int x;", "c"),), "clang version 14.0.6")
made = _sbom.bill(built, image.pack().manifest.descriptor, Repository.parse("registry.example/a"))
for form in ("spdx", "cyclonedx"):
    sys.stdout.buffer.write(_sbom.written(made, form).content)
"""


def test_the_same_bytes_in_another_folder_time_zone_locale_and_process(tmp_path: Any) -> None:
    import bpfimg

    root = os.path.dirname(os.path.dirname(bpfimg.__file__))
    seen = set()
    for seed, zone, locale, folder in (("1", "UTC", "C", "/"), ("2", "Pacific/Kiritimati", "C.UTF-8", str(tmp_path))):
        environ = {"PYTHONPATH": root, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale, "HOME": str(tmp_path)}
        command = [sys.executable, "-c", SCRIPT]
        given = example("xdp_counter")
        done = subprocess.run(command, input=given, capture_output=True, cwd=folder, env=environ, check=False)
        assert done.returncode == 0, done.stderr.decode()
        assert root.encode() not in done.stdout
        assert os.uname().nodename.encode() not in done.stdout
        seen.add(done.stdout)
    assert len(seen) == 1


@pytest.mark.parametrize(("form", "library"), [("spdx", "spdx_tools"), ("cyclonedx", "cyclonedx")])
def test_without_the_library_the_command_that_installs_it_is_named(form: str, library: str) -> None:
    script = f"""
import sys
sys.modules[{library!r}] = None
from bpfimg import build, errors
from bpfimg.build import _sbom
from bpfimg.build._made import Built
from bpfimg.oci import Platform, Repository
image = build.image(sys.stdin.buffer.read(), file_name="a.o", platform=Platform("linux", "amd64"))
try:
    _sbom.sbom(Built(image, ()), image.pack().manifest.descriptor, Repository.parse("registry.example/a"), {form!r})
except errors.Error as error:
    print(type(error).__name__, error, error.hint, sep="|")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], input=example("xdp_counter"), capture_output=True, check=True
    ).stdout.decode()
    kind, message, hint = done.strip().split("|")
    assert kind == "Error"
    assert message.startswith("the SBOM needs the Python package ")
    assert library in message
    assert hint == "pip install 'bpfimg[sbom]'"
