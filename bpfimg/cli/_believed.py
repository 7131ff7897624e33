"""From a reference to an image that is believed: fetched into the local store, or where a transport says it is."""

from __future__ import annotations

import os

from bpfimg._value import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.cli._asked import Asked
    from bpfimg.cli._options import Options
    from bpfimg.cli._places import Found
    from bpfimg.oci import Descriptor, Layout, Target, places
    from bpfimg.sign import Policy, VerifiedImage

__all__ = ["believed", "check_downgrade", "tell_report", "unsafe", "wanted_image"]

_PREDICATE, _COMPATIBILITY = "dev.sigstore.bundle.predicateType", "urn:bpfimg:compatibility:1"


def wanted_image(
    options: Options,
    text: str,
    pull: str | None,
    usual: str,
    *,
    lenient: bool = False,
    trust: Policy | None = None,
) -> Found:
    """The image by the pull policy; raises UsageError for a policy beside a transport, which says where to look.

    With the policy `trust`, signatures come from where it says that they are, too; and what says its own name is not
    believed unsigned: VerificationError.
    """
    from bpfimg.cli._fetched import fetched, pull_policy
    from bpfimg.cli._parser import note
    from bpfimg.cli._places import located
    from bpfimg.errors import UsageError
    from bpfimg.oci import places

    where = places.Location.parse(text)
    if where.transport and pull is not None:
        raise UsageError(
            f"--pull is {pull!r} and {where.transport}: says where the image is, expected one of them",
            hint=f"a bare name goes by the policy: {where.reference}" if where.reference else "",
        )
    if where.transport:
        found = located(options, text)
        if trust is not None and where.path and not where.said:
            _check_own_name(where, found, trust)
    else:
        found = fetched(options, text, pull=pull_policy(pull, usual), lenient=lenient, trust=trust)
    note(options, f"{found.name} is {found.descriptor.digest}")
    return found


def _check_own_name(where: places.Location, found: Found, trust: Policy) -> None:
    """Raises `VerificationError` where nobody but a directory or archive says what the image is called, and a rule for
    that name asks for no signature: whoever made it would choose the rule."""
    from bpfimg.errors import VerificationError

    rule = trust.rule_for(found.reference)
    if found.reference.repository == where.nameless or rule.action != "insecure-allow-unsigned":
        return
    raise VerificationError(
        f"{found.name} is not believed: it calls itself {found.reference}, nobody has to sign what is called so (rule "
        f"{rule.name} of {trust.origin}), and a name that only the place itself says chooses no such rule",
        hint=f"if that is what you mean, say so: {found.name}:{found.reference}",
    )


def check_downgrade(allowed: bool, found: Found) -> None:
    """Raises UsageError for `--allow-downgrade` beside a tag: what it would allow may be another image tomorrow."""
    from bpfimg.errors import UsageError

    if allowed and found.reference.digest is None:
        raise UsageError(
            f"--allow-downgrade is given and {found.name} has no digest, expected the digest of what may be older",
            hint=f"if {found.descriptor.digest} is meant: {found.reference.repository}@{found.descriptor.digest}",
        )


def believed(text: str, wanted: Asked, options: Options) -> tuple[Target, VerifiedImage]:
    """Fetches by the pull policy, then verifies; raises `VerificationError` where the trust policy says no.

    The policy is read first: who has none is told so before anything goes over the network. What nobody had to sign
    is said loudly, each time.
    """
    from bpfimg.cli._local import local_object, means_object
    from bpfimg.cli._parser import warn

    found: tuple[Target, VerifiedImage]
    found = local_object(options, text, wanted) if means_object(text) else _image(options, text, wanted)
    place, verified = found
    if verified.unsafe:
        warn(unsafe(verified))
    return place, verified


def _image(options: Options, text: str, wanted: Asked) -> tuple[Target, VerifiedImage]:
    from bpfimg import sign
    from bpfimg.cli._elsewhere import elsewhere
    from bpfimg.cli._trust import policy
    from bpfimg.errors import VerificationError
    from bpfimg.oci import Platform

    # by its whole path: a record is read from anywhere, long after
    trust = policy(replace(options, policy=os.path.abspath(options.policy)), wanted.trust)
    found = wanted_image(options, text, wanted.pull_given, wanted.pull, trust=trust)
    check_downgrade(wanted.allow_downgrade, found)
    try:
        verified = sign.verify(
            found.place,
            found.reference,
            found.descriptor,
            trust,
            platform=Platform.host(),
            elsewhere=elsewhere(options, found),
            history=sign.History(options.state, lock_timeout=options.lock_timeout),
            allow_downgrade=wanted.allow_downgrade,
        )
    except VerificationError as error:
        if found.name == str(found.reference) and wanted.pull in ("missing", "never") and not error.hint:
            error.hint = (
                "the image in the local store was used; --pull always looks for newer signatures in the registry"
            )
        raise
    tell_report(options, found, trust)
    return found.place, verified


def tell_report(options: Options, found: Found, trust: Policy) -> None:
    """Says on which kernels the image was tried, where the local store has a report: no registry is asked for that."""
    from bpfimg.oci import Layout

    if options.quiet or not isinstance(found.place, Layout) or not _has_report(found.place, found.descriptor):
        return
    from bpfimg.cli._tried_on import tell_tried

    tell_tried(options, found, trust)


def _has_report(place: Layout, descriptor: Descriptor) -> bool:
    """Whether something says so of itself about the image, or one in the index: a hint, which decides nothing."""
    from bpfimg.errors import Error
    from bpfimg.oci import Index

    try:
        about = [descriptor.digest]
        if descriptor.is_index:
            about += [one.digest for one in Index.parse(place.fetch(descriptor), descriptor.media_type).manifests]
        kinds = (each.annotations.get(_PREDICATE) for digest in about for each in place.referrers(digest))
        return _COMPATIBILITY in kinds
    except Error:
        return False  # the image itself was verified: what stands beside it may be damaged


def unsafe(verified: VerifiedImage) -> str:
    """What is said of an image that the policy takes unsigned: who can run code here, and which line lets them."""
    if verified.file:
        return (
            f"UNSIGNED: {verified.file} ({verified.file_digest}) is a local file, and {verified.rule} of "
            f"{verified.policy} lets anybody who may write to it run code in this kernel"
        )
    whose = "it is signed, and need not be" if verified.signers else "nobody whom the policy knows signed it"
    return (
        f"UNSIGNED ALLOWED: {verified.reference}, {whose}: the rule {verified.rule} of {verified.policy} "
        "(insecure-allow-unsigned) lets anybody who may write to its registry run code in this kernel"
    )
