"""A bill of materials as SPDX 2.3 JSON, written and checked by spdx-tools."""

from __future__ import annotations

from spdx_tools.common.spdx_licensing import spdx_licensing
from spdx_tools.spdx.jsonschema.document_converter import DocumentConverter
from spdx_tools.spdx.model import (
    Actor,
    ActorType,
    Checksum,
    ChecksumAlgorithm,
    CreationInfo,
    ExternalPackageRef,
    ExternalPackageRefCategory,
    ExtractedLicensingInfo,
    File,
    FileType,
    Package,
    PackagePurpose,
    Relationship,
    RelationshipType,
    Snippet,
    SpdxNoAssertion,
)
from spdx_tools.spdx.model import Document as SpdxDocument
from spdx_tools.spdx.spdx_element_utils import calculate_package_verification_code
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from bpfimg.build._license import known_expression
from bpfimg.build._referrer import SPDX, Document
from bpfimg.errors import Error, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from bpfimg.build._debian import DebianPackage
    from bpfimg.build._made import Source
    from bpfimg.build._sbom import Bill, Tool

__all__ = ["document"]

_DOCUMENT, _IMAGE, _OBJECT = "SPDXRef-DOCUMENT", "SPDXRef-image", "SPDXRef-object"
_KINDS = {"c": FileType.SOURCE, "header": FileType.SOURCE, "object": FileType.BINARY}


def document(made: Bill) -> Document:
    """The document; Error when the library finds it not valid, which then is a fault of bpfimg."""
    from bpfimg._json import compact

    written = _document(made)
    wrong = validate_full_spdx_document(written)
    if wrong:
        message = quoted(wrong[0].validation_message, 300)
        raise Error(f"the SPDX document is not valid: {message}", hint="please report this")
    stem = made.object_name.removesuffix(".o")
    content = compact(DocumentConverter().convert(written))  # type: ignore[no-untyped-call]
    return Document(SPDX, f"{stem}.spdx.json", content, made.created)


def _document(made: Bill) -> SpdxDocument:
    binary = _binary(made)
    packages = {package: number for number, package in enumerate(dict.fromkeys(p for _, p in made.packages), 1)}
    tools = [_tool(number, tool) for number, tool in enumerate(made.tools, 1)]
    return SpdxDocument(
        _creation(made),
        packages=[_image(made, binary), *tools, *(_package(p, number) for p, number in packages.items())],
        files=[binary, *(_source(number, source) for number, source in enumerate(made.sources, 1))],
        snippets=list(_snippets(made)),
        relationships=list(_relationships(made, packages)),
        extracted_licensing_info=[
            ExtractedLicensingInfo(license_id=name, extracted_text=text)
            for name, text in sorted(made.license.texts.items())
        ],
    )


def _creation(made: Bill) -> CreationInfo:
    from bpfimg import __version__

    return CreationInfo(
        spdx_version="SPDX-2.3",
        spdx_id=_DOCUMENT,
        name=f"{made.repository}@{made.digest}",
        document_namespace=f"urn:uuid:{made.serial('spdx')}",
        creators=[Actor(ActorType.TOOL, f"bpfimg-{__version__}")],
        created=made.moment.replace(tzinfo=None),
    )


def _image(made: Bill, binary: File) -> Package:
    return Package(
        spdx_id=_IMAGE,
        name=str(made.repository),
        version=made.digest,
        download_location=SpdxNoAssertion(),
        files_analyzed=True,
        verification_code=calculate_package_verification_code([binary]),
        checksums=[_checksum("SHA256", made.digest.partition(":")[2])],
        license_concluded=SpdxNoAssertion(),
        license_declared=_expression(made.license.expression),
        license_comment=made.license.comment or None,
        copyright_text=SpdxNoAssertion(),
        supplier=SpdxNoAssertion(),
        primary_package_purpose=PackagePurpose.CONTAINER,
        external_references=[_purl(made.purl)],
        comment=f"platform {made.platform}",
    )


