"""An object file on this machine as an image in memory, where the policy allows that."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci import Descriptor, Digest, Memory, Reference
    from bpfimg.sign import Policy, VerifiedImage


def local_file(path: str, data: bytes, policy: Policy) -> tuple[Memory, VerifiedImage]:
    """Returns the object file `data`, read from `path`, as a source with an image, and the proof that `policy` lets
    unsigned local files be used: `unsafe` is true in it, and in the record of what is loaded with it.

    The image is that of `bpfimg build`, so `denyDigests` that name its digest count, as do those that name the file's.
    Raises `VerificationError`, and for an allowed file that is no object `BytecodeError` or `ImageError`.
    """
    from bpfimg import build, sign
    from bpfimg.oci import Digest, Memory, Reference, Repository

    repository = Repository("localhost", _name(path))
    place = Memory(repository)

    def packed() -> tuple[Reference, Descriptor, tuple[Digest, ...]]:
        found = build.image(data, file_name=build.object_name(path)).pack()
        for descriptor, content in found.blobs:
            place.push(descriptor, content)
        top = found.manifest.descriptor
        place.push(top, found.manifest.raw)
        return Reference(repository, None, top.digest), top, tuple(descriptor.digest for descriptor, _ in found.blobs)

    return place, sign.local_file(policy, path, Digest.of(data), packed)


def _name(path: str) -> str:
    """The file's name as that of a repository: `My.bpf.o` is `my`."""
    stem = path.rpartition("/")[2].lower().removesuffix(".o").removesuffix(".bpf")
    plain = re.sub(r"[^a-z0-9]+", lambda found: found[0] if found[0] in ("-", "_", ".") else "_", stem)
    return plain.strip("-_.")[:96].strip("-_.") or "object"
