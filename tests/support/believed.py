"""Signed images in memory, and the proof that they are believed."""

from __future__ import annotations

import functools

from bpfimg.image import BytecodeImage, Labels
from bpfimg.oci import Memory, Platform, Reference
from bpfimg.sign import Policy, PrivateKey, VerifiedImage, signers, verify
from bpfimg.sign import image as sign_image


@functools.cache
def key() -> PrivateKey:
    """One key for the whole test run."""
    return PrivateKey.load(signers.generate_key(b"")[0], b"")


def image(data: bytes, name: str = "registry.example/team/counter:v1") -> tuple[Memory, VerifiedImage]:
    """`data` (an object file) as an image for this machine, signed by `key()`, with the proof of it."""
    made = BytecodeImage(bytecode=data, labels=Labels({}, {}), platform=Platform.host(), file_name="object.o")
    made = BytecodeImage(data, Labels.of(made.object), made.platform, made.file_name)
    reference = Reference.parse(name)
    store = Memory(reference.repository)
    packed = made.pack()
    for descriptor, content in packed.blobs:
        store.push(descriptor, content)
    descriptor = packed.manifest.descriptor
    store.push(descriptor, packed.manifest.raw, tag=reference.tag)
    sign_image(store, descriptor, key())
    policy = Policy.for_key(key().public, "--key test.pub")
    return store, verify(store, reference, descriptor, policy)
