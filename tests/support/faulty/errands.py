"""Commands that go to a registry: what each fault is tried on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, TypedDict

from bpfimg.oci import copy, places
from tests.support.fake_registry import Accounts
from tests.support.faulty.asks import (
    FROM,
    MIRROR,
    elsewhere,
    from_mirror,
    in_chunks,
    logging_in,
    maybe_twice,
    mounting,
    mounting_in_vain,
    reading,
    with_fallback,
    with_token,
    writing,
)
from tests.support.faulty.faults import FAULTS
from tests.support.faulty.goods import NAME, TAG, check_registry, check_store, large, plain, signed
from tests.support.faulty.scene import PASSWORD, USER, Ask, Errand, fill, in_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.faulty.faults import Mishap
    from tests.support.faulty.scene import Scene

OLD = plain("old", "s390x")
PLAIN, SIGNED, LARGE = plain(), signed(), large()
_CORE = (
    "reset-before reset-after reset-early closed-after no-answer-before cut-in-headers cut-in-body hung-in-body "
    "closed-silently-behind-it second-answer-behind-it closes-and-says-so flipped shorter longer empty html gzip "
    "another-digest another-type length-too-large no-length chunked chunked-cut 400 401 403 404 416 429 429-after-junk "
    "500 500-after 503 503-twice 503-for-ever 503-early redirect-nowhere redirect-to-closed-port http-0.9 junk "
    "headers-endless continue-endless junk-range"
)
_LEAN = (
    "reset-before reset-after closed-early no-answer-before cut-in-body flipped empty 401 403 404 429 500-after 503 "
    "503-for-ever redirect-nowhere junk"
)
_ABSENT = {
    "404", "405", "501", "html", "another-type", "html-type", "junk-type", "no-type", "cut-in-headers",
    "header-without-colon",
}  # fmt: skip
"""Answers that say that a registry has no such list or tag, or lists what is not there: anybody can list junk, and
nobody can know better."""


class Steps(TypedDict):
    """See `Errand`."""

    prepare: Callable[[Scene], None]
    run: Callable[[Scene], object]
    check: Callable[[Scene], str]


def _nothing(_: Scene) -> None:
    """All stays as it is."""


def _pulls(change: Callable[[Scene], None] = _nothing, options: Mapping[str, object] | None = None) -> Steps:
    """An image comes from the registry, changed in some way, into the store, which has another of that name."""

    def prepare(scene: Scene) -> None:
        scene.goods.put_into(scene.fake)
        change(scene)
        fill(scene.local, OLD)

    def run(scene: Scene) -> None:
        with scene.remote(**(options or {})) as remote:
            copy(remote, TAG, scene.local, TAG)

    return Steps(prepare=prepare, run=run, check=_check_pull)


def _check_pull(scene: Scene) -> str:
    return check_store(scene.store, scene.fake.host, OLD, scene.goods)


def _pushes(change: Callable[[Scene], None] = _nothing, options: Mapping[str, object] | None = None) -> Steps:
    """An image goes to the registry, which has another of that name."""

    def prepare(scene: Scene) -> None:
        OLD.put_into(scene.fake)
        change(scene)

    def run(scene: Scene) -> None:
        with scene.remote(**(options or {})) as remote:
            copy(in_memory(scene.goods, remote.repository), TAG, remote, TAG)

    return Steps(prepare=prepare, run=run, check=_check_push)


def _check_push(scene: Scene) -> str:
    return check_registry(scene.fake, OLD, scene.goods)


def _copies(*, mounts: bool) -> Steps:
    """An image goes from one repository to another of the same registry."""

    def prepare(scene: Scene) -> None:
        OLD.put_into(scene.fake)
        scene.goods.put_into(scene.fake, FROM)
        scene.fake.mounts = mounts

    def run(scene: Scene) -> None:
        with scene.remote(FROM) as source, scene.remote() as target:
            copy(source, TAG, target, TAG)

    return Steps(prepare=prepare, run=run, check=_check_push)


def _mirrored() -> Steps:
    """The registry has a mirror at another origin: whatever that does, the image arrives."""

    def run(scene: Scene) -> None:
        place = f"{scene.fake.elsewhere.removeprefix('http://')}/{MIRROR.removesuffix(f'/{NAME}')}"
        conf = scene.folder / "registries.conf"
        conf.write_text(f'[[registry]]\nlocation="{scene.fake.host}"\n[[registry.mirror]]\nlocation="{place}"\n')
        registries = places.Registries.load({"CONTAINERS_REGISTRIES_CONF": str(conf)}, 0)
        with scene.remote(registries=registries) as remote:
            copy(remote, TAG, scene.local, TAG)

    steps = _pulls(lambda scene: scene.goods.put_into(scene.fake, MIRROR))
    return Steps(prepare=steps["prepare"], run=run, check=_check_pull)


def _logs_in() -> Steps:
    """A user logs in; the file is written when the registry has said yes, and else not."""

    def prepare(scene: Scene) -> None:
        _with_accounts(scene)

    def run(scene: Scene) -> None:
        places.login(scene.fake.host, USER, PASSWORD, scene.options(login_file=str(scene.folder / "auth.json")))

    def check(scene: Scene) -> str:
        file = scene.folder / "auth.json"
        if not file.exists():
            return OLD.top
        assert file.stat().st_mode & 0o777 == 0o600
        assert scene.fake.host in json.loads(file.read_text())["auths"]
        return scene.goods.top

    return Steps(prepare=prepare, run=run, check=check)


def _lists_tags() -> Steps:
    """All tags are listed, page by page; a list that lacks some would be taken for the truth."""

    def prepare(scene: Scene) -> None:
        scene.goods.put_into(scene.fake)
        scene.goods.put_into(scene.fake, tag="v2")
        scene.fake.page = 1

    def run(scene: Scene) -> None:
        with scene.remote() as remote:
            assert remote.tags() == (TAG, "v2"), "a wrong list"

    return Steps(prepare=prepare, run=run, check=lambda scene: scene.goods.top)


def _removes() -> Steps:
    """A tag is taken away."""

    def prepare(scene: Scene) -> None:
        OLD.put_into(scene.fake)

    def run(scene: Scene) -> None:
        with scene.remote() as remote:
            remote.remove(TAG)

    def check(scene: Scene) -> str:
        assert (NAME, OLD.top) in scene.fake.manifests, "more than the tag is gone"
        return OLD.top if (NAME, TAG) in scene.fake.manifests else scene.goods.top

    return Steps(prepare=prepare, run=run, check=check)


def _without_referrers(scene: Scene) -> None:
    scene.fake.referrers_api = False


def _with_accounts(scene: Scene) -> None:
    scene.fake.accounts = Accounts(users={USER: PASSWORD}, anonymous=False)


def _from_elsewhere(scene: Scene) -> None:
    scene.fake.blobs_at = scene.fake.elsewhere


def _forgetful(scene: Scene) -> None:
    scene.fake.strict_state = True


_CHUNKS = {"whole": 1 << 20, "chunk": 2 << 20}
_MANIFEST = f"GET /v2/{NAME}/manifests/{TAG}"
_TAGS = f"GET /v2/{NAME}/tags/list"
ERRANDS = (
    Errand("pull", PLAIN, tuple(reading(PLAIN)), **_pulls()),
    Errand("push", PLAIN, tuple(writing(PLAIN)), **_pushes()),
    Errand("signed-pull", SIGNED, tuple(reading(SIGNED)), **_pulls(), faults=_LEAN),
    Errand("signed-push", SIGNED, tuple(writing(SIGNED)), **_pushes(), faults=_LEAN),
    Errand("fallback-push", SIGNED, tuple(with_fallback(SIGNED)), **_pushes(_without_referrers), faults=_LEAN),
    Errand("token-pull", PLAIN, tuple(with_token(reading(PLAIN), _MANIFEST)), **_pulls(_with_accounts), faults=_CORE),
    Errand("token-push", PLAIN, tuple(maybe_twice(writing(PLAIN), "HEAD")), **_pushes(_with_accounts), faults=_CORE),
    Errand("elsewhere-pull", PLAIN, tuple(elsewhere(PLAIN)), **_pulls(_from_elsewhere), faults=_CORE),
    Errand("mirror-pull", PLAIN, tuple(from_mirror(PLAIN)), **_mirrored(), faults=_CORE, always=True),
    Errand("large-pull", LARGE, tuple(reading(LARGE)), **_pulls(), faults=_CORE),
    Errand("chunk-push", LARGE, tuple(in_chunks(LARGE, 3)), **_pushes(options=_CHUNKS), faults=_CORE),
    Errand("strict-chunk-push", LARGE, tuple(in_chunks(LARGE, 3)), **_pushes(_forgetful, _CHUNKS), faults=_LEAN),
    Errand("mount", PLAIN, tuple(mounting(PLAIN)), **_copies(mounts=True), faults=_CORE),
    Errand("copy", PLAIN, tuple(mounting_in_vain(PLAIN)), **_copies(mounts=False), faults=_CORE),
    Errand("login", PLAIN, tuple(logging_in()), **_logs_in(), faults=_CORE),
    Errand("tags", PLAIN, (Ask("page-0", _TAGS), Ask("page-1", _TAGS, 1)), **_lists_tags(), faults=_CORE),
    Errand("remove", PLAIN, (Ask("remove", f"DELETE /v2/{NAME}/manifests/{TAG}"),), **_removes(), once=True),
)


def _makes_sense(ask: Ask, mishap: Mishap) -> bool:
    if mishap.early or mishap.name.endswith("-after"):
        return ask.sends  # of what only reads nobody can tell whether it was heard
    if mishap.name in ("201", "202", "204") and ask.names:
        return False  # a yes to what was not done: nobody can know better
    if ask.maybe or (ask.evidence and mishap.name in _ABSENT):
        return False
    return ask.reads or not mishap.body


CASES = [
    (errand, ask, mishap)
    for errand in ERRANDS
    for ask in errand.asks
    for mishap in FAULTS
    if _makes_sense(ask, mishap) and (not errand.faults or mishap.name in errand.faults.split())
]
