"""A `VerifiedImage` is had from `verify` and in no other way."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import sys
from typing import Any

import pytest

from bpfimg._value import replace
from bpfimg.sign import VerifiedImage, verify
from tests.unit.sign.craft import place, pushed, put_legacy, reference, signed_layer, trusting


@pytest.fixture
def proof() -> VerifiedImage:
    target = place()
    found = pushed(target)
    put_legacy(target, found.digest, signed_layer(found.digest))
    return verify(target, reference(), found, trusting())


def fields(proof: VerifiedImage) -> dict[str, Any]:
    return {name: getattr(proof, name) for name in VerifiedImage.__slots__}


def test_it_is_not_constructed(proof: VerifiedImage) -> None:
    for value in (None, object(), True, "proof"):
        with pytest.raises(TypeError, match=r"comes from sign\.verify"):
            VerifiedImage(value, **fields(proof))
    with pytest.raises(TypeError):
        VerifiedImage(**fields(proof))  # type: ignore[call-arg]


def test_it_is_not_copied_into_another(proof: VerifiedImage) -> None:
    with pytest.raises((TypeError, ValueError)):
        dataclasses.replace(proof, rule="other")
    with pytest.raises(TypeError):
        replace(proof, rule="other")  # type: ignore[type-var]
    for function in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be copied"):
            function(proof)
    if sys.version_info >= (3, 13):
        with pytest.raises((TypeError, ValueError)):
            copy.replace(proof, rule="other")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_is_not_pickled(proof: VerifiedImage, protocol: int) -> None:
    with pytest.raises(TypeError, match="cannot be copied or pickled"):
        pickle.dumps(proof, protocol)


def test_a_forged_pickle_has_no_class_to_restore(proof: VerifiedImage) -> None:
    """A pickle that calls the class, or makes an empty object and sets its state, by hand."""
    name = b"cbpfimg.sign._verified\nVerifiedImage\n"
    with pytest.raises(TypeError):
        pickle.loads(name + b"(tR.")
    empty = pickle.loads(b"\x80\x02" + name + b")\x81.")
    with pytest.raises(AttributeError):
        empty.descriptor  # noqa: B018


def test_it_is_not_subclassed() -> None:
    with pytest.raises(TypeError, match="no subclasses"):
        type("Forged", (VerifiedImage,), {})


def test_it_is_not_changed(proof: VerifiedImage) -> None:
    for name, value in fields(proof).items():
        with pytest.raises(AttributeError):
            setattr(proof, name, value)
    with pytest.raises((AttributeError, TypeError)):
        proof.more = 1  # type: ignore[attr-defined]
