"""A network error is never "unsigned": every request that verifying makes, with every way in which it can fail.

Where the rule asks for signatures, the image is refused unless the evidence came through all the same, and the words
"is not signed" are for a registry that says in good order that there is nothing. Where the rule allows unsigned images,
what could not be read is said, and nobody is named as its signer.
"""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg._value import replace
from bpfimg.errors import VerificationError
from bpfimg.oci import Descriptor, Manifest, Reference, Registry
from bpfimg.sign import Policy, verify
from tests.attacks.scene import ONE, bundled, sig
from tests.support.faulty.faults import EVER, NAMED
from tests.support.faulty.goods import NAME, TAG, Goods
from tests.support.faulty.scene import OPTIONS
from tests.support.targets import Image, referrer
from tests.unit.sign.craft import BUNDLE, CONFIG, EMPTY, dumps, key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bpfimg.sign import VerifiedImage
    from tests.support.cli import Cli
    from tests.support.fake_registry import FakeRegistry

_DIGEST = ONE.descriptor.digest
FAULTS = (
    "reset-for-ever", "closed-for-ever", "no-answer-for-ever", "cut-in-headers", "cut-for-ever", "flipped-for-ever",
    "shorter", "longer", "much-longer", "empty", "html", "error-with-200", "null", "json-list", "deep", "binary",
    "gzip-unsaid", "said-strange-coding", "another-digest", "length-huge", "chunked-junk", "204", "400",
    "401-for-ever", "403", "404", "405", "410", "418", "429-for-ever", "451", "500", "501", "502", "503-for-ever",
    "504", "redirect-nowhere", "redirect-to-itself-for-ever", "redirect-to-closed-port", "redirect-to-file",
    "http-0.9", "junk", "header-of-1-MiB", "headers-endless", "switching-protocols",
)  # fmt: skip
assert all(name in NAMED for name in FAULTS)


def _legacy(host: str) -> Goods:
    """An image that alice signed in a `.sig`."""
    goods = _image()
    data, notes, kind = sig(_DIGEST, f"{host}/{NAME}")
    goods.tags[f"{_DIGEST.tag}.sig"] = goods.add(_artifact(CONFIG, kind, data, notes))
    return goods


def _referring(host: str) -> Goods:
    """An image that alice signed in a bundle."""
    goods = _image()
    goods.add(_artifact(EMPTY, BUNDLE, dumps(bundled(_DIGEST, f"{host}/{NAME}")), {}, refers=True))
    return goods


def _image() -> Goods:
    goods = Goods()
    goods.top = goods.add(ONE)
    return goods


def _artifact(config: str, kind: str, data: bytes, notes: dict[str, str], *, refers: bool = False) -> Image:
    about, layer = Descriptor.of(b"{}", config), Descriptor.of(data, kind, annotations=notes)
    subject, artifact = (ONE.descriptor, kind) if refers else (None, "")
    words: dict[str, Any] = {"subject": subject, "artifact_type": artifact} if refers else {}
    return Image(Manifest.build(config=about, layers=[layer], **words), ((about, b"{}"), (layer, data)))


def _asks(goods: Goods) -> dict[str, str]:
    """The requests on the way to the one signature, by name."""
    place = f"/v2/{NAME}"
    found = {}
    for word in goods.tags:
        found["the tag"] = f"GET {place}/manifests/{word}"
    for digest, (_, raw) in goods.documents.items():
        if digest != goods.top:
            layer = json.loads(raw)["layers"][0]["digest"]
            found["the signature"] = f"GET {place}/blobs/{layer}"
            if digest in goods.referrers:
                found["the referrers"] = f"GET {place}/referrers/"
                found["the referrer"] = f"GET {place}/manifests/{digest}"
    return found


CASES = [
    (kind, ask, fault)
    for kind, asks in (
        ("legacy", ("the tag", "the signature")),
        ("bundle", ("the referrers", "the referrer", "the signature")),
        ("fallback", ("the fallback", "the referrer", "the signature")),
    )
    for ask in asks
    for fault in FAULTS
]


def _prepared(fake: FakeRegistry, kind: str, ask: str, fault: str) -> Reference:
    goods = (_legacy if kind == "legacy" else _referring)(fake.host)
    goods.put_into(fake)
    asks = _asks(goods)
    if kind == "fallback":
        fake.referrers_api = False
        fallback = f"{_DIGEST.tag}"
        listed = [
            {"mediaType": kind_, "digest": digest, "size": len(raw)}
            for digest, (kind_, raw) in goods.documents.items()
            if digest in goods.referrers
        ]
        raw = dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": listed})
        fake.manifests[NAME, fallback] = "application/vnd.oci.image.index.v1+json", raw
        asks["the fallback"] = f"GET /v2/{NAME}/manifests/{fallback}"
    mishap = NAMED[fault]
    fake.fail(asks[ask], mishap.change, EVER, lost=mishap.lost, early=mishap.early)
    return Reference.parse(f"{fake.host}/{NAME}:{TAG}")


def _policy(folder: Path, host: str, **rule: Any) -> Path:
    authorities = {"alice": {"type": "key", "keyData": [key().public.pem]}}
    document = {"version": 1, "default": "deny", "authorities": authorities, "rules": [{"scope": host, **rule}]}
    path = folder / "policy.json"
    path.write_text(json.dumps(document))
    return path


