"""What an image is made of: the facts, before SPDX or CycloneDX has words for them.

Nothing here depends on the clock, the host's name or the folder that was built in, and every identifier is derived
from the content, so the same build gives the same document.
"""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import Error, ImageError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from bpfimg.build._debian import DebianPackage
    from bpfimg.build._license import License
    from bpfimg.build._made import Built, Source
    from bpfimg.build._referrer import Document
    from bpfimg.oci import Descriptor, Platform, Repository

__all__ = ["FORMATS", "Bill", "Section", "Tool", "bill", "sbom", "written"]

FORMATS = ("spdx", "cyclonedx")
_NAMESPACE = "urn:bpfimg:sbom:1"


@value(frozen=True, slots=True)
class Section:
    """A section of the object: `offset` and `size` in bytes, `digest` its SHA-256, None where the file holds no bytes
    of it (`.bss`)."""

    name: str
    offset: int
    size: int
    digest: str | None


@value(frozen=True, slots=True)
class Tool:
    """What made the object: `Tool("clang", "14.0.6", "Debian clang version 14.0.6")`; no version is ""."""

    name: str
    version: str
    said: str

    @staticmethod
    def parse(said: str) -> Tool:
        """The tool that says this of itself."""
        before, _, after = said.partition(" version ")
        words, versions = before.split(), after.split()
        if words and versions:
            return Tool(words[-1], versions[0], said)
        name, _, version = said.rpartition(" ")  # "libbpf 1.1"
        return Tool(name, version, said) if name and version[:1].isdigit() else Tool(said, "", said)


@value(frozen=True, slots=True)
class Bill:
    """The bill of materials of one image.

    `repository` and `digest` name the image, `object_name`, `size`, `sha256` and `sha1` the object in it; `created` is
    RFC 3339 in UTC and whole seconds. `packages` are those that brought headers, by the published path of each header.
    `tools` made the object, as far as anybody knows.
    """

    repository: Repository
    digest: str
    platform: Platform
    created: str
    object_name: str
    size: int
    sha256: str
    sha1: str
    license: License
    sections: tuple[Section, ...]
    sources: tuple[Source, ...]
    packages: tuple[tuple[str, DebianPackage], ...]
    tools: tuple[Tool, ...]

    @property
    def name(self) -> str:
        """The last word of the repository's path, as people and purls call the image."""
        return self.repository.path.rpartition("/")[2]

    @property
    def purl(self) -> str:
        """The package URL (purl-spec, type oci)."""
        from urllib.parse import quote

        where = quote(str(self.repository), safe="/:.-_~")
        return f"pkg:oci/{self.name}@{self.digest}?arch={quote(self.platform.architecture)}&repository_url={where}"

    @property
    def moment(self) -> datetime:
        """`created` as a time."""
        from datetime import datetime

        return datetime.fromisoformat(self.created)

    def serial(self, form: str) -> str:
        """A UUID (version 5, RFC 9562) of everything in the bill: equal bills have equal ones."""
        from uuid import NAMESPACE_URL, uuid5

        from bpfimg import __version__

        return str(uuid5(uuid5(NAMESPACE_URL, _NAMESPACE), f"{form} {__version__} {self!r}"))


def bill(
    built: Built,
    subject: Descriptor,
    repository: Repository,
    *,
    packages_of: Callable[[tuple[str, ...]], dict[str, DebianPackage]] | None = None,
) -> Bill:
    """The bill of materials of the image that `subject` describes and `repository` holds.

    `packages_of` says which packages header files came from; None asks dpkg's lists on this machine. Raises
    BytecodeError for an object that cannot be read.
    """
    from bpfimg.build import _debian
    from bpfimg.build._license import license_of
    from bpfimg.build._made import Source
    from bpfimg.bytecode import dissect

    image = built.image
    found = dissect(image.bytecode)
    whole = Source.of(image.file_name, image.bytecode, "object")
    headers = tuple(source.path for source in built.sources if source.kind == "header")
    origin = (packages_of or _debian.packages_of)(headers)
    return Bill(
        repository=repository,
        digest=str(subject.digest),
        platform=image.platform,
        created=_whole_seconds(image.created),
        object_name=image.file_name,
        size=len(image.bytecode),
        sha256=whole.digest,
        sha1=whole.sha1,
        license=license_of(found.object.license or ""),
        sections=tuple(
            Section(each.name, each.offset, each.size, None if each.zeros else _sha256(each.content))
            for each in found.elf.sections
        ),
        sources=built.sources,
        packages=tuple(sorted(origin.items())),
        tools=tuple(Tool.parse(word) for word in _tools(built, found.object.producer)),
    )


def sbom(built: Built, subject: Descriptor, repository: Repository, form: str = "spdx") -> Document:
    """The SBOM of the image that `subject` describes and `repository` holds, as "spdx" (2.3) or "cyclonedx" (1.6).

    It is JSON that the format's own library has written and found valid. Raises UsageError for another form, Error
    with the command that installs the library where it is not there.
    """
    return written(bill(built, subject, repository), form)


def written(made: Bill, form: str) -> Document:
    """The bill as a document; see `sbom`."""
    if form not in FORMATS:
        raise UsageError(f"there is no SBOM format {form!r}, expected {' or '.join(FORMATS)}")
    try:
        if form == "spdx":
            from bpfimg.build import _spdx

            return _spdx.document(made)
        from bpfimg.build import _cyclonedx

        return _cyclonedx.document(made)
    except ImportError as error:
        raise Error(
            f"the SBOM needs the Python package {error.name or 'that writes it'}, which is not installed",
            hint="pip install 'bpfimg[sbom]'",
        ) from error


def _tools(built: Built, producer: str | None) -> list[str]:
    """What was used here, else what DWARF or the image's own description says."""
    compiler = built.compiler or producer
    if compiler is None:
        try:
            stated = built.image.description.read("toolchain")
        except ImageError:
            stated = None
        compiler = stated.get("compiler") if isinstance(stated, dict) else None
    words = compiler.split("; ") if isinstance(compiler, str) else []
    return [*words, *([built.linker] if built.linker else [])]


def _sha256(content: bytes) -> str:
    import hashlib

    return hashlib.sha256(content).hexdigest()


def _whole_seconds(created: str) -> str:
    """The beginning of 1970 for a foreign image that states no time."""
    from datetime import UTC, datetime

    from bpfimg.image import rfc3339

    try:
        return rfc3339(int(datetime.fromisoformat(created).astimezone(UTC).timestamp()))
    except (ValueError, OverflowError):
        return rfc3339(0)
