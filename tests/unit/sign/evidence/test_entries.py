"""Log entries: of which kinds, about what, in which logs, and when."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
import rfc8785

from bpfimg._value import replace
from bpfimg.sign._evidence._certificate import Certificate
from bpfimg.sign._evidence._entry import Logged
from bpfimg.sign._evidence._root import TrustedRoot
from bpfimg.sign._evidence._witness import witness
from bpfimg.sign._formats._beside import in_annotations, in_bundle
from tests.support.sigstack import Rekor, Secret, World
from tests.support.sigstack._documents import log
from tests.unit.sign.evidence import scene
from tests.unit.sign.evidence.scene import AT, STATEMENT, bundle, key_of, parsed, plain, root, root_with, seen, world

if TYPE_CHECKING:
    from collections.abc import Callable

    from bpfimg.sign._candidate import Candidate
    from bpfimg.sign._evidence._witness import Witnessed
    from bpfimg.sign._material import LogEntry

KEY = Secret.of("a team's key")
PUBLIC = key_of(KEY.pem)
PAYLOAD = b'{"critical":{}}'


def by_key(data: bytes, trusted: TrustedRoot | None = None) -> Witnessed:
    return witness(parsed(data), trusted or root(), PUBLIC)


def legacy(**how: Any) -> Candidate:
    """A `.sig` with what stands beside it."""
    annotations = world().legacy(PAYLOAD, **{"at": AT, **how})
    signature = base64.b64decode(annotations["dev.cosignproject.cosign/signature"])
    return plain(PAYLOAD, signature, in_annotations(annotations))


def why(found: Witnessed) -> str:
    assert found.logs == ()
    (reason,) = found.failed
    return reason


def with_entry(candidate: Candidate, change: Callable[[LogEntry], LogEntry]) -> Candidate:
    (entry,) = candidate.material.entries
    return replace(candidate, material=replace(candidate.material, entries=(change(entry),)))


def looked_at(candidate: Candidate, trusted: TrustedRoot | None = None, *, timestamp: bool = True) -> Witnessed:
    material = candidate.material
    signer = Certificate.parse(material.certificate) if material.certificate else PUBLIC
    return witness(candidate, trusted or root(), signer, timestamp=timestamp)


def with_body(
    candidate: Candidate, change: Callable[[dict[str, Any]], object], rekor: Rekor | None = None
) -> Candidate:
    """The candidate with its entry's body changed, and logged anew by the same honest log."""

    def logged(entry: LogEntry) -> LogEntry:
        body = json.loads(entry.body)
        change(body)
        by = rekor or world().rekors[2 if entry.version == "0.0.2" and entry.kind == "hashedrekord" else 1]
        made = by.add(rfc8785.dumps(body), at=AT, kind=entry.kind, version=entry.version)
        document = {"tlogEntries": [made.tlog()], "publicKey": {"hint": ""}}
        return in_bundle(document, chains=False).entries[0]

    return with_entry(candidate, logged)


# Which kinds


def test_an_entry_of_each_kind_by_a_certificate_is_believed() -> None:
    for how in ({"rekor": 1}, {"rekor": 2}, {"rekor": 1, "kind": "intoto"}):
        found = seen(bundle(**how))
        assert found.failed == ()
        (one,) = found.logs
        assert one.by == f"http://127.0.0.1/rekor{how['rekor']}"
        assert one.time == (AT if how["rekor"] == 1 else 0)


def test_an_entry_of_each_kind_by_a_key_is_believed() -> None:
    for how in ({"rekor": 1}, {"rekor": 2}, {"rekor": 1, "kind": "intoto"}):
        found = by_key(bundle(key=KEY, **how))
        assert found.failed == ()
        assert len(found.logs) == 1


@pytest.mark.parametrize("kind", ["ecdsa-p384", "ed25519"])
def test_keys_of_other_kinds_are_logged_as_well(kind: str) -> None:
    key = Secret.of("another", kind)
    for how in ({"rekor": 1}, {"rekor": 2}):
        found = witness(parsed(bundle(key=key, **how)), root(), key_of(key.pem))
        if kind == "ed25519" and how["rekor"] == 2:  # a log of hashes cannot have verified it
            assert "it is ed25519" in why(found)
        else:
            assert found.failed == ()
            assert len(found.logs) == 1


def test_the_entry_of_a_sig_layer_is_believed_by_its_promise() -> None:
    for how in ({}, {"key": KEY}):
        found = looked_at(legacy(**how))
        assert found.failed == ()
        assert [(one.by, one.time) for one in found.logs] == [("http://127.0.0.1/rekor1", AT)]


