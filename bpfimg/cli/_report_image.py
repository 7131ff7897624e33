"""What the page of an image or object is made of: the object, what lint says, what is stored beside the image, and
whether the policy believes it. Nothing is written, and nothing that is fetched is kept."""

from __future__ import annotations

import os

from bpfimg.errors import Error, NotFound, PolicyError, UsageError, VerificationError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from bpfimg.cli._options import Options
    from bpfimg.cli._places import Found
    from bpfimg.image import BytecodeImage
    from bpfimg.inspect import Problem, page
    from bpfimg.oci import Digest
    from bpfimg.sign import VerifiedImage

__all__ = ["subject"]

_COSIGN = ((".sig", "signatures, as a tag of cosign's"), (".att", "attestations, as a tag of cosign's"))
_PREDICATES = ("dev.sigstore.bundle.predicateType", "in-toto.io/predicate-type")


def subject(arguments: argparse.Namespace, options: Options) -> page.Subject:
    """What the page is about; raises what `inspect` raises where there is no such thing."""
    from bpfimg.cli._object_file import means_file

    return _file(arguments) if means_file(arguments.what) else _image(arguments, options)


def _file(arguments: argparse.Namespace) -> page.Subject:
    from bpfimg.cli._inspect_text import digest_of
    from bpfimg.cli._object_file import dissected, read_object, shown
    from bpfimg.cli._trust import trust
    from bpfimg.inspect import page

    if arguments.platform is not None or trust(arguments).given:
        raise UsageError(f"--platform, --key and --certificate-... are for images, {quoted(arguments.what)} is a file")
    data, name = read_object(arguments.what), shown(arguments.what)
    found = dissected(data, arguments.what)
    return page.Subject(name, "", digest_of(data), found, problems=_problems(data, name, None))


def _image(arguments: argparse.Namespace, options: Options) -> page.Subject:
    from bpfimg import inspect
    from bpfimg.cli._inspect_text import digest_of
    from bpfimg.cli._places import located
    from bpfimg.oci import Platform

    wanted = Platform.parse(arguments.platform) if arguments.platform is not None else None
    found = located(options, arguments.what)
    seen = inspect.image(found.place, found.descriptor, wanted, Platform.host())
    data = seen.dissection.elf.data
    return inspect.page.Subject(
        found.name,
        str(found.descriptor.digest),
        digest_of(data),
        seen.dissection,
        seen,
        _problems(data, found.name, seen.image),
        _belief(arguments, options, found),
        tuple(_stored(found, seen.image)),
    )


def _problems(data: bytes, name: str, image: BytecodeImage | None) -> tuple[Problem, ...]:
    from bpfimg.inspect import lint

    if image is None:
        return lint.problems(data, lint.Context(name))
    platform = str(image.platform)
    return lint.problems(data, lint.Context(name, (platform,), shipped=True), images={platform: image})


def _belief(arguments: argparse.Namespace, options: Options, found: Found) -> page.Belief:
    """What the policy says, where there is one; nothing is remembered of it."""
    from bpfimg import sign
    from bpfimg.cli._elsewhere import elsewhere
    from bpfimg.cli._trust import policy, trust
    from bpfimg.inspect import page
    from bpfimg.oci import Platform

    given = trust(arguments)
    if not given.given and not os.path.lexists(options.policy):
        return page.Belief("not verified", (f"There is no trust policy ({options.policy}), and no --key was given.",))
    try:
        decides = policy(options, given)
    except PolicyError as error:
        if given.given:
            raise
        return page.Belief("not verified", (f"The trust policy cannot be read: {error}",))
    try:
        verified = sign.verify(
            found.place,
            found.reference,
            found.descriptor,
            decides,
            thorough=True,
            platform=Platform.host(),
            elsewhere=elsewhere(options, found),
        )
    except VerificationError as error:
        return page.Belief("refused", (str(error), *error.reasons))
    except Error as error:
        return page.Belief("not verified", (f"It could not be verified: {error}",))
    return page.Belief(
        "unsigned" if verified.unsafe and not verified.signers else "believed", tuple(_why(verified, found))
    )


def _why(verified: VerifiedImage, found: Found) -> Iterator[str]:
    yield f"Policy {verified.policy}, rule {verified.rule}"
    if verified.descriptor.digest != found.descriptor.digest:
        yield f"Believed is the image for this machine alone: {verified.descriptor.digest}"
    for signer in verified.signers:
        who = f"{signer.identity} of {signer.issuer}" if signer.identity else signer.fingerprint
        when = f", at {signer.when}" if signer.when else ""
        yield f"Signed by {signer.authority} {who} ({signer.format}, {signer.where}){when}"
    for one in verified.attestations:
        yield f"Attested: {one.predicate_type}, by {one.signer.authority}"


def _stored(found: Found, image: BytecodeImage) -> Iterator[page.Stored]:
    """Referrers and cosign's tags of what was named, and of the image for the platform."""
    from bpfimg.build import documents
    from bpfimg.inspect import page

    subjects: dict[Digest, str] = {found.descriptor.digest: "what was named"}
    if image.descriptor is not None:
        subjects.setdefault(image.descriptor.digest, f"the image for {image.platform}")
    for digest, about in subjects.items():
        yield from _tagged(found, digest, about)
        for each in documents.referrers(found.place, digest):
            said = next((each.annotations[name] for name in _PREDICATES if each.annotations.get(name)), "")
            kind = f"{each.artifact_type} ({said})" if said else each.artifact_type
            size = sum(layer.size for layer in each.layers)
            yield page.Stored(kind, about, str(each.descriptor.digest), size, each.created)


def _tagged(found: Found, digest: Digest, about: str) -> Iterator[page.Stored]:
    from bpfimg.inspect import page

    for ending, kind in _COSIGN:
        try:
            there = found.place.resolve(f"{digest.tag}{ending}")
        except NotFound:
            continue
        yield page.Stored(kind, about, str(there.digest), there.size)
