"""Layers that were packed to hurt whoever unpacks them, all the way from a registry: content is stored as it is, and
refused where it is looked into."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.faulty.goods import NAME, TAG
from tests.support.faulty.messages import digest_of
from tests.support.strangers import OBJECT, Stranger
from tests.support.tars import archive, bomb, entry, gzipped, pax, zstd_bomb

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.fake_registry import FakeRegistry
    from tests.support.faulty.guarded import Cage

ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
INNER = entry("a.o", OBJECT)


def tar(*entries: bytes) -> Stranger:
    return Stranger(archive(*entries, INNER))


LAYERS: dict[str, Callable[[], Stranger]] = {
    "gzip-bomb": lambda: Stranger(layer=bomb(64) * 160),
    "gzip-of-10000-members": lambda: Stranger(layer=gzipped(b"\0" * 1000) * 10_000 + b"x"),
    "zstd-bomb": lambda: Stranger(layer_type=ZSTD, layer=zstd_bomb(65_536)),
    "gzip-cut": lambda: Stranger(layer=gzipped(archive(INNER))[:-9]),
    "no-gzip": lambda: Stranger(layer=b"not packed at all"),
    "symbolic-link": lambda: tar(entry("a", kind=b"2", link=b"/etc/shadow")),
    "link-and-file-through-it": lambda: tar(entry("d", kind=b"2", link=b"/tmp"), entry("d/x", b"x")),
    "hard-link": lambda: tar(entry("a", kind=b"1", link=b"../../../etc/passwd")),
    "character-device": lambda: tar(entry("null", kind=b"3")),
    "block-device": lambda: tar(entry("sda", kind=b"4")),
    "fifo": lambda: tar(entry("pipe", kind=b"6")),
    "unknown-kind": lambda: tar(entry("x", kind=b"Z")),
    "above": lambda: tar(entry("../../../../tmp/x", b"x")),
    "above-in-pax": lambda: tar(pax(path="../../x"), entry("x", b"x")),
    "absolute": lambda: tar(entry("/etc/cron.d/x", b"x")),
    "empty-name": lambda: tar(entry("", b"x")),
    "escapes": lambda: tar(entry("\x1b]0;owned\x07", kind=b"2")),
    "negative-size": lambda: tar(entry("x", size=b"\xff" * 12)),
    "negative-size-of-512": lambda: tar(entry("x", size=(-512).to_bytes(12, "big", signed=True))),
    "size-of-exbibytes": lambda: tar(entry("x", size=b"\x80" + b"\0" * 3 + b"\x7f" * 8)),
    "size-beyond-the-end": lambda: tar(entry("x", size=1 << 30)),
    "size-in-pax": lambda: tar(pax(size="-1"), entry("x")),
    "size-in-pax-of-5000-digits": lambda: tar(pax(size="9" * 5000), entry("x")),
    "checksum": lambda: tar(entry("x", checksum=b"000000\0 ")),
    "ten-thousand-files": lambda: tar(*(entry(f"f{number}") for number in range(10_000))),
    "whiteout": lambda: tar(entry(".wh.a.o")),
    "twice": lambda: tar(entry("a.o", OBJECT)),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_refused_when_looked_into(layer: str, fake: FakeRegistry, name: str, cage: Cage) -> None:
    made = LAYERS[layer]()
    content = made.memory._content
    fake.blobs = {str(digest): raw for digest, raw in content.items()}
    fake.links = {(NAME, digest) for digest in fake.blobs}
    raw = content[made.descriptor.digest]
    fake.manifests[NAME, TAG] = fake.manifests[NAME, digest_of(raw)] = made.descriptor.media_type, raw
    assert cage.run("pull", "--all-platforms", name).code == 0
    ended = cage.run("inspect", "--platform", "linux/amd64", name)
    assert ended.code == 1
    assert "(BI-" in ended.error
    there = json.loads((cage.store / "index.json").read_bytes())["manifests"]
    assert [each["digest"] for each in there] == [digest_of(raw)]