def test_an_intoto_1_entry_is_believed_where_it_has_the_hash_of_the_envelope_as_go_spells_it() -> None:
    from tests.support.sigstack._bodies import intoto_v1

    candidate = parsed(bundle(key=KEY, tsa=False))
    payload = base64.b64encode(STATEMENT).decode()
    signature = base64.b64encode(candidate.signature).decode()
    go = {
        "payloadType": "application/vnd.in-toto+json",
        "payload": payload,
        "signatures": [{"keyid": "", "sig": signature}],
    }
    for spelled, good in ((json.dumps(go, separators=(",", ":")), True), (json.dumps(go), False)):
        body = intoto_v1(spelled.encode(), STATEMENT, KEY.pem)
        made = world().rekors[1].add(body, at=AT, kind="intoto", version="0.0.1")
        found = looked_at(
            with_entry(
                candidate,
                lambda one, made=made: replace(
                    one, index=made.index, body=made.body, kind="", version="", promise=made.promise, proof=None
                ),
            )
        )
        assert bool(found.logs) is good, found.failed


# About what


@pytest.mark.parametrize("rekor", [1, 2])
@pytest.mark.parametrize("kind", ["dsse", "intoto"])
def test_an_entry_of_another_artifact_of_the_same_signer_is_not(rekor: int, kind: str) -> None:
    data = bundle(rekor=rekor, kind=kind, about=STATEMENT.replace(b"team/app", b"team/old"))
    assert why(seen(data)) in (
        "the log entry is about another payload",
        "the log entry is about another artifact",
    )


def test_an_entry_of_another_payload_under_a_sig_is_not() -> None:
    assert why(looked_at(legacy(about=b'{"critical":{"other":1}}'))) == "the log entry is about another artifact"


@pytest.mark.parametrize("rekor", [1, 2])
def test_an_entry_of_another_signer_is_not(rekor: int) -> None:
    data = json.loads(bundle(key=KEY, rekor=rekor))
    other = parsed(json.dumps(data).encode())
    found = witness(other, root(), key_of(Secret.of("a stranger").pem))
    assert why(found) == "the log entry is by another signer"


@pytest.mark.parametrize("rekor", [1, 2])
def test_an_entry_by_the_key_of_a_certificate_is_not_by_the_certificate(rekor: int) -> None:
    candidate = parsed(bundle(rekor=rekor))
    certificate = Certificate.parse(candidate.material.certificate)
    assert len(witness(candidate, root(), certificate).logs) == 1
    assert witness(candidate, root(), certificate.key).logs == ()


@pytest.mark.parametrize("rekor", [1, 2])
def test_an_entry_of_another_signature_of_the_same_thing_is_not(rekor: int) -> None:
    """ECDSA signs differently each time: the entry must be about this one."""
    one, other = (parsed(bundle(key=KEY, rekor=rekor)) for _ in range(2))
    mixed = replace(one, material=replace(one.material, entries=other.material.entries))
    assert why(looked_at(mixed)) == "the log entry is about another signature"


def test_an_entry_of_an_envelope_says_nothing_of_a_sig_and_the_other_way_round() -> None:
    inside, outside = parsed(bundle(key=KEY, tsa=False)), legacy(key=KEY, tsa=False)
    swapped = replace(outside, material=inside.material)
    assert "the signature is not in one" in why(looked_at(swapped))
    swapped = replace(inside, material=outside.material)
    assert "expected dsse/0.0.1" in why(looked_at(swapped))


def test_what_a_bundle_says_of_the_kind_must_be_so() -> None:
    def edit(document: dict[str, Any]) -> None:
        document["verificationMaterial"]["tlogEntries"][0]["kindVersion"] = {"kind": "dsse", "version": "0.0.2"}

    assert "is said to be 'dsse/0.0.2'" in why(seen(bundle(edit=edit)))