def _verified(reference: Reference, policy: Path) -> VerifiedImage:
    with Registry(reference.repository, replace(OPTIONS, waits=(), silence=0.4, patience=1.0)) as place:
        found = place.resolve(TAG)
        return verify(place, reference, found, Policy.load(str(policy), system=False))


NOTHING_THERE = {
    "the tag": ("404",),
    "the fallback": ("404",),
    "the referrers": ("404", "405", "501", "html"),  # a registry without that API, whose fallback tag is not there
}
"""Where an answer says in good order that there is nothing."""


@pytest.mark.parametrize("case", CASES, ids=["-".join(case).replace(" ", "-") for case in CASES])
def test_an_error_is_not_unsigned(
    case: tuple[str, str, str], fake: FakeRegistry, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    nothing = case[2] in NOTHING_THERE.get(case[1], ())
    reference = _prepared(fake, *case)
    refused = ""
    try:
        proof = _verified(reference, _policy(tmp_path, fake.host, requireAny=["alice"]))
    except VerificationError as error:
        refused = str(error)
    assert ("is not signed" in refused) is nothing, refused
    assert refused or [signer.authority for signer in proof.signers] == ["alice"]
    record_property("network", "required")
    fake.hang_up()
    reference = _prepared(fake, *case)
    allowed = _verified(reference, _policy(tmp_path, fake.host, action="insecure-allow-unsigned"))
    assert allowed.unsafe
    assert allowed.signers or allowed.notes or nothing
    record_property("network", "allowed")


#: the command tries others again for seconds; `test_an_error_is_not_unsigned` has them all
AT_ONCE = ("403", "404", "418", "flipped-for-ever", "redirect-nowhere", "gzip-unsaid")
COMMANDS = [pytest.param(case, id="-".join(case).replace(" ", "-")) for case in CASES if case[2] in AT_ONCE]


@pytest.mark.parametrize("case", COMMANDS)
def test_the_command_believes_nothing_that_it_could_not_read(
    case: tuple[str, str, str], fake: FakeRegistry, cli: Cli, record_property: Callable[[str, object], None]
) -> None:
    nothing = case[2] in NOTHING_THERE.get(case[1], ())
    reference = _prepared(fake, *case)
    policy = _policy(cli.folder, fake.host, requireAny=["alice"])
    done = _command(cli, policy, reference)
    assert done.returncode == 3 if nothing else done.returncode in (1, 3)
    assert done.stdout == ""
    assert ("is not signed" in done.stderr) is (nothing or "passed over" in done.stderr), done.stderr
    record_property("network", "command")


@pytest.mark.parametrize("case", COMMANDS[::5])
def test_the_command_says_loudly_what_is_allowed(
    case: tuple[str, str, str], fake: FakeRegistry, cli: Cli, record_property: Callable[[str, object], None]
) -> None:
    reference = _prepared(fake, *case)
    policy = _policy(cli.folder, fake.host, action="insecure-allow-unsigned")
    done = _command(cli, policy, reference)
    assert done.returncode == 1 or "the policy allows unsigned images here" in done.stdout
    record_property("network", "command")


def _command(cli: Cli, policy: Path, reference: Reference) -> subprocess.CompletedProcess[str]:
    process = cli.start("--policy", str(policy), "verify", "--pull", "always", str(reference))
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess([], process.returncode, out, err)


def _said_huge() -> Image:
    """An artifact whose manifest says a layer of 2 TiB: whoever may push can say so."""
    layer = Descriptor("text/plain", Descriptor.of(b"q", "text/plain").digest, 2 << 40)
    config = Descriptor.of(b"{}", EMPTY)
    manifest = Manifest.build(config=config, layers=[layer], subject=ONE.descriptor, artifact_type="text/plain")
    return Image(manifest, ((config, b"{}"), (Descriptor.of(b"q", "text/plain"), b"q")))


def _gone() -> Image:
    """An artifact whose layer is not there."""
    made = referrer(ONE.descriptor, "gone", "text/plain")
    return Image(made.manifest, made.blobs[:1])


BAD = {
    "of no known type": lambda: referrer(ONE.descriptor, "a note", "text/plain"),
    "not there as a whole": _gone,
    "a stranger's bundle": lambda: _artifact(EMPTY, BUNDLE, dumps(bundled(_DIGEST, by="mallory")), {}, refers=True),
    "a bundle that is no JSON": lambda: _artifact(EMPTY, BUNDLE, b"{", {}, refers=True),
    "a bundle of 2 MiB": lambda: _artifact(EMPTY, BUNDLE, bytes(2 << 20), {}, refers=True),
    "said huge": _said_huge,
}


@pytest.mark.parametrize("kind", ["legacy", "bundle"])
@pytest.mark.parametrize("bad", BAD)
def test_one_bad_referrer_takes_nothing_away(bad: str, kind: str, fake: FakeRegistry, cli: Cli) -> None:
    goods = (_legacy if kind == "legacy" else _referring)(fake.host)
    goods.add(BAD[bad]())
    goods.put_into(fake)
    reference = Reference.parse(f"{fake.host}/{NAME}:{TAG}")
    done = _command(cli, _policy(cli.folder, fake.host, requireAny=["alice"]), reference)
    assert done.returncode == 0, done.stderr
    assert "signed by:  alice" in done.stdout
