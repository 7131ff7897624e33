"""What the reader takes and refuses by `spec/bytecode-image.md`: one test for each rule, named by it.

`tests/unit/image` has the long lists of bad input; here each rule is shown to be the reader's, from a whole image.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from bpfimg._value import replace
from bpfimg.errors import BytecodeError, DigestMismatch, ImageError, NotFound
from bpfimg.image import BytecodeImage, Labels, Limits
from bpfimg.oci import Descriptor, Digest, Layout, Memory, Platform, copy
from tests.support.strangers import AMD64, BIG_ENDIAN, HOST_ELF, LABELS, OBJECT, Stranger, repository
from tests.support.tars import archive, bomb, entry, gzipped, pax, skippable, zstd_bomb, zstd_frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TAR = archive(entry("xdp_pass.bpf.o", OBJECT))


def refuses(rule: str, stranger: Stranger, **options: Any) -> None:
    with pytest.raises(ImageError) as caught:
        stranger.fetch(**options)
    assert caught.value.rules == (rule,), caught.value


def takes(stranger: Stranger, **options: Any) -> BytecodeImage:
    image = stranger.fetch(**options)
    assert image.bytecode == OBJECT
    return image


def test_bi_02_exactly_one_layer() -> None:
    for count in (0, 2, 200):
        refuses("BI-2", Stranger(layers=count))
    takes(Stranger(config={"history": [{"empty_layer": True}, {}, {"empty_layer": True}]}))


def test_bi_03_the_config_says_whether_it_is_an_image() -> None:
    takes(Stranger(config_type="application/vnd.docker.container.image.v1+json"))
    refuses("BI-3", Stranger(config_type="application/vnd.oci.empty.v1+json", manifest={"artifactType": "a/b"}))
    # before a layer is looked at: this one has none
    refuses("BI-3", Stranger(config_type="application/vnd.wasm.config.v1+json", layers=0))


def test_bi_04_layer_types() -> None:
    takes(Stranger(layer_type="application/vnd.docker.image.rootfs.diff.tar.gzip"))
    takes(Stranger(layer_type="application/vnd.oci.image.layer.v1.tar", layer=TAR))
    takes(Stranger(layer_type="application/vnd.docker.image.rootfs.diff.tar", layer=TAR))
    refuses("BI-4", Stranger(layer_type="application/vnd.oci.image.layer.nondistributable.v1.tar"))
    refuses("BI-4", Stranger(layer_type="application/vnd.ebpf.bytecode.object.v1", layer=OBJECT))
    refuses("BI-10", Stranger(layer=TAR))
    refuses("BI-10", Stranger(layer=OBJECT))


ZSTD = ("application/vnd.oci.image.layer.v1.tar+zstd", "application/vnd.docker.image.rootfs.diff.tar.zstd")


@pytest.mark.parametrize("kind", ZSTD)
def test_bi_04_zstd_where_it_can_be_decompressed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = zstd_frame((len(TAR) << 3 | 1).to_bytes(3, "little") + TAR, header=b"\0\x20")  # one raw block
    with monkeypatch.context() as patched:
        for name in ("compression", "compression.zstd", "zstandard"):
            patched.setitem(sys.modules, name, None)
        refuses("BI-4", Stranger(TAR, layer_type=kind, layer=packed))
    pytest.importorskip("zstandard", reason="needs the package zstandard, or Python 3.14")
    takes(Stranger(TAR, layer_type=kind, layer=packed))
    refuses("BI-10", Stranger(TAR, layer_type=kind))
    refuses("BI-10", Stranger(TAR, layer_type=kind, layer=TAR))
    refuses("BI-10", Stranger(TAR, layer=packed))
    refuses("BI-8", Stranger(TAR + bytes(512), layer_type=kind, layer=packed))


def test_bi_05_one_flipped_byte_anywhere_is_found(tmp_path: Path) -> None:
    stranger = Stranger()
    index = stranger.listed(replace(stranger.descriptor, platform=AMD64))
    layout = Layout(str(tmp_path), repository())
    top = copy(stranger.memory, index.digest, layout, "v1")
    assert BytecodeImage.fetch(layout, top, AMD64).bytecode == OBJECT
    blobs = sorted((tmp_path / "blobs" / "sha256").iterdir())
    assert len(blobs) == 4
    for blob in blobs:
        content = blob.read_bytes()
        for altered in (content[:-1] + bytes([content[-1] ^ 1]), content + b"\n", content[:-1], b""):
            blob.chmod(0o644)
            blob.write_bytes(altered)
            with pytest.raises((DigestMismatch, NotFound)):
                BytecodeImage.fetch(layout, top, AMD64)
        blob.write_bytes(content)
    assert BytecodeImage.fetch(layout, top, AMD64).bytecode == OBJECT


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"\xff", b"{", b'{"os":"linux","os":"linux"}', b'{"a":' * 100 + b"1" + b"}" * 100, b'{"os":"linux"}'],
)
def test_bi_07_a_config_that_two_readers_could_take_in_two_ways(raw: bytes) -> None:
    refuses("BI-7", Stranger(raw_config=raw))


def test_bi_07_platform_and_one_diff_id() -> None:
    refuses("BI-7", Stranger(config={"os": ""}))
    refuses("BI-7", Stranger(config={"architecture": None}))
    refuses("BI-7", Stranger(config={"rootfs": {"type": "layers"}}))
    refuses("BI-7", Stranger(config={"rootfs": {"diff_ids": ["sha256:" + "A" * 64]}}))
    refuses("BI-7", Stranger(config={"rootfs": {"diff_ids": ["sha512:" + "0" * 128]}}))
    takes(Stranger(config={"unknown": {"fields": ["are", "ignored"]}}))


def test_bi_08_diff_id() -> None:
    refuses("BI-8", Stranger(config={"rootfs": {"diff_ids": ["sha256:" + "0" * 64]}}))
    refuses("BI-8", Stranger(TAR, layer=gzipped(TAR) + gzipped(bytes(512))))


def test_bi_10_gzip_members_and_nothing_else() -> None:
    takes(Stranger(TAR, layer=gzipped(TAR[:1000]) + gzipped(TAR[1000:]) + gzipped(b"")))
    for layer in (gzipped(TAR) + b"\0", gzipped(TAR)[:-1], gzipped(TAR)[:-8] + bytes(8), gzipped(TAR)[:40], b""):
        refuses("BI-10", Stranger(TAR, layer=layer))


def test_bi_10_zstd_frames_and_nothing_else() -> None:
    zstandard = pytest.importorskip("zstandard", reason="needs the package zstandard, or Python 3.14")
    one, two = (zstandard.ZstdCompressor(write_checksum=True).compress(part) for part in (TAR[:1000], TAR[1000:]))
    takes(Stranger(TAR, layer_type=ZSTD[0], layer=skippable(b"about") + one + two + skippable(b"")))
    summed = two[:-1] + bytes([two[-1] ^ 1])
    wants_dictionary = zstd_frame(b"\x01\0\0", header=b"\x21\x07\x01")
    for layer in (one + two + b"\0", one + two[:-1], one + summed, one + two[:40], one + two + wants_dictionary, b""):
        refuses("BI-10", Stranger(TAR, layer_type=ZSTD[0], layer=layer))


@pytest.mark.parametrize(
    "tar",
    [
        b"", OBJECT, bytes(100), TAR[:600], archive(entry("a.o", OBJECT, checksum=b"0000000\0")),
        archive(entry("a.o", OBJECT, size=b"\xff" * 12)), archive(entry("a.o", OBJECT, size=1 << 30)),
        archive(entry("x/", kind=b"5", size=512), entry("a.o", OBJECT)), TAR + TAR,
        archive(pax(path="a.o"), pax(path="b.o"), entry("c.o", OBJECT)), archive(entry("a.o", OBJECT), pax(path="b.o")),
        archive(pax(kind=b"g", path="b.o"), entry("a.o", OBJECT)),
    ],
)  # fmt: skip
def test_bi_11_archives(tar: bytes) -> None:
    refuses("BI-11", Stranger(tar))


def test_bi_11_forms_that_are_read() -> None:
    takes(Stranger(archive(entry("a.o", OBJECT, magic=bytes(8), kind=b"\0"))))
    takes(Stranger(archive(entry("a.o", OBJECT, magic=b"ustar  \0"))))
    takes(Stranger(archive(pax(path="b.o", size=str(len(OBJECT))), entry("a.o", OBJECT, size=0))))
    takes(Stranger(archive(entry("L", b"b.o\0", kind=b"L"), entry("a.o", OBJECT))))
    takes(Stranger(archive(entry("a.o", OBJECT), end=b"")))
    takes(Stranger(archive(entry("a.o", OBJECT), end=bytes(20 * 512))))


@pytest.mark.parametrize(
    "other",
    [
        entry("l", kind=b"1", link=b"a.o"), entry("l", kind=b"2", link=b"/etc/shadow"), entry("d", kind=b"3"),
        entry("d", kind=b"4"), entry("p", kind=b"6"), entry("s", kind=b"S"), entry("u", kind=b"Q"), entry("/b.o"),
        entry("../b.o"), entry("x/../b.o"), entry("x//b.o"), entry("b\n.o"), entry(b"\xff.o"), entry(".wh.a.o"),
        entry(".wh..wh..opq"), entry("a.o"), entry("./a.o"), pax(path="/etc/passwd") + entry("b"),
    ],
)  # fmt: skip
def test_bi_12_entries(other: bytes) -> None:
    refuses("BI-12", Stranger(archive(entry("a.o", OBJECT), other)))
    refuses("BI-12", Stranger(archive(other, entry("a.o", OBJECT))))


def test_bi_15_the_object_is_found_by_what_it_is_and_stays_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    takes(Stranger(archive(entry("./", kind=b"5"), entry("./any-name", OBJECT))))
    takes(Stranger(archive(entry("sh", HOST_ELF), entry("README.o", b"text"), entry("bpf/x.o", OBJECT))))
    refuses("BI-15", Stranger(archive()))
    refuses("BI-15", Stranger(archive(entry("a.o", b"text"))))
    two = Stranger(archive(entry("a.o", OBJECT), entry("b.o", OBJECT)))
    refuses("BI-15", two)
    takes(two, object_name="b.o")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "data", [HOST_ELF, OBJECT[:63], OBJECT[:16] + b"\2" + OBJECT[17:], OBJECT[:4] + b"\1" + OBJECT[5:]]
)
def test_bi_16_the_header_is_that_of_an_object(data: bytes) -> None:
    with pytest.raises(BytecodeError):
        Stranger(archive(entry("a.o", data))).fetch()


@pytest.mark.parametrize(
    "labels",
    [
        [], "x", {"a": 1}, {"io.ebpf.programs": "[]", "io.ebpf.maps": "{}"}, {"io.ebpf.programs": '{"a":["xdp"]}'},
        {"io.ebpf.maps": '{"a":1}'}, {"io.ebpf.programs": '{"\\u001b":"xdp"}'}, {"io.ebpf.programs": '{"":"xdp"}'},
        {"io.ebpf.programs": "oops"}, {"io.ebpf.programs": '{"%s":"xdp"}' % ("n" * 513)},
    ],
)  # fmt: skip
def test_bi_21_labels_are_strings_of_strings(labels: Any) -> None:
    refuses("BI-21", Stranger(labels=labels))


def test_bi_22_the_object_decides_and_a_difference_is_said() -> None:
    lie = takes(Stranger(labels={"io.ebpf.programs": '{"pass":"kprobe","other":"tc"}', "io.ebpf.maps": '{"m":"hash"}'}))
    assert [program.name for program in lie.object.programs] == ["pass"]
    assert {finding.about for finding in lie.check() if finding.rule == "BI-22"} == {
        "io.ebpf.programs: pass", "io.ebpf.programs: other", "io.ebpf.maps: m",
    }  # fmt: skip
    assert takes(Stranger()).check() == ()


def test_bi_23_older_labels_and_none() -> None:
    v1 = {"io.ebpf.program_name": "n", "io.ebpf.bpf_function_name": "pass", "io.ebpf.program_type": "xdp"}
    assert takes(Stranger(labels=v1)).labels == Labels({"pass": "xdp"}, {}, "v1")
    assert takes(Stranger(labels={**v1, "io.ebpf.programs": ""})).labels.generation == "v1"
    empty = takes(Stranger(labels={"io.ebpf.programs": "", "io.ebpf.maps": ""}))
    assert empty.labels == takes(Stranger(labels={})).labels == Labels({}, {}, "incomplete")
    assert takes(Stranger(config={"config": None})).labels.generation == "incomplete"
    assert "BI-23" in {finding.rule for finding in empty.check()}


def test_bi_24_bi_25_machines() -> None:
    refuses("BI-24", Stranger(config={"architecture": "bpfel"}))
    refuses("BI-25", Stranger(), platform=Platform("linux", "s390x"))
    refuses("BI-25", Stranger(archive(entry("a.o", BIG_ENDIAN))))
    assert takes(Stranger(config={"architecture": "arm64"})).platform == Platform("linux", "arm64")


def test_bi_26_another_architecture_of_the_same_byte_order_is_read_and_said() -> None:
    riscv64 = Platform("linux", "riscv64")
    image = takes(Stranger(), platform=riscv64)
    assert image.check() == image.check(AMD64) == ()
    (finding,) = image.check(riscv64)
    assert (finding.rule, finding.about) == ("BI-26", "linux/amd64")
    assert "made for linux/amd64, this machine is linux/riscv64" in finding.message
    assert (image.made_elsewhere(riscv64), image.made_elsewhere(AMD64)) == (finding.message, "")


def test_bi_27_limits() -> None:
    defaults = Limits()
    mib = 1 << 20
    assert (defaults.manifest, defaults.config, defaults.label_value, defaults.json_depth) == (
        4 * mib,
        4 * mib,
        mib // 4,
        64,
    )
    assert (defaults.layer, defaults.unpacked, defaults.ratio, defaults.ratio_from) == (64 * mib, 256 * mib, 200, mib)
    assert (defaults.members, defaults.tar_members, defaults.tar_extensions) == (1024, 1024, mib)
    assert (1 << defaults.zstd_window_log, defaults.zstd_blocks) == (32 * mib, 65_536)
    assert defaults.object == 64 * mib
    refuses("BI-27", Stranger(config={"padding": "a" * (4 * mib)}))
    refuses("BI-27", Stranger(labels={**LABELS, "io.ebpf.maps": "{" + " " * (mib // 4) + "}"}))
    refuses("BI-27", Stranger(layer=bomb(256) * 8))
    refuses("BI-27", Stranger(layer=gzipped(b"") * 1025))
    pytest.importorskip("zstandard", reason="needs the package zstandard, or Python 3.14")
    nothing, window = zstd_frame(b"\x01\0\0"), zstd_frame(b"\x01\0\0", header=b"\0\x80")
    for layer in (zstd_bomb(65_536), nothing * 1025, zstd_frame(bytes(3) * 65_536 + b"\x01\0\0"), window):
        refuses("BI-27", Stranger(layer_type=ZSTD[0], layer=layer))
    refuses("BI-27", Stranger(archive(*(entry(f"{n}", b"") for n in range(1025)))))
    refuses("BI-27", Stranger(archive(*(pax(comment="c" * 60_000) for _ in range(18)), entry("a.o", OBJECT))))


def test_bi_27_a_size_is_refused_before_a_byte_is_fetched() -> None:
    class Promise(Memory):
        def fetch(self, descriptor: Descriptor, *, limit: int = 0) -> bytes:
            asked.append(descriptor.media_type)
            return super().fetch(descriptor, limit=1 << 40)

    asked: list[str] = []
    stranger = Stranger()
    manifest = json.loads(stranger.memory.fetch(stranger.descriptor))
    for part, size in (("config", (4 << 20) + 1), ("layers", (64 << 20) + 1)):
        document = json.loads(json.dumps(manifest))
        (document["config"] if part == "config" else document["layers"][0])["size"] = size
        raw = json.dumps(document).encode()
        promise = Promise(repository())
        promise._content = dict(stranger.memory._content)
        promise._content[Digest.of(raw)] = raw
        descriptor = Descriptor(stranger.descriptor.media_type, Digest.of(raw), len(raw))
        asked.clear()
        with pytest.raises(ImageError) as caught:
            BytecodeImage.fetch(promise, descriptor, AMD64)
        assert caught.value.rules == ("BI-27",)
        assert document[part] not in asked
        assert len(asked) == (1 if part == "config" else 2)


def test_bi_30_the_entry_for_the_platform() -> None:
    stranger = Stranger(config={"architecture": "arm", "variant": "v6"})
    arm = replace(stranger.descriptor, platform=Platform("linux", "arm", "v6"))
    attestation = replace(stranger.descriptor, platform=Platform("unknown", "unknown"))

    def fetch(top: Descriptor, platform: Platform) -> BytecodeImage:
        return BytecodeImage.fetch(stranger.memory, top, platform)

    assert fetch(stranger.listed(attestation, arm), Platform("linux", "arm", "v7")).bytecode == OBJECT
    nested = replace(stranger.listed(arm), platform=AMD64)
    lying = replace(stranger.descriptor, platform=AMD64)
    for top in (stranger.listed(attestation), stranger.listed(), stranger.listed(nested), stranger.listed(lying)):
        with pytest.raises(ImageError) as caught:
            fetch(top, AMD64)
        assert caught.value.rules == ("BI-30",)


def test_bi_35_only_digests_are_used_after_the_tag_was_resolved() -> None:
    class NoTags(Memory):
        def resolve(self, selector: object) -> Descriptor:
            raise AssertionError(f"asked for {selector}")

    stranger = Stranger()
    source = NoTags(repository())
    copy_from = stranger.memory._content
    source._content = dict(copy_from)
    assert BytecodeImage.fetch(source, stranger.descriptor, AMD64).descriptor == stranger.descriptor


DAMAGED: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "a key twice": lambda parts: b'{"layers":[],' + json.dumps(parts).encode()[1:],
    "NaN": lambda parts: json.dumps(parts | {"a": float("nan")}).encode(),
    "deep": lambda parts: json.dumps(parts).encode()[:-1] + b',"a":' + b"[" * 1000 + b"]" * 1000 + b"}",
    "a list": lambda _: b"[]",
    "no UTF-8": lambda parts: json.dumps(parts).encode()[:-1] + b',"a":"\xff"}',
    "schema 1": lambda parts: json.dumps(parts | {"schemaVersion": 1}).encode(),
    "another type": lambda parts: json.dumps(parts | {"mediaType": parts["config"]["mediaType"]}).encode(),
    "both lists": lambda parts: json.dumps(parts | {"manifests": []}).encode(),
    "no config": lambda parts: json.dumps({name: parts[name] for name in parts if name != "config"}).encode(),
    "a size with a point": lambda parts: changed_size(parts, 2583.0),
    "a size that is true": lambda parts: changed_size(parts, True),
    "a negative size": lambda parts: changed_size(parts, -1),
    "a size beyond a double": lambda parts: changed_size(parts, 2**70),
    "a digest of another kind": lambda parts: json.dumps(parts).replace("sha256:", "md5:").encode(),
    "annotations of numbers": lambda parts: json.dumps(parts | {"annotations": {"a": 1}}).encode(),
    "an artifact type that is a list": lambda parts: json.dumps(parts | {"artifactType": ["a/b"]}).encode(),
    "257 layers": lambda parts: json.dumps(parts | {"layers": parts["layers"] * 257}).encode(),
}


def changed_size(parts: dict[str, Any], size: Any) -> bytes:
    return json.dumps(parts | {"layers": [parts["layers"][0] | {"size": size}]}).encode()


@pytest.mark.parametrize("damage", DAMAGED)
def test_bi_61_manifests_are_strict(damage: str) -> None:
    good = Stranger()
    raw = DAMAGED[damage](json.loads(good.memory.fetch(good.descriptor)))
    descriptor = Descriptor(good.descriptor.media_type, Digest.of(raw), len(raw))
    good.memory.push(replace(descriptor, media_type="application/octet-stream"), raw)
    with pytest.raises(ImageError) as caught:
        BytecodeImage.fetch(good.memory, descriptor, AMD64)
    assert caught.value.rules == ("BI-61",), caught.value


def test_bi_61_indexes_are_strict() -> None:
    one = Stranger()
    entry_ = replace(one.descriptor, platform=AMD64)
    whole = json.loads(one.memory.fetch(one.listed(entry_)))
    for raw in (
        b'{"manifests":[],' + json.dumps(whole).encode()[1:],
        json.dumps(whole | {"layers": []}).encode(),
        json.dumps(whole | {"manifests": whole["manifests"] * 257}).encode(),
    ):
        descriptor = Descriptor(whole["mediaType"], Digest.of(raw), len(raw))
        one.memory.push(replace(descriptor, media_type="application/octet-stream"), raw)
        with pytest.raises(ImageError) as caught:
            BytecodeImage.fetch(one.memory, descriptor, AMD64)
        assert caught.value.rules == ("BI-61",)