BODIES: tuple[tuple[dict[str, Any], str, Callable[[dict[str, Any]], object], str], ...] = (
    ({}, "an unknown kind", lambda b: b.update(kind="rekord"), "is said to be"),
    ({}, "an unknown version", lambda b: b.update(apiVersion="0.0.9"), "is said to be"),
    ({}, "a field more", lambda b: b.update(more=1), "unknown field"),
    ({}, "a field more inside", lambda b: b["spec"].update(more=1), "unknown field"),
    ({}, "no payload hash", lambda b: b["spec"].pop("payloadHash"), "lacks"),
    ({}, "a weak hash", lambda b: b["spec"]["payloadHash"].update(algorithm="sha1"), "expected SHA-2"),
    (
        {},
        "a hash in capitals",
        lambda b: b["spec"]["payloadHash"].update(value=b["spec"]["payloadHash"]["value"].upper()),
        "another payload",
    ),
    ({}, "two signatures", lambda b: b["spec"]["signatures"].append(b["spec"]["signatures"][0]), "2 signatures"),
    ({}, "no signature", lambda b: b["spec"]["signatures"].clear(), "0 signatures"),
    ({}, "signatures that are none", lambda b: b["spec"].update(signatures="x"), "a string signatures"),
    ({}, "no PEM", lambda b: b["spec"]["signatures"][0].update(verifier="YQ=="), "is not PEM"),
    ({}, "no base64", lambda b: b["spec"]["signatures"][0].update(signature="%"), "is not base64"),
    ({"rekor": 2}, "a weak hash of version 2", lambda b: v2(b)["data"].update(algorithm="SHA1"), "expected SHA-2"),
    ({"rekor": 2}, "another digest of version 2", lambda b: v2(b)["data"].update(digest="YQ=="), "another artifact"),
    (
        {"rekor": 2},
        "a wrong kind of key",
        lambda b: v2(b)["signature"]["verifier"].update(keyDetails="PKIX_ED25519"),
        "it is ecdsa-p256",
    ),
    ({"rekor": 2}, "no kind of key", lambda b: v2(b)["signature"]["verifier"].pop("keyDetails"), "lacks 'keyDetails'"),
    (
        {"rekor": 2},
        "key and certificate",
        lambda b: v2(b)["signature"]["verifier"].update(publicKey={"rawBytes": "YQ=="}),
        "unknown field",
    ),
    ({"rekor": 2}, "two specs", lambda b: b["spec"].update(dsseV002={}), "unknown field"),
    (
        {"kind": "intoto"},
        "another payload type",
        lambda b: b["spec"]["content"]["envelope"].update(payloadType="text/plain"),
        "of a payload of the type",
    ),
    (
        {"kind": "intoto"},
        "no signature",
        lambda b: b["spec"]["content"]["envelope"].update(signatures=[]),
        "0 signatures",
    ),
)


