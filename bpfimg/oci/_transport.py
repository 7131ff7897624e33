"""The word before a reference that says where an image is: `oci:DIR`, `store:NAME`, `registry:NAME`."""

from __future__ import annotations

from bpfimg.errors import UsageError

SUPPORTED = ("registry", "store", "oci")
_PLANNED = ("oci-archive", "docker-archive", "docker-daemon")


def split_transport(text: str) -> tuple[str, str]:
    """Returns the transport word and the rest of `[TRANSPORT:]NAME`; without one it is "" and the caller decides.

    `oci:v1` could also be the tag v1 of a Docker Hub image called `oci`: it is the transport, as for skopeo.
    UsageError for `docker://` and other transports that are not supported.
    """
    word, colon, rest = text.partition(":")
    if not colon:
        return "", text
    if word in SUPPORTED:
        if not rest:
            raise UsageError(f"nothing follows {word}: in the reference, expected {word}:NAME")
        return word, rest
    if word in _PLANNED or rest.startswith("//"):
        raise UsageError(
            f"the transport {word}: is not supported, expected one of {', '.join(f'{name}:' for name in SUPPORTED)}",
            hint="copy the image into a layout with another tool and name that as oci:DIR:TAG",
        )
    return "", text
