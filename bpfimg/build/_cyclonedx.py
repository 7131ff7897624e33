"""A bill of materials as CycloneDX 1.6 JSON (ECMA-424), written and checked by cyclonedx-python-lib."""

from __future__ import annotations

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from bpfimg.build._license import known_expression
from bpfimg.build._referrer import CYCLONEDX, Document
from bpfimg.errors import Error, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.build._debian import DebianPackage
    from bpfimg.build._made import Source
    from bpfimg.build._sbom import Bill, Section

__all__ = ["document"]


def document(made: Bill) -> Document:
    """The document; Error when the library finds it not valid, which then is a fault of bpfimg."""
    import json

    from bpfimg._json import compact

    text = JsonV1Dot6(_bom(made)).output_as_string()
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong is not None:
        raise Error(f"the CycloneDX document is not valid: {quoted(wrong, 300)}", hint="please report this")
    stem = made.object_name.removesuffix(".o")
    return Document(CYCLONEDX, f"{stem}.cdx.json", compact(json.loads(text)), made.created)


def _bom(made: Bill) -> Bom:
    from uuid import UUID

    from bpfimg import __version__

    image, binary = _image(made), _binary(made)
    tool = Component(name="bpfimg", version=__version__, type=ComponentType.APPLICATION, bom_ref="bpfimg")
    bom = Bom(
        serial_number=UUID(made.serial("cyclonedx")),
        metadata=BomMetaData(timestamp=made.moment, component=image),
    )
    bom.metadata.tools.components.add(tool)
    inputs = [*_tools(made), *_packages(made), *_loose(made)]
    for component in (binary, *inputs):
        bom.components.add(component)
    bom.register_dependency(image, [binary])
    bom.register_dependency(binary, inputs)
    return bom


def _image(made: Bill) -> Component:
    return Component(
        name=str(made.repository),
        version=made.digest,
        type=ComponentType.CONTAINER,
        bom_ref="image",
        purl=PackageURL.from_string(made.purl),
        hashes=[_sha256(made.digest.partition(":")[2])],
        licenses=_licenses(made),
        properties=[_property("platform", str(made.platform))],
    )


def _binary(made: Bill) -> Component:
    said = [_property("license-comment", made.license.comment)] if made.license.comment else []
    texts = [_property(f"license-text:{name}", text) for name, text in sorted(made.license.texts.items())]
    return Component(
        name=made.object_name,
        type=ComponentType.FILE,
        bom_ref="object",
        hashes=[_sha256(made.sha256)],
        licenses=_licenses(made),
        components=[_section(number, each) for number, each in enumerate(made.sections, 1)],
        properties=[_property("size", str(made.size)), *said, *texts],
    )


def _section(number: int, section: Section) -> Component:
    return Component(
        name=section.name,
        type=ComponentType.DATA,
        bom_ref=f"section-{number}",
        hashes=[_sha256(section.digest)] if section.digest else [],
        properties=[_property("offset", str(section.offset)), _property("size", str(section.size))],
    )


def _tools(made: Bill) -> list[Component]:
    return [
        Component(
            name=tool.name,
            version=tool.version or None,
            type=ComponentType.APPLICATION,
            bom_ref=f"tool-{number}",
            scope=ComponentScope.EXCLUDED,  # it made the object and is no part of the image
            description=tool.said,
        )
        for number, tool in enumerate(made.tools, 1)
    ]


def _packages(made: Bill) -> list[Component]:
    """One library for each Debian package, its header files inside."""
    inside: dict[DebianPackage, list[Component]] = {}
    owner = dict(made.packages)
    for number, source in enumerate(made.sources, 1):
        if source.path in owner:
            inside.setdefault(owner[source.path], []).append(_source(number, source))
    return [
        Component(
            name=package.name,
            version=package.version,
            type=ComponentType.LIBRARY,
            bom_ref=package.purl,
            purl=PackageURL.from_string(package.purl),
            components=files,
        )
        for package, files in inside.items()
    ]


def _loose(made: Bill) -> list[Component]:
    owned = {path for path, _ in made.packages}
    return [_source(number, source) for number, source in enumerate(made.sources, 1) if source.path not in owned]


def _source(number: int, source: Source) -> Component:
    known = known_expression(source.license) if source.license else None
    return Component(
        name=source.path,
        type=ComponentType.FILE,
        bom_ref=f"source-{number}",
        hashes=[_sha256(source.digest)],
        licenses=[LicenseExpression(known)] if known else [],
        properties=[_property("kind", source.kind)],
    )


def _licenses(made: Bill) -> list[LicenseExpression]:
    return [LicenseExpression(made.license.expression)] if made.license.expression else []


def _sha256(content: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=content)


def _property(name: str, value: str) -> Property:
    return Property(name=f"bpfimg:{name}", value=value)
