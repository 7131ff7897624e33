"""`--sbom` and `--provenance` of `bpfimg build`: documents about the image, attached to it as referrers."""

from __future__ import annotations

from bpfimg._value import value
from bpfimg.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bpfimg.build import Built
    from bpfimg.build import documents as papers
    from bpfimg.build import project as projects
    from bpfimg.cli._options import Options
    from bpfimg.oci import Descriptor, Repository, Target

    About = tuple[Descriptor, papers.Document]
    """A document, and what it is about."""

__all__ = ["Wanted", "add", "after", "attach", "before", "wanted"]


@value(frozen=True, slots=True)
class Wanted:
    """Which documents: `sbom` is a format or None, `builder` the URI that provenance names, None for no provenance."""

    sbom: str | None = None
    builder: str | None = None


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("--sbom", action="store_true", help="attach an SBOM to each platform's image")
    parser.add_argument("--sbom-format", metavar="spdx|cyclonedx", help="SPDX 2.3 or CycloneDX 1.6 (default spdx)")
    parser.add_argument("--provenance", action="store_true", help="attach SLSA provenance, unsigned")
    parser.add_argument("--builder-id", metavar="URI", help="who builds, for the provenance (default: a local builder)")


def wanted(arguments: argparse.Namespace, project: projects.Project | None) -> Wanted:
    """What the words ask for, else the project file; UsageError for words that do not fit."""
    provenance = arguments.provenance or bool(project and project.provenance)
    if arguments.builder_id and not provenance:
        raise UsageError(f"--builder-id {arguments.builder_id!r} has no meaning without --provenance")
    form = arguments.sbom_format or (project.sbom if project else None) or ("spdx" if arguments.sbom else None)
    if not form and not provenance:
        return Wanted()
    from bpfimg.build import documents

    if form and form not in documents.FORMATS:
        raise UsageError(f"--sbom-format is {form!r}, expected {' or '.join(documents.FORMATS)}")
    builder = documents.check_builder(arguments.builder_id or documents.LOCAL) if provenance else None
    return Wanted(form, builder)


def before(asked: Wanted, built: Sequence[Built], repository: Repository) -> list[About]:
    """The SBOMs, made before anything is stored: what cannot be made leaves no image behind."""
    if asked.sbom is None:
        return []
    from bpfimg.build import documents

    return documents.sboms(built, repository, asked.sbom)


def after(asked: Wanted, built: Sequence[Built], repository: Repository, top: Descriptor) -> list[About]:
    """The provenance, which names what was stored."""
    if asked.builder is None:
        return []
    from bpfimg.build import documents

    return [documents.origin(built, top, repository, asked.builder)]


def attach(options: Options, place: Target, about: Sequence[About]) -> list[dict[str, object]]:
    """Attaches documents to images in `place`, says so, and returns them as JSON has them."""
    if not about:
        return []
    from bpfimg.build import documents
    from bpfimg.cli._parser import tell

    found = []
    for subject, document in about:
        where = documents.attach(place, subject, document)
        tell(options, f"{document.title} is attached to {subject.digest}")
        found.append(entry(subject, document, where))
    return found


def entry(subject: Descriptor, document: papers.Document, where: Descriptor) -> dict[str, object]:
    """One attached document as JSON; `id` is the digest of its manifest."""
    return {
        "id": str(where.digest),
        "subject": str(subject.digest),
        "artifact_type": document.media_type,
        "title": document.title,
        "size": len(document.content),
    }
