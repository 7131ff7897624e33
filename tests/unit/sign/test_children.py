"""Images of an index that are believed for themselves, and signatures in a repository of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import Error, NotFound, RegistryError, VerificationError
from bpfimg.oci import Descriptor, Index, Memory, Platform
from bpfimg.sign import Policy, verify
from bpfimg.sign._policy._rules import Authority, Rule
from tests.support.targets import image, index
from tests.unit.sign.craft import (
    REPOSITORY,
    bundle,
    key,
    place,
    policy,
    pushed,
    put_bundle,
    put_legacy,
    reference,
    signed_layer,
    statement,
    trusting,
)
from tests.unit.sign.test_verify import Faulty

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpfimg.oci import Repository, Source

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
ONE = image("one").descriptor
TWO = image("two", "arm64").descriptor


@pytest.fixture
def target() -> Memory:
    return place()


@pytest.fixture
def top(target: Memory) -> Descriptor:
    one, two = image("one"), image("two", "arm64")
    one.push(target)
    two.push(target)
    made = index(one, two)
    target.push(made.descriptor, made.raw, tag="v1")
    return made.descriptor


def sign(target: Memory, of: Descriptor, by: str = "alice") -> None:
    put_legacy(target, of.digest, signed_layer(of.digest, by))


def test_the_child_for_the_platform_is_believed_for_itself(target: Memory, top: Descriptor) -> None:
    sign(target, ONE)
    proof = verify(target, reference(), top, trusting(), platform=AMD64)
    assert proof.descriptor.digest == ONE.digest
    for platform in (None, ARM64, Platform("linux", "s390x")):
        with pytest.raises(VerificationError, match="is not signed"):
            verify(target, reference(), top, trusting(), platform=platform)


def test_a_signed_index_is_believed_as_a_whole(target: Memory, top: Descriptor) -> None:
    sign(target, top)
    sign(target, ONE)
    assert verify(target, reference(), top, trusting(), platform=AMD64).descriptor == top


def test_signers_of_index_and_child_together(target: Memory, top: Descriptor) -> None:
    two = trusting("alice", "bob", threshold=2)
    sign(target, top)
    sign(target, ONE, "bob")
    assert verify(target, reference(), top, two, platform=AMD64).descriptor.digest == ONE.digest
    with pytest.raises(VerificationError, match="too few"):
        verify(target, reference(), top, two, platform=ARM64)


def test_the_digest_that_was_asked_for_is_that_of_the_index(target: Memory, top: Descriptor) -> None:
    sign(target, ONE)
    asked = reference().with_digest(top.digest)
    assert verify(target, asked, top, trusting(), platform=AMD64).descriptor.digest == ONE.digest


def test_a_child_that_is_an_index_is_not_chosen(target: Memory, top: Descriptor) -> None:
    inner = Descriptor(top.media_type, top.digest, top.size, platform=AMD64)
    outer = Index.build([inner])
    target.push(outer.descriptor, outer.raw)
    sign(target, top)
    with pytest.raises(VerificationError, match="is not signed"):
        verify(target, reference(), outer.descriptor, trusting(), platform=AMD64)


def test_a_denied_child_is_refused_although_signed(target: Memory, top: Descriptor) -> None:
    sign(target, ONE)
    denying = policy([{"scope": REPOSITORY, "requireAny": ["alice"]}], denyDigests=[str(ONE.digest)])
    with pytest.raises(VerificationError, match="denyDigests"):
        verify(target, reference(), top, denying, platform=AMD64)
    denying = policy([{"scope": REPOSITORY, "requireAny": ["alice"]}], denyDigests=[str(TWO.digest)])
    with pytest.raises(VerificationError, match="denyDigests"):
        verify(target, reference(), top, denying, platform=AMD64)


# -- a repository for signatures ---------------------------------------------------------------------------------------

SIGNATURES = "registry.example/team/signatures"
DOWN = RegistryError("the registry is down", status=503, hint="wait")


def apart(**fields: object) -> Policy:
    alice = Authority("alice", (key().public,))
    return Policy(
        "policy.json", "sha256:x", (), Rule(None, "verify", (alice,), signature_repository=SIGNATURES, **fields)
    )


def there(source: Source | Error) -> Callable[[Repository], Source]:
    def asked(repository: Repository) -> Source:
        assert str(repository) == SIGNATURES
        if isinstance(source, Error):
            raise source
        return source

    return asked


@pytest.fixture
def single(target: Memory) -> Descriptor:
    return pushed(target)


@pytest.mark.parametrize("form", ["legacy", "bundle"])
def test_signatures_may_be_elsewhere(target: Memory, single: Descriptor, form: str) -> None:
    other = place(SIGNATURES)
    if form == "legacy":
        sign(other, single)
    else:
        put_bundle(other, single, bundle(statement(single.digest, REPOSITORY)))
    proof = verify(target, reference(), single, apart(), elsewhere=there(other))
    assert proof.signers[0].format == form
    with pytest.raises(VerificationError) as caught:
        verify(target, reference(), single, apart())
    assert "its signatures could not be read" in str(caught.value)
    assert f"nothing from {SIGNATURES}" in str(caught.value)
    with pytest.raises(VerificationError, match="is not signed"):
        verify(target, reference(), single, trusting(), elsewhere=there(other))  # a rule without it


def test_a_signature_elsewhere_is_for_the_images_repository(target: Memory, single: Descriptor) -> None:
    other = place(SIGNATURES)
    put_legacy(other, single.digest, signed_layer(single.digest, name=SIGNATURES))
    with pytest.raises(VerificationError) as caught:
        verify(target, reference(), single, apart(), elsewhere=there(other))
    assert "for another repository" in caught.value.reasons[0]


def test_signatures_beside_the_image_still_count(target: Memory, single: Descriptor) -> None:
    sign(target, single)
    assert verify(target, reference(), single, apart(), elsewhere=there(DOWN))
    assert verify(target, reference(), single, apart())


@pytest.mark.parametrize("error", [DOWN, NotFound("no such repository"), RegistryError("who are you", status=401)])
def test_an_error_elsewhere_is_never_unsigned(target: Memory, single: Descriptor, error: Error) -> None:
    for source in (error, Faulty(place(SIGNATURES), referrers=error)):
        with pytest.raises(VerificationError) as caught:
            verify(target, reference(), single, apart(), elsewhere=there(source))
        assert f"its signatures could not be read ({error})" in str(caught.value)


def test_children_are_looked_for_elsewhere_too(target: Memory, top: Descriptor) -> None:
    other = place(SIGNATURES)
    sign(other, ONE)
    proof = verify(target, reference(), top, apart(), elsewhere=there(other), platform=AMD64)
    assert proof.descriptor.digest == ONE.digest
