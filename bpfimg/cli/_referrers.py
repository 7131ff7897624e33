"""`bpfimg referrers`: what is attached to an image: SBOMs, provenance, signatures, reports."""

from __future__ import annotations

import sys

from bpfimg.cli import _help
from bpfimg.errors import NotFound, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from bpfimg.build import documents as papers
    from bpfimg.cli._options import Options
    from bpfimg.image import BytecodeImage
    from bpfimg.oci import Descriptor, Digest, Platform, Target

EPILOG = f"""\
{_help.TRANSPORTS} Of an image for several architectures what is
attached to the whole is listed, and what is attached to each part. Nothing is verified: anybody who may push to a
repository can attach documents there, so believe only those that somebody you trust has signed: `bpfimg verify
--attestation TYPE`. What cosign's older formats keep under the tags sha256-....sig and .att is no referrer.

--get prints a document as it is; DIGEST is that of a referrer or of one of its layers, or how it begins. --sbom
attaches one to an image that is there already, made of its objects alone: the sources are known only to
`bpfimg build --sbom`.

examples:
  bpfimg referrers registry.example/xdp_counter:v1
  bpfimg referrers registry.example/xdp_counter:v1 --get sha256:7f3c \\
    >sbom.spdx.json
  bpfimg referrers registry.example/xdp_counter:v1 --sbom cyclonedx"""

_SHORTEST = 4
#: what bundles, and statements without an envelope, say of their predicate type
_PREDICATES = ("dev.sigstore.bundle.predicateType", "in-toto.io/predicate-type")


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("reference", metavar="REF", help="the image")
    parser.add_argument("--get", metavar="DIGEST", help="print the document instead")
    parser.add_argument("--sbom", metavar="spdx|cyclonedx", help="attach an SBOM of the objects in the image first")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Prints the list, or one document."""
    from bpfimg.cli._places import located

    if arguments.get and arguments.sbom:
        raise UsageError("--get and --sbom are both given, expected one of them")
    there = located(options, arguments.reference, writes=bool(arguments.sbom))
    place, top = there.place, there.descriptor
    subjects = dict(_subjects(place, top))
    if arguments.sbom:
        _attach(place, top, arguments.sbom, options)
        options.open.publish()
    found = [(each, subjects[digest]) for digest in subjects for each in _of(place, digest)]
    if arguments.get:
        _get(place, arguments.get, [each for each, _ in found])
    else:
        _list(options, found)
    return 0


def _subjects(place: Target, top: Descriptor) -> Iterator[tuple[Digest, Platform | None]]:
    """The image, and of an index each image in it, with its platform."""
    from bpfimg.oci import Index, parse_document

    document = parse_document(place.fetch(top), top.media_type)
    yield top.digest, None
    for child in document.manifests if isinstance(document, Index) else ():
        yield child.digest, child.platform


def _of(place: Target, digest: Digest) -> tuple[papers.Referrer, ...]:
    from bpfimg.build import documents

    return documents.referrers(place, digest)


def _attach(place: Target, top: Descriptor, form: str, options: Options) -> None:
    """Makes and attaches the SBOM of each object of the image that is there."""
    from bpfimg.build import Built, documents
    from bpfimg.cli._build_documents import attach

    made = []
    for image in _images(place, top):
        assert image.descriptor is not None
        made.append((image.descriptor, documents.sbom(Built(image, ()), image.descriptor, place.repository, form)))
    attach(options, place, made)


def _images(place: Target, top: Descriptor) -> Iterator[BytecodeImage]:
    from bpfimg.image import BytecodeImage

    for platform in BytecodeImage.platforms(place, top) or (None,):
        try:
            yield BytecodeImage.fetch(place, top, platform)
        except NotFound:  # an index that was pulled for one platform is not whole
            if platform is None:
                raise


def _get(place: Target, wanted: str, found: Sequence[papers.Referrer]) -> None:
    from bpfimg.build import documents
    from bpfimg.cli._render import clean

    content = documents.content_of(place, _layer(wanted, found))
    if sys.stdout.isatty():
        print(clean(content.decode("utf-8", "replace"), keep_lines=True))
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)


def _layer(wanted: str, found: Sequence[papers.Referrer]) -> Descriptor:
    """The one layer that is meant."""
    text = wanted if wanted.startswith("sha") else f"sha256:{wanted}"
    if len(text.partition(":")[2]) < _SHORTEST:
        raise UsageError(f"--get is {wanted!r}, expected at least {_SHORTEST} digits of a digest")
    meant: dict[Digest, tuple[Descriptor, ...]] = {}
    for each in found:
        if str(each.descriptor.digest).startswith(text):
            meant[each.descriptor.digest] = each.layers
        meant.update((layer.digest, (layer,)) for layer in each.layers if str(layer.digest).startswith(text))
    if not meant:
        raise NotFound(f"the image has no referrer {wanted!r}", hint="`bpfimg referrers REF` lists them")
    if len(meant) > 1:
        raise UsageError(f"--get is {wanted!r}, with which {len(meant)} digests begin, expected more digits")
    (layers,) = meant.values()
    if len(layers) != 1:
        raise UsageError(f"the referrer {wanted!r} has {len(layers)} layers, expected the digest of one of them")
    return layers[0]


def _list(options: Options, found: Sequence[tuple[papers.Referrer, Platform | None]]) -> None:
    from bpfimg.cli._render import json_text, table

    if options.json:
        print(json_text({"referrers": [_entry(each, platform) for each, platform in found]}))
    elif options.quiet:
        print("".join(f"{each.descriptor.digest}\n" for each, _ in found), end="")
    else:
        head = ("TYPE", "ABOUT", "SIZE", "CREATED", "DIGEST")
        print(table(head, [_row(each, platform) for each, platform in found]))


def _row(each: papers.Referrer, platform: Platform | None) -> tuple[str, str, str, str, str]:
    size = sum(layer.size for layer in each.layers)
    about = str(platform) if platform else "image"
    said = next((each.annotations[name] for name in _PREDICATES if each.annotations.get(name)), "")
    kind = f"{each.artifact_type} ({said})" if said else each.artifact_type
    return kind, about, str(size), each.created or "-", str(each.descriptor.digest)


def _entry(each: papers.Referrer, platform: Platform | None) -> dict[str, object]:
    digest = str(each.descriptor.digest)
    return {
        "id": digest,
        "digest": digest,
        "artifact_type": each.artifact_type,
        "subject": str(each.subject),
        "platform": str(platform) if platform else None,
        "size": sum(layer.size for layer in each.layers),
        "created": each.created or None,
        "title": each.title or None,
        "annotations": dict(each.annotations),
        "layers": [
            {"digest": str(layer.digest), "media_type": layer.media_type, "size": layer.size} for layer in each.layers
        ],
    }
