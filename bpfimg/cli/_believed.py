"""From a reference to an image that is believed: fetched into the local store, or where a transport says it is."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.cli._asked import Asked
    from bpfimg.cli._options import Options
    from bpfimg.cli._places import Found
    from bpfimg.oci import Target
    from bpfimg.sign import VerifiedImage

__all__ = ["believed", "wanted_image"]


def wanted_image(options: Options, text: str, pull: str | None, usual: str, *, lenient: bool = False) -> Found:
    """The image by the pull policy; raises UsageError for a policy beside a transport, which says where to look."""
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
    else:
        found = fetched(options, text, pull=pull_policy(pull, usual), lenient=lenient)
    note(options, f"{found.name} is {found.descriptor.digest}")
    return found


def believed(text: str, wanted: Asked, options: Options) -> tuple[Target, VerifiedImage]:
    """Fetches by the pull policy, then verifies; raises `VerificationError` where the trust policy says no.

    The policy is read first: who has none is told so before anything goes over the network.
    """
    from bpfimg import sign
    from bpfimg.cli._trust import policy
    from bpfimg.errors import UsageError, VerificationError

    if text.endswith(".o"):
        hint = "build an image: bpfimg build -t NAME FILE, then sign it"
        raise UsageError(f"{text!r} looks like an object file, expected the name of an image", hint=hint)
    trust = policy(options, wanted.key)
    found = wanted_image(options, text, wanted.pull_given, wanted.pull)
    try:
        return found.place, sign.verify(found.place, found.reference, found.descriptor, trust)
    except VerificationError as error:
        if found.name == str(found.reference) and wanted.pull in ("missing", "never") and not error.hint:
            error.hint = (
                "the image in the local store was used; --pull always looks for newer signatures in the registry"
            )
        raise
