"""Commands that go to a registry, with the requests that they make: what each fault is tried on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpfimg.oci import copy
from tests.support.fake_registry import Accounts
from tests.support.faulty.faults import FAULTS
from tests.support.faulty.goods import NAME, TAG, check_registry, check_store, large, plain, signed
from tests.support.faulty.scene import Ask, Errand, fill, in_memory
from tests.support.targets import EMPTY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.support.faulty.faults import Mishap
    from tests.support.faulty.goods import Goods
    from tests.support.faulty.scene import Scene

OLD = plain("old", "s390x")
_FROM = "acme/from"
_CORE = (
    "reset-before reset-after reset-early closed-after no-answer-before cut-in-headers cut-in-body hung-in-body "
    "closed-silently-behind-it second-answer-behind-it closes-and-says-so flipped shorter longer empty html gzip "
    "another-digest another-type length-too-large no-length chunked chunked-cut 401 403 404 429 429-after-junk 500 "
    "500-after 503 503-twice 503-for-ever 503-early redirect-nowhere redirect-to-closed-port http-0.9 headers-endless "
    "continue-endless junk"
)
_LEAN = (
    "reset-before reset-after closed-early no-answer-before cut-in-body flipped empty 401 403 404 429 500-after 503 "
    "503-for-ever redirect-nowhere junk"
)
_ABSENT = {
    "404", "405", "501", "html", "another-type", "html-type", "junk-type", "no-type", "cut-in-headers",
    "header-without-colon",
}  # fmt: skip
"""Answers that say that a registry has no such list or tag, or lists what is not there: anybody can list junk,
and nobody can know better."""


def _pull(scene: Scene) -> None:
    with scene.remote() as remote:
        copy(remote, TAG, scene.local, TAG)


def _pulls(change: Callable[[Scene], object] = lambda _: None) -> dict[str, Callable[..., object]]:
    """An image comes from the registry, changed in some way, into the store, which has another of that name."""

    def prepare(scene: Scene) -> None:
        scene.goods.put_into(scene.fake)
        change(scene)
        fill(scene.local, OLD)

    def check(scene: Scene) -> str:
        return check_store(scene.store, scene.fake.host, OLD, scene.goods)

    return {"prepare": prepare, "run": _pull, "check": check}


def _push(scene: Scene) -> None:
    with scene.remote() as remote:
        copy(in_memory(scene.goods, remote.repository), TAG, remote, TAG)


def _pushes(change: Callable[[Scene], object] = lambda _: None) -> dict[str, Callable[..., object]]:
    """An image goes to the registry, which has another of that name."""

    def prepare(scene: Scene) -> None:
        OLD.put_into(scene.fake)
        change(scene)

    def check(scene: Scene) -> str:
        return check_registry(scene.fake, OLD, scene.goods)

    return {"prepare": prepare, "run": _push, "check": check}


def _copies(mounts: bool) -> dict[str, Callable[..., object]]:
    """An image goes from one repository to another of the same registry."""

    def prepare(scene: Scene) -> None:
        OLD.put_into(scene.fake)
        scene.goods.put_into(scene.fake, _FROM)
        scene.fake.mounts = mounts

    def run(scene: Scene) -> None:
        with scene.remote(_FROM) as source, scene.remote() as target:
            copy(source, TAG, target, TAG)

    return {"prepare": prepare, "run": run, "check": _pushes()["check"]}


def _reading(goods: Goods) -> Iterator[Ask]:
    """What is asked of a registry that the goods are read from."""
    place = f"/v2/{NAME}"
    yield Ask("manifest", f"GET {place}/manifests/{TAG}")
    rest = [digest for digest in goods.documents if digest != goods.top and digest not in goods.tags.values()]
    yield from _each("document", (f"GET {place}/manifests/{digest}" for digest in rest if digest in goods.subjects))
    yield from _each("referrer", (f"GET {place}/manifests/{digest}" for digest in goods.referrers), evidence=True)
    blobs = [digest for digest in goods.blobs if digest != str(EMPTY.digest)]
    parts = "".join(str(goods.documents[digest][1]) for digest in goods.subjects)
    yield from _each("blob", (f"GET {place}/blobs/{digest}" for digest in blobs if digest in parts))
    yield from _each("proof", (f"GET {place}/blobs/{digest}" for digest in blobs if digest not in parts), evidence=True)
    yield from _evidence(goods, place)


def _evidence(goods: Goods, place: str) -> Iterator[Ask]:
    for kind, path in (("referrers", "referrers/{}"), ("sig", "manifests/{}.sig"), ("att", "manifests/{}.att")):
        words = (digest if kind == "referrers" else digest.replace(":", "-") for digest in goods.subjects)
        yield from _each(kind, (f"GET {place}/{path.format(word)}" for word in words), evidence=True)


def _writing(goods: Goods) -> Iterator[Ask]:
    """What is asked of a registry that they are written to."""
    place = f"/v2/{NAME}"
    yield from _each("look", (f"HEAD {place}/blobs/{digest}" for digest in goods.blobs))
    yield from (Ask(f"begin-{number}", f"POST {place}/blobs/uploads/", number) for number in range(len(goods.blobs)))
    yield from _each("upload", (f"PUT {place}/blobs/uploads/ digest={digest}" for digest in goods.blobs))
    named = [digest for digest in goods.documents if digest != goods.top or goods.referrers]
    yield from _each("document", (f"PUT {place}/manifests/{digest}" for digest in named))
    yield Ask("name", f"PUT {place}/manifests/{TAG}")
    for tag in goods.tags:
        yield Ask("sig-before", f"GET {place}/manifests/{tag}")
        yield Ask("sig-again", f"GET {place}/manifests/{tag}", 1)
        yield Ask("sig-name", f"PUT {place}/manifests/{tag}")


def _with_fallback(goods: Goods) -> Iterator[Ask]:
    """What is asked of a registry without the referrers API, which has to keep a list under a tag."""
    yield from _writing(goods)
    for subject in goods.referrers.values():
        tag = f"/v2/{NAME}/manifests/{subject.replace(':', '-')}"
        yield Ask("referrers", f"GET /v2/{NAME}/referrers/{subject}", evidence=True)
        yield Ask("list-before", f"GET {tag}")
        yield Ask("list-upload", f"PUT {tag}")
        yield Ask("list-after", f"GET {tag}", 1)


def _with_token(asks: Iterable[Ask], first: str) -> Iterator[Ask]:
    """What else is asked of a registry that wants a token, whose `first` requests it refuses."""
    yield from (Ask(ask.name, ask.where, 1) if ask.where == first else ask for ask in asks)
    yield Ask("challenge", first)
    yield Ask("token", "GET /token")


def _maybe_twice(asks: Iterable[Ask], method: str) -> Iterator[Ask]:
    """Requests of one method that go out together are refused both or not."""
    for ask in asks:
        yield ask
        if ask.where.startswith(method):
            yield Ask(f"{ask.name}-again", ask.where, 1, maybe=True)
    yield Ask("token", "GET /token")


def _elsewhere(goods: Goods) -> Iterator[Ask]:
    yield from _reading(goods)
    yield from _each("far-blob", (f"GET /elsewhere/{digest}" for digest in goods.blobs))


def _mounting(goods: Goods) -> Iterator[Ask]:
    """What is asked when blobs are taken over from another repository of the registry."""
    place = f"/v2/{NAME}"
    yield Ask("manifest", f"GET /v2/{_FROM}/manifests/{TAG}")
    yield from _evidence(goods, f"/v2/{_FROM}")
    yield from _each("mount", (f"POST {place}/blobs/uploads/?mount={digest}" for digest in goods.blobs))
    yield Ask("name", f"PUT {place}/manifests/{TAG}")


def _mounting_in_vain(goods: Goods) -> Iterator[Ask]:
    yield from _mounting(goods)
    for digest in goods.blobs:
        yield Ask(f"look-{digest[7:11]}", f"HEAD /v2/{NAME}/blobs/{digest}")
        yield Ask(f"blob-{digest[7:11]}", f"GET /v2/{_FROM}/blobs/{digest}")
        yield Ask(f"upload-{digest[7:11]}", f"PUT /v2/{NAME}/blobs/uploads/ digest={digest}")


def _each(name: str, lines: Iterable[str], *, evidence: bool = False) -> Iterator[Ask]:
    known = list(lines)
    for number, line in enumerate(known):
        yield Ask(f"{name}-{number}" if len(known) > 1 else name, line, evidence=evidence)


def _without_referrers(scene: Scene) -> None:
    scene.fake.referrers_api = False


def _with_accounts(scene: Scene) -> None:
    scene.fake.accounts = Accounts(users={"me": "secret"}, anonymous=False)


def _from_elsewhere(scene: Scene) -> None:
    scene.fake.blobs_at = scene.fake.elsewhere


PLAIN, SIGNED, LARGE = plain(), signed(), large()
ERRANDS = (
    Errand("pull", PLAIN, tuple(_reading(PLAIN)), **_pulls()),
    Errand("push", PLAIN, tuple(_writing(PLAIN)), **_pushes()),
    Errand("signed-pull", SIGNED, tuple(_reading(SIGNED)), **_pulls(), faults=tuple(_LEAN.split())),
    Errand("signed-push", SIGNED, tuple(_writing(SIGNED)), **_pushes(), faults=tuple(_LEAN.split())),
    Errand(
        "fallback-push",
        SIGNED,
        tuple(_with_fallback(SIGNED)),
        **_pushes(_without_referrers),
        faults=tuple(_LEAN.split()),
    ),
    Errand(
        "token-pull",
        PLAIN,
        tuple(_with_token(_reading(PLAIN), f"GET /v2/{NAME}/manifests/{TAG}")),
        **_pulls(_with_accounts),
        faults=tuple(_CORE.split()),
    ),
    Errand(
        "token-push",
        PLAIN,
        tuple(_maybe_twice(_writing(PLAIN), "HEAD")),
        **_pushes(_with_accounts),
        faults=tuple(_CORE.split()),
    ),
    Errand("elsewhere-pull", PLAIN, tuple(_elsewhere(PLAIN)), **_pulls(_from_elsewhere), faults=tuple(_CORE.split())),
    Errand("large-pull", LARGE, tuple(_reading(LARGE)), **_pulls(), faults=tuple(_CORE.split())),
    Errand("mount", PLAIN, tuple(_mounting(PLAIN)), **_copies(True), faults=tuple(_CORE.split())),
    Errand("copy", PLAIN, tuple(_mounting_in_vain(PLAIN)), **_copies(False), faults=tuple(_CORE.split())),
)


def _makes_sense(ask: Ask, mishap: Mishap) -> bool:
    if mishap.early or mishap.name.endswith("-after"):
        return ask.sends  # of what only reads nobody can tell whether it was heard
    if mishap.name in ("201", "202") and ask.where.startswith("PUT ") and "/manifests/" in ask.where:
        return False  # a yes to what was not done: nobody can know better
    if ask.maybe or (ask.evidence and mishap.name in _ABSENT):
        return False
    return ask.reads or not mishap.body


CASES = [
    (errand, ask, mishap)
    for errand in ERRANDS
    for ask in errand.asks
    for mishap in FAULTS
    if _makes_sense(ask, mishap) and (not errand.faults or mishap.name in errand.faults)
]
