"""From a reference to an image that is in the local store and believed."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.cli._asked import Asked
    from bpfimg.cli._options import Options
    from bpfimg.oci import Layout
    from bpfimg.sign import VerifiedImage

__all__ = ["believed"]


def believed(text: str, wanted: Asked, options: Options) -> tuple[Layout, VerifiedImage]:
    """Fetches by the pull policy, then verifies; raises `VerificationError` where the trust policy says no.

    The policy is read first: who has none is told so before anything goes over the network.
    """
    from bpfimg import run, sign
    from bpfimg.cli._parser import note, warn
    from bpfimg.cli._places import registry, store
    from bpfimg.cli._trust import policy
    from bpfimg.errors import UsageError, VerificationError
    from bpfimg.oci import Reference

    if text.endswith(".o"):
        hint = "build an image: bpfimg build -t NAME FILE, then sign it"
        raise UsageError(f"{text!r} looks like an object file, expected the name of an image", hint=hint)
    reference = Reference.parse(text)
    trust = policy(options, wanted.key)
    local = store(options, reference.repository)
    descriptor = run.fetch(
        local, lambda: registry(options, reference.repository), reference, pull=wanted.pull, warn=warn
    )
    note(options, f"{reference} is {descriptor.digest}")
    try:
        return local, sign.verify(local, reference, descriptor, trust)
    except VerificationError as error:
        if wanted.pull in ("missing", "never") and not error.hint:
            error.hint = (
                "the image in the local store was used; --pull always looks for newer signatures in the registry"
            )
        raise
