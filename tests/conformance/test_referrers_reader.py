"""What the reader believes of what is beside an image, against section 14 of the spec: a test for each rule."""

from __future__ import annotations

import pytest

from bpfimg import build, sign
from bpfimg._value import replace
from bpfimg.build._referrer import SPDX, Document, attach, referrers
from bpfimg.errors import VerificationError
from bpfimg.oci import Digest, Manifest, Memory, Reference
from bpfimg.sign import Policy
from tests.support.strangers import AMD64, OBJECT, repository

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.oci import Descriptor

REFERENCE = Reference(repository(), tag="v1")


class Liar(Memory):
    """A registry that lists what it was told to, whatever that is about."""

    listed: tuple[Descriptor, ...] = ()

    def referrers(self, digest: Digest) -> tuple[Descriptor, ...]:
        return self.listed


def test_bi_58_a_referrer_is_opened_and_has_to_name_the_image() -> None:
    key = sign.PrivateKey.load(sign.signers.generate_key(b"")[0], b"")
    memory = Liar(repository())
    one, other = (build.image(OBJECT, file_name=name, platform=AMD64) for name in ("a.o", "b.o"))
    mine, theirs = build.store([one], memory, "v1"), build.store([other], memory, "v2")
    for top in (mine, theirs):
        sign.image(memory, top, key, formats=("bundle",))
    (good,), (bad,) = Memory.referrers(memory, mine.digest), Memory.referrers(memory, theirs.digest)
    policy = Policy.for_key(key.public, "a key")

    memory.listed = (replace(good, artifact_type="text/plain", annotations={"any": "thing"}),)
    assert sign.verify(memory, REFERENCE, mine, policy).descriptor.digest == mine.digest

    memory.listed = (bad,)
    with pytest.raises(VerificationError) as caught:
        sign.verify(memory, REFERENCE, mine, policy)
    assert "is about another image" in "\n".join(map(str, (caught.value, *caught.value.reasons)))

    manifest = Manifest.parse(memory.fetch(good))
    bare = Manifest.build(config=manifest.config, layers=manifest.layers, artifact_type=manifest.artifact_type)
    memory.push(bare.descriptor, bare.raw)
    memory.listed = (bare.descriptor,)
    with pytest.raises(VerificationError):
        sign.verify(memory, REFERENCE, mine, policy)


def test_bi_58_documents_too() -> None:
    memory = Liar(repository())
    one, other = (build.image(OBJECT, file_name=name, platform=AMD64) for name in ("a.o", "b.o"))
    mine, theirs = build.store([one], memory, "v1"), build.store([other], memory, "v2")
    document = Document(SPDX, "sbom.json", b"{}", "1970-01-01T00:00:00Z")
    good, bad = (attach(memory, top, document) for top in (mine, theirs))
    about_itself = attach(memory, good, document)  # a chain of referrers is not followed
    memory.listed = (bad, replace(good, artifact_type="text/plain", annotations={"any": "thing"}), about_itself, mine)
    (found,) = referrers(memory, mine.digest)
    assert (found.descriptor.digest, found.artifact_type, found.subject) == (good.digest, SPDX, mine.digest)
    assert found.annotations != {"any": "thing"}
