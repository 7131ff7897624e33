"""Addresses that a server gives: those that are none are one sentence, and secrets in others stay out of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import RegistryError
from bpfimg.oci import Descriptor, Registry, Repository
from tests.support.faulty.goods import NAME, TAG, plain
from tests.support.faulty.scene import OPTIONS
from tests.support.faulty.ways import says, to
from tests.support.targets import LAYER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.fake_registry import FakeRegistry

PLACES = (
    "127.0.0.1:", "[::1]:", "[::1]evil", "[::1", "[zz]", "a b", "a\x00b", "a\x7fb", "%00", "..", ".", "*", "xn--\x80",
    "\x80\x81", "127.0.0.1:99999", "127.0.0.1:-1", "127.0.0.1:1:1", "1.2.3.4\\", "[v1.x]",
)  # fmt: skip
CONTENT = b"to be pushed"
SIGNED = "X-Amz-Signature=0123456789abcdef"


@pytest.fixture
def place(fake: FakeRegistry) -> Iterator[Registry]:
    plain().put_into(fake)
    with Registry(Repository(fake.host, NAME), OPTIONS) as opened:
        yield opened


@pytest.mark.parametrize("where", PLACES)
def test_a_host_that_is_none(where: str, fake: FakeRegistry, place: Registry) -> None:
    fake.fail("GET manifests", to(f"http://{where}/x"), 10)
    with pytest.raises(RegistryError):
        place.resolve(TAG)
    fake.fail("POST", says(Location=f"http://{where}/x"), 10)
    with pytest.raises(RegistryError):
        place.push(Descriptor.of(CONTENT, LAYER), CONTENT)
    fake.challenge, fake.authorization = f'Bearer realm="http://{where}/x"', "Bearer never"
    with pytest.raises(RegistryError):
        place.tags()


def test_signed_addresses_stay_out_of_messages(fake: FakeRegistry, place: Registry) -> None:
    fake.fail("GET manifests", to(f"{fake.elsewhere}/a?{SIGNED}"))
    fake.fail("GET /a", to(f"ftp://me:swordfish@bucket.example/x?{SIGNED}"))
    with pytest.raises(RegistryError, match=r"bucket\.example/x") as caught:
        place.resolve(TAG)
    assert "Amz" not in str(caught.value)
    assert "swordfish" not in str(caught.value)


def test_signed_pages_stay_out_of_messages(fake: FakeRegistry, place: Registry) -> None:
    fake.fail("tags", says(Link=f'<http://me:swordfish@pages.example/x?{SIGNED}>; rel="next"'))
    with pytest.raises(RegistryError, match=r"pages\.example/x") as caught:
        place.tags()
    assert "Amz" not in str(caught.value)
    assert "swordfish" not in str(caught.value)