def v2(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = body["spec"]["hashedRekordV002"]
    return found


@pytest.mark.parametrize(("how", "name", "change", "reason"), BODIES, ids=[one[1] for one in BODIES])
def test_a_body_that_was_logged_but_is_not_as_it_should_be(
    how: dict[str, Any], name: str, change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    del name
    candidate = parsed(bundle(tsa=False, **how))
    assert len(looked_at(with_body(candidate, lambda _body: None)).logs) == 1
    assert reason in why(looked_at(with_body(candidate, change)))


def test_a_body_with_a_key_twice_is_not_read() -> None:
    candidate = parsed(bundle(tsa=False))
    (entry,) = candidate.material.entries
    twice = entry.body.replace(b'{"apiVersion"', b'{"kind":"dsse","apiVersion"', 1)
    assert "twice" in why(looked_at(with_entry(candidate, lambda one: replace(one, body=twice))))


def test_a_body_is_bounded() -> None:
    candidate = with_entry(parsed(bundle(tsa=False)), lambda one: replace(one, body=b" " * 131_073))
    assert "expected at most" in why(looked_at(candidate))


# In which logs


def test_a_log_that_the_root_does_not_name_does_not_count() -> None:
    for rekor in (1, 2):
        found = seen(bundle(rekor=Rekor(rekor, "a stranger's")))
        assert "a log that the trusted root does not name" in why(found)


def test_a_strangers_log_that_borrows_the_id_does_not_count() -> None:
    def edit(document: dict[str, Any]) -> None:
        for entry in document["verificationMaterial"]["tlogEntries"]:
            entry["logId"]["keyId"] = base64.b64encode(world().rekors[1].log_id).decode()

    assert why(seen(bundle(rekor=Rekor(1, "a stranger's"), edit=edit))).startswith("the log entry's promise is not")


def test_one_bad_entry_does_not_hide_a_good_one() -> None:
    found = seen(bundle(rekor=(Rekor(1, "a stranger's"), 1, 2)))
    assert [one.by for one in found.logs] == ["http://127.0.0.1/rekor1", "http://127.0.0.1/rekor2"]
    assert len(found.failed) == 1


def test_a_key_counts_while_it_was_in_use() -> None:
    for start, end, good in (
        (AT, AT, True),
        (AT - 9, None, True),
        (AT + 1, None, False),
        (AT - 9, AT - 1, False),
    ):
        window = {"start": rfc3339(start)} | ({"end": rfc3339(end)} if end else {})
        trusted = root_with(lambda document, window=window: set_windows(document, window))
        for rekor in (1, 2):
            found = seen(bundle(rekor=rekor), trusted)
            # version 2 says no time: an open window means that its key has not been retired
            wanted = good or (rekor == 2 and end is None)
            assert bool(found.logs) is wanted, (start, end, rekor, found)
            assert wanted or "was not in use" in found.failed[0]


def set_windows(document: dict[str, Any], window: dict[str, str]) -> None:
    for one in document["tlogs"]:
        one["publicKey"]["validFor"] = window


def rfc3339(time: float) -> str:
    from tests.support.sigstack._documents import rfc3339

    return rfc3339(time)


def test_a_retired_key_of_rekor_2_needs_a_timestamp_of_its_days() -> None:
    trusted = root_with(lambda document: set_windows(document, {"end": rfc3339(AT)}))
    assert len(seen(bundle(rekor=2), trusted).logs) == 1
    assert seen(bundle(rekor=2, tsa=False), trusted).logs == ()
    assert seen(bundle(rekor=2), trusted, timestamp=False).logs == ()
    assert seen(bundle(rekor=2, stamped_at=AT + 1), trusted).logs == ()


def test_two_keys_of_one_log_id_are_both_tried() -> None:
    other = log("https://new.example", Secret.of("new key"), world().rekors[1].log_id)
    trusted = root_with(lambda document: document["tlogs"].insert(0, other))
    assert [one.by for one in seen(bundle(), trusted).logs] == ["http://127.0.0.1/rekor1"]


@pytest.mark.parametrize("kind", ["ecdsa-p384", "ed25519"])
def test_logs_sign_with_keys_of_several_kinds(kind: str) -> None:
    theirs = World("evidence", rekor2_kind=kind)
    trusted = TrustedRoot.parse(theirs.trusted_root())
    found = seen(theirs.bundle(STATEMENT, at=AT, rekor=2), trusted)
    assert found.failed == ()
    assert found.logs == (Logged("http://127.0.0.1/rekor2", 3, 0),)


# Promise, proof and checkpoint


def test_a_promise_without_a_proof_is_enough_for_version_1() -> None:
    candidate = with_entry(parsed(bundle(tsa=False)), lambda one: replace(one, proof=None))
    assert [one.time for one in looked_at(candidate).logs] == [AT]


def test_a_proof_without_a_promise_is_enough_for_version_1_but_tells_no_time() -> None:
    candidate = with_entry(parsed(bundle(tsa=False)), lambda one: replace(one, promise=b""))
    (found,) = looked_at(candidate).logs
    (entry,) = candidate.material.entries
    assert entry.proof is not None
    assert (found.time, found.index) == (0, entry.proof.index)


def test_an_entry_with_neither_is_nothing() -> None:
    candidate = with_entry(parsed(bundle(tsa=False)), lambda one: replace(one, promise=b"", proof=None))
    assert "neither a promise nor" in why(looked_at(candidate))


def test_version_2_needs_its_proof_and_gives_no_promise() -> None:
    candidate = parsed(bundle(tsa=False, rekor=2))
    promised = world().rekors[1].promise(candidate.material.entries[0].body, AT, 3)
    for change, reason in (
        (lambda one: replace(one, proof=None), "neither a promise nor"),
        (lambda one: replace(one, promise=promised, time=AT), "logs of its version do not give"),
        (lambda one: replace(one, promise=promised, time=AT, proof=None), "logs of its version do not give"),
        (lambda one: replace(one, index=one.index + 1), "its proof is for another"),
        (lambda one: replace(one, proof=replace(one.proof, checkpoint="")), "neither a promise nor"),
    ):
        assert reason in why(looked_at(with_entry(candidate, change)))


def test_a_time_without_a_promise_is_not_believed() -> None:
    for rekor in (1, 2):
        candidate = parsed(bundle(tsa=False, rekor=rekor))
        candidate = with_entry(candidate, lambda one: replace(one, promise=b"", time=AT - 10**6))
        assert looked_at(candidate).times("any") == ()


def test_the_proof_of_a_promised_entry_may_lack_its_checkpoint_but_not_be_wrong() -> None:
    """Bundles of version 0.1 have such proofs."""
    candidate = parsed(bundle(tsa=False))
    bare = with_entry(candidate, lambda one: replace(one, proof=replace(one.proof, checkpoint="")))
    assert len(looked_at(bare).logs) == 1
    wrong = with_entry(bare, lambda one: replace(one, proof=replace(one.proof, root=b"\0" * 32)))
    assert "does not lead" in why(looked_at(wrong))


PROOFS: tuple[tuple[str, Callable[[LogEntry], LogEntry], str], ...] = (
    ("another body", lambda e: replace(e, promise=b"", body=e.body + b" "), "does not lead"),
    ("another index", lambda e: change(e, index=0), "inclusion proof"),
    ("another root", lambda e: change(e, root=b"\1" * 32), "does not lead"),
    ("another size", lambda e: change(e, size=e.proof.size * 2), "inclusion proof"),
    ("no tree", lambda e: change(e, size=0), "no leaf of the tree"),
    ("a negative index", lambda e: change(e, index=-1), "no leaf of the tree"),
    ("no hashes", lambda e: change(e, hashes=()), "too few"),
    ("a hash more", lambda e: change(e, hashes=(*e.proof.hashes, b"\0" * 32)), "too many"),
    (
        "a forged checkpoint",
        lambda e: change(e, checkpoint=Rekor(1, "x").checkpoint(e.proof.size, e.proof.root)),
        "not signed by",
    ),
    (
        "the checkpoint of another tree",
        lambda e: change(e, checkpoint=world().rekors[1].checkpoint(9, b"\1" * 32)),
        "of another tree",
    ),
    (
        "a checkpoint of the root but another size",
        lambda e: change(e, checkpoint=world().rekors[1].checkpoint(10**6, e.proof.root)),
        "of another tree",
    ),
)


def change(entry: LogEntry, **fields: Any) -> LogEntry:
    assert entry.proof is not None
    return replace(entry, proof=replace(entry.proof, **fields))


@pytest.mark.parametrize(("name", "edit", "reason"), PROOFS, ids=[one[0] for one in PROOFS])
def test_a_proof_that_is_not_one(name: str, edit: Callable[[LogEntry], LogEntry], reason: str) -> None:
    """With a good promise beside it, too: what is present must verify."""
    del name
    assert reason in why(looked_at(with_entry(parsed(bundle(tsa=False)), edit)))


@pytest.mark.parametrize(
    "edit",
    [
        lambda e: replace(e, time=e.time + 1),
        lambda e: replace(e, index=e.index + 1),
        lambda e: replace(e, promise=e.promise[:-1]),
        lambda e: replace(e, promise=b"x"),
        lambda e: replace(e, promise=world().rekors[1].promise(e.body, e.time, e.index + 1)),
        lambda e: replace(e, promise=Rekor(1, "x").promise(e.body, e.time, e.index)),
    ],
    ids=["time", "index", "short", "junk", "of another index", "of another log"],
)
def test_a_promise_that_is_not_one(edit: Callable[[LogEntry], LogEntry]) -> None:
    """With a good proof beside it, too."""
    assert "promise is not signed by" in why(looked_at(with_entry(parsed(bundle(tsa=False)), edit)))


def test_a_promise_of_numbers_that_readers_of_json_disagree_on_is_refused() -> None:
    body = parsed(bundle(tsa=False)).material.entries[0].body
    for time, index in ((0, 5), (2**53, 5), (AT, 2**53), (AT, -1)):
        said = {"body": base64.b64encode(body).decode(), "integratedTime": time, "logIndex": index}
        signed = json.dumps({**said, "logID": world().rekors[1].log_id.hex()}, sort_keys=True, separators=(",", ":"))
        promise = world().rekors[1].key.sign(signed.encode())
        candidate = with_entry(
            parsed(bundle(tsa=False)),
            lambda one, t=time, i=index, p=promise: replace(one, body=body, time=t, index=i, promise=p),
        )
        assert looked_at(candidate).logs == ()


def test_the_index_in_a_promise_is_the_logs_and_in_a_proof_the_shards() -> None:
    (found,) = seen(bundle()).logs
    (entry,) = parsed(bundle()).material.entries
    assert entry.proof is not None
    assert found.index > 41_000 > entry.proof.index


def test_the_scene_is_as_the_tests_say() -> None:
    assert scene.believed(bundle()) == AT
