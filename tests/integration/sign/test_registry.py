"""Signing and verifying through a real registry: what stands in memory tests, over HTTP and with real faults."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from bpfimg import sign
from bpfimg.errors import DigestMismatch, RegistryError, VerificationError
from bpfimg.oci import Layout, Manifest, Reference, Registry, Repository, copy, places
from bpfimg.sign import Policy, verify
from tests.support.registry import registry
from tests.support.targets import image, index
from tests.unit.sign.craft import key

if TYPE_CHECKING:
    from pathlib import Path

    from bpfimg.oci import Descriptor, Target
    from tests.support.registry import Server


def place(server: Server, path: str) -> Registry:
    return Registry(Repository.parse(f"{server.host}/{path}"), places.RegistryOptions(waits=()))


def put_index(target: Target) -> Descriptor:
    one, two = image("one"), image("two", "arm64")
    one.push(target, "one")
    two.push(target)
    top = index(one, two)
    target.push(top.descriptor, top.raw, tag="v1")
    return top.descriptor


def by(name: str = "alice") -> Policy:
    return Policy.for_key(key(name).public, f"--key {name}.pub")


def formats(source: Target, descriptor: Descriptor, policy: Policy) -> list[str]:
    reference = Reference.parse(f"{source.repository}:v1")
    return [one.format for one in verify(source, reference, descriptor, policy, thorough=True).signers]


def test_an_index_is_signed_and_believed_with_its_images(server: Server) -> None:
    target = place(server, "team/app")
    top = put_index(target)
    assert [one.new for one in sign.image(target, top, key())] == [True] * 6
    assert [one.new for one in sign.image(target, top, key())] == [False] * 6
    for descriptor in (top, image("one").descriptor, image("two", "arm64").descriptor):
        assert formats(place(server, "team/app"), descriptor, by()) == ["legacy", "bundle"]
        with pytest.raises(VerificationError):
            formats(target, descriptor, by("mallory"))


def test_two_signers_one_after_the_other(server: Server) -> None:
    target = place(server, "team/two")
    found = image("one").push(target, "v1")
    for name in ("alice", "bob"):
        sign.image(target, found, key(name))
    assert formats(target, found, by("alice")) == formats(target, found, by("bob")) == ["legacy", "bundle"]


def test_many_signers_at_once_in_a_store(tmp_path: Path) -> None:
    """The store has a lock: nobody's signature is lost, in either format."""
    repository = Repository.parse("registry.example/team/app")
    found = image("one").push(Layout(str(tmp_path / "store"), repository), "v1")
    names = [f"signer-{number}" for number in range(8)]
    with ThreadPoolExecutor(len(names)) as pool:
        jobs = [
            pool.submit(sign.image, Layout(str(tmp_path / "store"), repository), found, key(name)) for name in names
        ]
        assert all(one.new for job in jobs for one in job.result())
    store = Layout(str(tmp_path / "store"), repository)
    for name in names:
        assert formats(store, found, by(name)) == ["legacy", "bundle"]


def test_signatures_travel_with_the_image(server: Server, tmp_path: Path) -> None:
    target = place(server, "team/travel")
    top = put_index(target)
    sign.image(target, top, key())
    store = Layout(str(tmp_path / "store"), target.repository)
    assert copy(target, "v1", store, "v1") == top
    assert formats(store, top, by()) == ["legacy", "bundle"]
    assert formats(store, image("one").descriptor, by()) == ["legacy", "bundle"]


def test_a_copy_under_another_name_is_not_believed_as_that(server: Server) -> None:
    target, other = place(server, "team/here"), place(server, "team/there")
    found = image("one").push(target, "v1")
    sign.image(target, found, key())
    copy(target, "v1", other, "v1")
    with pytest.raises(VerificationError) as caught:
        formats(other, found, by())
    assert all("another repository" in reason for reason in caught.value.reasons)


def test_a_registry_that_is_gone_is_no_unsigned_image(tmp_path: Path) -> None:
    with registry(tmp_path) as server:
        target = place(server, "team/gone")
        found = image("one").push(target, "v1")
        sign.image(target, found, key())
    with pytest.raises(VerificationError, match="could not be read") as caught:
        formats(target, found, by())
    assert isinstance(caught.value.__cause__, RegistryError)


@pytest.mark.parametrize("what", ["payload", "bundle"])
def test_a_flipped_byte_in_the_registrys_storage(server: Server, what: str) -> None:
    target = place(server, f"team/flipped-{what}")
    found = image(f"flipped {what}").push(target, "v1")
    (signed,) = sign.image(target, found, key(), formats=["legacy" if what == "payload" else "bundle"])
    layer = Manifest.parse(target.fetch(signed.where)).layers[0]
    blob = server.blob(layer.digest)
    data = bytearray(blob.read_bytes())
    data[40] ^= 1
    blob.write_bytes(data)
    fresh = place(server, f"team/flipped-{what}")
    with pytest.raises(VerificationError, match="could not be read") as caught:
        formats(fresh, found, by())
    assert isinstance(caught.value.__cause__, DigestMismatch)