def _binary(made: Bill) -> File:
    empty = [f"{each.name} ({each.size} bytes of zeros)" for each in made.sections if each.digest is None]
    return File(
        name=f"./{made.object_name}",
        spdx_id=_OBJECT,
        checksums=[_checksum("SHA1", made.sha1), _checksum("SHA256", made.sha256)],
        file_types=[FileType.BINARY],
        license_concluded=SpdxNoAssertion(),
        license_info_in_file=[_expression(made.license.expression)],
        copyright_text=SpdxNoAssertion(),
        comment=f"sections of which the file holds no bytes: {', '.join(empty)}" if empty else None,
    )


def _snippets(made: Bill) -> Iterator[Snippet]:
    """The sections that the file holds bytes of. SPDX has no checksum of a snippet, so it stands in the comment."""
    for number, section in enumerate(made.sections, 1):
        if section.digest and section.size:
            yield Snippet(
                spdx_id=f"SPDXRef-section-{number}",
                file_spdx_id=_OBJECT,
                byte_range=(section.offset + 1, section.offset + section.size),
                name=section.name,
                license_concluded=SpdxNoAssertion(),
                copyright_text=SpdxNoAssertion(),
                comment=f"ELF section, {section.size} bytes, sha256:{section.digest}",
            )


def _tool(number: int, tool: Tool) -> Package:
    return Package(
        spdx_id=f"SPDXRef-tool-{number}",
        name=tool.name,
        version=tool.version or None,
        download_location=SpdxNoAssertion(),
        files_analyzed=False,
        license_concluded=SpdxNoAssertion(),
        copyright_text=SpdxNoAssertion(),
        primary_package_purpose=PackagePurpose.APPLICATION,
        comment=tool.said,
    )


def _package(package: DebianPackage, number: int) -> Package:
    return Package(
        spdx_id=f"SPDXRef-package-{number}",
        name=package.name,
        version=package.version,
        download_location=SpdxNoAssertion(),
        files_analyzed=False,
        license_concluded=SpdxNoAssertion(),
        copyright_text=SpdxNoAssertion(),
        supplier=Actor(ActorType.ORGANIZATION, package.distribution),
        primary_package_purpose=PackagePurpose.LIBRARY,
        external_references=[_purl(package.purl)],
    )


def _source(number: int, source: Source) -> File:
    said = known_expression(source.license) if source.license else None
    other = f"the file says: {source.license}" if source.license and said is None else None
    return File(
        name=f"./{source.path.lstrip('/')}",
        spdx_id=f"SPDXRef-source-{number}",
        checksums=[_checksum("SHA1", source.sha1), _checksum("SHA256", source.digest)],
        file_types=[_KINDS[source.kind]],
        license_concluded=SpdxNoAssertion(),
        license_info_in_file=[_expression(said)],
        license_comment=other,
        copyright_text=SpdxNoAssertion(),
    )


def _relationships(made: Bill, packages: dict[DebianPackage, int]) -> Iterator[Relationship]:
    yield Relationship(_DOCUMENT, RelationshipType.DESCRIBES, _IMAGE)
    yield Relationship(_IMAGE, RelationshipType.CONTAINS, _OBJECT)
    for number, _ in enumerate(made.tools, 1):
        yield Relationship(f"SPDXRef-tool-{number}", RelationshipType.BUILD_TOOL_OF, _OBJECT)
    for number in packages.values():
        yield Relationship(f"SPDXRef-package-{number}", RelationshipType.BUILD_DEPENDENCY_OF, _OBJECT)
    owner = dict(made.packages)
    for number, source in enumerate(made.sources, 1):
        yield Relationship(_OBJECT, RelationshipType.GENERATED_FROM, f"SPDXRef-source-{number}")
        if source.path in owner:
            # CONTAINS would claim that all files of the package were looked at
            package = f"SPDXRef-package-{packages[owner[source.path]]}"
            yield Relationship(
                f"SPDXRef-source-{number}", RelationshipType.OTHER, package, comment="a file of this package"
            )


def _expression(text: str | None) -> object:
    return spdx_licensing.parse(text) if text else SpdxNoAssertion()


def _purl(locator: str) -> ExternalPackageRef:
    return ExternalPackageRef(ExternalPackageRefCategory.PACKAGE_MANAGER, "purl", locator)


def _checksum(algorithm: str, content: str) -> Checksum:
    return Checksum(ChecksumAlgorithm[algorithm], content)
