"""What stands beside a key's signature: required, checked where it is there, or ignored; and how old it may be."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg._value import replace
from bpfimg.errors import VerificationError
from bpfimg.sign import Policy, verify
from bpfimg.sign._policy._rules import Authority, Root, Rule
from tests.support.sigstack import Tsa, World
from tests.unit.sign.craft import (
    REPOSITORY,
    SIG,
    key,
    payload,
    place,
    pushed,
    put_bundle,
    put_legacy,
    reference,
    statement,
)

if TYPE_CHECKING:
    from bpfimg.oci import Descriptor, Memory
    from bpfimg.sign import Believed

AT = 1_750_000_000
WORLD = World("evidence")
OTHER = World("other")
RAW = WORLD.trusted_root()
ROOT = Root("corp", "root.json", f"sha256:{hashlib.sha256(RAW).hexdigest()}", RAW)
NONE = {"rekor": None, "tsa": False}


def policy(rule: dict[str, Any] | None = None, **authority: Any) -> Policy:
    alice = Authority("alice", (key().public,), **{"root": ROOT, **authority})
    return Policy("policy.json", "sha256:x", (), Rule(None, "verify", (alice,), **(rule or {})))


@pytest.fixture
def target() -> Memory:
    return place()


@pytest.fixture
def image(target: Memory) -> Descriptor:
    return pushed(target)


def put(target: Memory, image: Descriptor, form: str = "bundle", *, world: World = WORLD, **how: Any) -> None:
    how = {"at": AT, "key": key(), **how}
    if form == "legacy":
        data = payload(image.digest)
        put_legacy(target, image.digest, (data, world.legacy(data, **how), SIG))
    else:
        put_bundle(target, image, world.bundle(statement(image.digest, REPOSITORY), **how))


def refused(target: Memory, image: Descriptor, by: Policy, **options: Any) -> str:
    with pytest.raises(VerificationError) as caught:
        verify(target, reference(), image, by, **options)
    (reason,) = caught.value.reasons
    return reason


def signer(target: Memory, image: Descriptor, by: Policy, **options: Any) -> Believed:
    (found,) = verify(target, reference(), image, by, thorough=True, **options).signers
    return found


ENTRY = "transparency log entry"
STAMP = "timestamp"
ROWS: list[tuple[str, str, dict[str, Any], str]] = [
    # tlog, timestamp of the authority; what is there; "" or why not
    ("require", "ignore", {"rekor": 1, "tsa": False}, ""),
    ("require", "ignore", {"rekor": 2, "tsa": False}, ""),
    ("require", "ignore", {"rekor": 1, "tsa": Tsa("other")}, ""),
    ("require", "ignore", NONE, f"it lacks a {ENTRY}"),
    ("require", "ignore", {"rekor": OTHER.rekors[1], "tsa": False}, f"it has not a {ENTRY} that verifies"),
    ("require", "ignore", {"rekor": 1, "about": b"{}"}, f"it has not a {ENTRY} that verifies"),
    ("ignore", "require", {"rekor": None, "tsa": True}, ""),
    ("ignore", "require", {"rekor": OTHER.rekors[1], "tsa": True}, ""),
    ("ignore", "require", NONE, f"it lacks a {STAMP}"),
    ("ignore", "require", {"rekor": 1, "tsa": False}, f"it lacks a {STAMP}"),
    ("ignore", "require", {"rekor": None, "tsa": Tsa("other")}, f"it has not a {STAMP} that verifies"),
    ("ignore", "require", {"rekor": None, "stamped": b"x"}, f"it has not a {STAMP} that verifies"),
    ("if-present", "if-present", NONE, ""),
    ("if-present", "if-present", {"rekor": 1, "tsa": True}, ""),
    ("if-present", "if-present", {"rekor": OTHER.rekors[1], "tsa": True}, f"it has not a {ENTRY} that verifies"),
    ("if-present", "if-present", {"rekor": 1, "tsa": Tsa("other")}, f"it has not a {STAMP} that verifies"),
    ("if-present", "ignore", {"rekor": 1, "tsa": Tsa("other")}, ""),
    ("ignore", "ignore", {"rekor": OTHER.rekors[1], "tsa": Tsa("other")}, ""),
    ("require", "require", {"rekor": 2, "tsa": True}, ""),
    ("require", "require", {"rekor": (OTHER.rekors[2], 2), "tsa": (Tsa("other"), True)}, ""),  # one good one is enough
]


@pytest.mark.parametrize("row", ROWS)
def test_evidence(target: Memory, image: Descriptor, row: tuple[str, str, dict[str, Any], str]) -> None:
    tlog, timestamp, how, why = row
    put(target, image, **how)
    by = policy(tlog=tlog, timestamp=timestamp)
    if why:
        reason = refused(target, image, by)
        assert "is signed by alice, but " in reason
        assert why in reason
        put(target, image, rekor=2, tsa=True)  # a good one beside it
    found = signer(target, image, by)
    assert bool(found.logs) is (tlog != "ignore" and bool(why or how.get("rekor", 1)))
    assert bool(found.stamps) is (timestamp != "ignore" and bool(why or how.get("tsa", True)))


@pytest.mark.parametrize("form", ["bundle", "legacy"])
def test_it_says_when_and_who_saw_it(target: Memory, image: Descriptor, form: str) -> None:
    put(target, image, form, stamped_at=AT - 60)
    found = signer(target, image, policy())
    assert (found.signed_at, found.times, found.format) == (AT - 60, (AT - 60, AT), form)
    assert found.logs[0].startswith("http://127.0.0.1/rekor1 entry ")
    assert found.stamps == ("http://127.0.0.1/tsa",)
    assert found.fingerprint == key().public.fingerprint


def test_without_a_root_what_is_there_refuses_unless_ignored(target: Memory, image: Descriptor) -> None:
    put(target, image)
    assert '"tlog": "ignore"' in refused(target, image, policy(root=None))
    assert '"timestamp": "ignore"' in refused(target, image, policy(root=None, tlog="ignore"))
    assert signer(target, image, policy(root=None, tlog="ignore", timestamp="ignore")).signed_at == 0


@pytest.mark.parametrize("field", ["tlog", "timestamp"])
def test_a_demand_without_a_root_is_never_met(target: Memory, image: Descriptor, field: str) -> None:
    put(target, image, rekor=None, tsa=False)
    by = policy(root=None, tlog="ignore", timestamp="ignore")
    alice = replace(by.default.authorities[0], **{field: "require"})
    assert "it lacks a t" in refused(target, image, replace(by, default=replace(by.default, authorities=(alice,))))


@pytest.mark.parametrize(
    ("bounds", "why"),
    [
        ({"not_before": AT, "not_after": AT}, ""),
        ({"not_before": AT + 1}, "was signed at 2025-06-15T15:06:40Z, expected not before 2025-06-15T15:06:41Z"),
        ({"not_after": AT - 1}, "was signed at 2025-06-15T15:06:40Z, expected not after 2025-06-15T15:06:39Z"),
        ({"not_before": AT - 10, "tlog": "ignore", "timestamp": "ignore"}, "nobody verified says when"),
        ({"not_after": AT + 10, "tlog": "ignore", "timestamp": "ignore"}, "nobody verified says when"),
    ],
)
def test_a_key_is_believed_for_a_time(target: Memory, image: Descriptor, bounds: dict[str, Any], why: str) -> None:
    put(target, image)
    if why:
        assert why in refused(target, image, policy(**bounds))
    else:
        assert signer(target, image, policy(**bounds)).signed_at == AT


def test_the_earliest_verified_time_counts(target: Memory, image: Descriptor) -> None:
    """A key that was stolen later signs nothing older; what was signed before stays good when it is stamped again."""
    put(target, image, logged_at=AT + 1000, stamped_at=AT)
    assert signer(target, image, policy(not_after=AT)).signed_at == AT
    put(other := place(), pushed(other), logged_at=AT + 1000, stamped_at=AT + 1001)
    assert "expected not after" in refused(other, image, policy(not_after=AT))


@pytest.mark.parametrize("how", [{"rekor": 2, "tsa": False}, NONE])
def test_without_verified_time_a_window_refuses(target: Memory, image: Descriptor, how: dict[str, Any]) -> None:
    put(target, image, **how)
    assert "nobody verified says when" in refused(target, image, policy(not_before=0))
    assert "nobody verified says when" in refused(target, image, policy({"max_age": 60}), now=AT)


def test_a_signature_grows_too_old(target: Memory, image: Descriptor) -> None:
    put(target, image)
    by = policy({"max_age": 3600})
    assert signer(target, image, by, now=AT + 3600)
    reason = refused(target, image, by, now=AT + 3601)
    assert "expected not before 2025-06-15T15:06:41Z (maxSignatureAge)" in reason
    assert "maxSignatureAge" in refused(target, image, by)  # by the clock
    put(target, image, at=AT + 3000)
    assert signer(target, image, by, now=AT + 3601).signed_at == AT + 3000


def test_a_later_time_beside_it_makes_no_signature_young(target: Memory, image: Descriptor) -> None:
    put(target, image, rekor=1, logged_at=AT + 3000)
    reason = refused(target, image, policy({"max_age": 3600}), now=AT + 3601)
    assert "was signed at 2025-06-15T15:06:40Z" in reason


def test_all_that_must_sign_must_be_young(target: Memory, image: Descriptor) -> None:
    both = tuple(Authority(name, (key(name).public,), ROOT) for name in ("alice", "bob"))
    by = Policy("policy.json", "sha256:x", (), Rule(None, "verify", both, threshold=2, max_age=3600))
    put(target, image)
    put(target, image, key=key("bob"), at=AT + 1000)
    assert verify(target, reference(), image, by, now=AT + 3600)
    with pytest.raises(VerificationError, match="too few"):
        verify(target, reference(), image, by, now=AT + 4000)
