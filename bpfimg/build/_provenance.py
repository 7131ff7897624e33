"""How an image was made, as SLSA v1 provenance in an in-toto Statement v1: facts of the build, unsigned.

`docs/provenance.md` describes the build type. Whoever signs the image signs the digest that the statement is about;
the statement itself becomes evidence only when somebody signs it, too.
"""

from __future__ import annotations

import re

from bpfimg._json import compact
from bpfimg.build._referrer import IN_TOTO, Document
from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bpfimg.build._made import Built
    from bpfimg.oci import Digest, Repository

__all__ = ["BUILD_TYPE", "LOCAL", "PREDICATE", "check_builder", "provenance"]

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:bpfimg:build:1"
LOCAL = "urn:bpfimg:builder:local"
"""Who builds when nobody says: some machine that a person ran `bpfimg build` on (SLSA level 1 at most)."""

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+")
_REVISION = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_BEGINNING = "1970-01-01T00:00:00Z"
_SOURCE, _GIT = "org.opencontainers.image.source", "org.opencontainers.image.revision"


def provenance(
    built: Sequence[Built],
    subjects: Sequence[Digest],
    repository: Repository,
    *,
    builder: str = LOCAL,
) -> Document:
    """The statement about one build: `subjects` are its index and images, or its one image, the top one first.

    `builder` is the URI by which the readers of the statement know who built. Two builds of the same input by the
    same builder say the same: there is no invocation id, and times only where SOURCE_DATE_EPOCH gave one.

    Raises UsageError for a builder that is no URI.
    """
    check_builder(builder)
    statement = {
        "_type": STATEMENT,
        "subject": [_subject(each, repository) for each in subjects],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": _definition(built),
            "runDetails": {"builder": _builder(built, builder), **_metadata(built)},
        },
    }
    return Document(IN_TOTO, "provenance.intoto.json", compact(statement), built[0].image.created, PREDICATE)


def check_builder(builder: str) -> str:
    """`builder` when it is a URI; UsageError when not."""
    if not _URI.fullmatch(builder):
        hint = "as in https://ci.example/builders/release@v1"
        raise UsageError(f"the builder is {quoted(builder)}, expected a URI", hint=hint)
    return builder


def _subject(digest: Digest, repository: Repository) -> dict[str, object]:
    return {"name": str(repository), "digest": {digest.algorithm: digest.hex}}


def _definition(built: Sequence[Built]) -> dict[str, object]:
    arguments = {str(each.image.platform): list(each.arguments) for each in built if each.arguments}
    return {
        "buildType": BUILD_TYPE,
        "externalParameters": {"created": built[0].image.created, "images": [_parameters(each) for each in built]},
        "internalParameters": {"arguments": arguments},
        "resolvedDependencies": [*_revision(built), *_files(built)],
    }


def _parameters(built: Built) -> dict[str, object]:
    """What the caller asked for: the target word is the platform's, all other macros are the caller's."""
    defines = [word[2:] for word in built.arguments if word.startswith("-D")]
    return {
        "platform": str(built.image.platform),
        "inputs": [source.path for source in built.sources if source.kind != "header"],
        "defines": [word for word in defines if not word.startswith("__TARGET_ARCH_")],
        "file": built.image.file_name,
    }


def _revision(built: Iterable[Built]) -> list[dict[str, object]]:
    """The commit that the sources are of, where the build knows it."""
    found: dict[str, dict[str, object]] = {}
    for each in built:
        revision = each.image.annotations.get(_GIT, "")
        where = each.image.annotations.get(_SOURCE, "")
        if _REVISION.fullmatch(revision):
            uri = {"uri": f"git+{where}@{revision}"} if where.startswith(("https://", "http://", "ssh://")) else {}
            found[revision] = {**uri, "name": "source", "digest": {"gitCommit": revision}}
    return list(found.values())


def _files(built: Iterable[Built]) -> list[dict[str, object]]:
    files: dict[tuple[str, str], dict[str, object]] = {}
    for each in built:
        for source in each.sources:
            files[source.path, source.digest] = {"name": source.path, "digest": {"sha256": source.digest}}
    return list(files.values())


def _builder(built: Iterable[Built], builder: str) -> dict[str, object]:
    from bpfimg import __version__

    version = {"bpfimg": __version__}
    for tool in ("compiler", "linker"):
        said = dict.fromkeys(word for each in built if (word := getattr(each, tool)))
        if said:
            version[tool] = "; ".join(said)
    return {"id": builder, "version": version}


def _metadata(built: Sequence[Built]) -> dict[str, object]:
    """SOURCE_DATE_EPOCH stands for the time of the build; its default, 1970, would be a lie."""
    moment = built[0].image.created
    return {} if moment in ("", _BEGINNING) else {"metadata": {"startedOn": moment, "finishedOn": moment}}
