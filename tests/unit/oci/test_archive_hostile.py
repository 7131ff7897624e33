"""Archives that lie: refused with one sentence, in bounded time and memory, and nothing written anywhere."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bpfimg.errors import DigestMismatch, Error, ImageError, NotFound, NotSupported, StoreError
from bpfimg.oci import Descriptor, Memory, Repository, copy, places
from tests.support.archives import LAYOUT, config, layer, listed, packed, saved, sha256, write
from tests.support.targets import LAYER, image
from tests.support.tars import END, GNU, bomb, entry, pax, record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REPOSITORY = Repository("registry.test", "acme/xdp")
NAME = "registry.test/acme/xdp:v1"


@pytest.fixture
def good(tmp_path: Path) -> bytes:
    """An archive as we write it."""
    with places.Archive(str(tmp_path / "good.tar"), REPOSITORY) as made:
        image().push(made, "v1")
    raw = (tmp_path / "good.tar").read_bytes()
    (tmp_path / "good.tar").unlink()
    return raw


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path) -> Iterator[None]:
    yield
    assert {path.name for path in tmp_path.iterdir()} <= {"x.tar", "folder"}
    assert not (tmp_path.parent / "escaped").exists()


def opened(tmp_path: Path, raw: bytes, **options: object) -> places.Archive:
    (tmp_path / "x.tar").write_bytes(raw)
    return places.Archive(str(tmp_path / "x.tar"), REPOSITORY, **options)  # type: ignore[arg-type]


def refused(tmp_path: Path, raw: bytes, sentence: str, **options: object) -> None:
    with pytest.raises(Error, match=sentence) as caught:
        opened(tmp_path, raw, **options).resolve("v1")
    assert isinstance(caught.value, StoreError | ImageError | NotSupported)
    assert not isinstance(caught.value, NotFound)
    assert "x.tar" in str(caught.value)
    assert "\n" not in str(caught.value)


NEGATIVE = b"\xff" * 12


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (entry("../escaped", b"x"), "not plain"),
        (entry("blobs/../../escaped", b"x"), "not plain"),
        (entry("/escaped", b"x"), "absolute"),
        (entry("x//y", b"x"), "not plain"),
        (pax(path="../escaped") + entry("x", b"x"), "not plain"),
        (pax(path="nul\0inside") + entry("x", b"x"), "printable"),
        (entry("line\nbreak", b"x"), "printable"),
        (entry(b"\xff\xfe", b"x"), "UTF-8"),
        (entry("", b"x"), "printable"),
        (entry("index.json", b"{}"), "two entries named 'index.json'"),
        (entry("./index.json", b"{}"), "two entries named 'index.json'"),
        (entry("index.json", kind=b"2", link=b"/etc/passwd"), "two entries named"),
        (entry("null", kind=b"3"), "a character device"),
        (entry("sda", kind=b"4"), "a block device"),
        (entry("pipe", kind=b"6"), "a named pipe"),
        (entry("sparse", b"x", kind=b"S", magic=GNU), "a sparse file"),
        (entry("p", record("GNU.sparse.major", "1"), kind=b"x") + entry("x", b"x"), "sparse"),
        (entry("odd", b"x", kind=b"Z"), "unknown type"),
        (entry("x", b"x", size=NEGATIVE), "expected octal"),
        (entry("x", b"x", size=b"\x80" + b"\xff" * 11), "are left in the archive"),
        (entry("x", b"x", size=b"77777777777\0"), "are left in the archive"),
        (entry("x", b"x", size=b"-0000000001\0"), "expected octal"),
        (entry("x", b"x", checksum=b"000000\0 "), "wrong header checksum"),
        (pax(size="-1") + entry("x", b"x"), "as a number"),
        (pax(size="9" * 20) + entry("x", b"x"), "are left in the archive"),
        (pax(kind=b"g", path="index.json") + entry("x", b"x"), "names every entry at once"),
        (END + entry("hidden", b"x"), "goes on after its end marker"),
        (entry("d/", kind=b"5", size=512) + bytes(512), "directory in the file says"),
    ],
)
def test_an_archive_with_one_wrong_entry_is_refused(good: bytes, more: bytes, sentence: str, tmp_path: Path) -> None:
    refused(tmp_path, good.removesuffix(END) + more + END, sentence)


@pytest.mark.parametrize("docker", [False, True])
def test_every_cut_is_an_error_or_harmless(docker: bool, tmp_path: Path) -> None:
    with places.Archive(str(tmp_path / "x.tar"), REPOSITORY, docker=docker) as made:
        one = image()
        one.push(made, "v1")
    raw = (tmp_path / "x.tar").read_bytes()
    lost = 0
    for length in range(0, len(raw) - len(END), 101):
        archive = opened(tmp_path, raw[:length], docker=docker)
        try:
            found = [archive.fetch(archive.resolve("v1")), *(archive.fetch(descriptor) for descriptor, _ in one.blobs)]
        except Error:
            lost += 1
            continue
        assert found == [one.manifest.raw, *(content for _, content in one.blobs)]
        assert length > len(raw) - len(END) - 512, "only padding was cut"
    assert lost


def test_every_flipped_byte_is_an_error_or_harmless(good: bytes, tmp_path: Path) -> None:
    one = image()
    for at in range(0, len(good), 53):
        archive = opened(tmp_path, good[:at] + bytes([good[at] ^ 0x41]) + good[at + 1 :])
        try:
            contents = [archive.fetch(one.descriptor), *(archive.fetch(descriptor) for descriptor, _ in one.blobs)]
        except Error:
            continue
        assert contents == [one.manifest.raw, *(content for _, content in one.blobs)]


def test_wrong_content_is_never_given(tmp_path: Path) -> None:
    one = image()
    wrong = {f"blobs/sha256/{descriptor.digest.hex}": b"x" * descriptor.size for descriptor, _ in one.blobs}
    index = b'{"schemaVersion":2,"manifests":[]}'
    archive = opened(tmp_path, packed({"oci-layout": LAYOUT, "index.json": index, **wrong}))
    for descriptor, _ in one.blobs:
        with pytest.raises(DigestMismatch):
            archive.fetch(descriptor)
        with pytest.raises(DigestMismatch):
            b"".join(archive.stream(descriptor))
        assert not archive.exists(descriptor)


@pytest.mark.parametrize(
    ("link", "reached"),
    [
        ((b"2", "../../real"), True),
        ((b"2", "./../sha256/../../real"), True),
        ((b"1", "real"), True),
        ((b"1", "./real"), True),
        ((b"2", "../../chain"), True),
        ((b"2", "../../../real"), False),
        ((b"2", "/real"), False),
        ((b"2", "/etc/hostname"), False),
        ((b"1", "/etc/hostname"), False),
        ((b"2", "real"), False),
        ((b"2", "../../loop"), False),
        ((b"2", "../../folder"), False),
        ((b"2", ""), False),
        ((b"2", "../../nothing"), False),
    ],
)
def test_links_lead_to_files_of_the_archive_or_to_nothing(
    link: tuple[bytes, str], reached: bool, tmp_path: Path
) -> None:
    content = b"layer"
    layer = Descriptor.of(content, LAYER)
    files = {
        "oci-layout": LAYOUT,
        "index.json": b'{"schemaVersion":2,"manifests":[]}',
        "real": content,
        "chain": (b"2", "link"),
        "link": (b"2", "real"),
        "loop": (b"2", "pool"),
        "pool": (b"2", "loop"),
        "folder/file": content,
        f"blobs/sha256/{layer.digest.hex}": link,
    }
    archive = opened(tmp_path, packed(files))
    if reached:
        assert archive.fetch(layer) == content
    else:
        with pytest.raises(NotFound):
            archive.fetch(layer)


def test_a_chain_of_links_ends(tmp_path: Path) -> None:
    content = b"layer"
    layer = Descriptor.of(content, LAYER)
    chain: dict[str, bytes | tuple[bytes, str]] = {f"l{n}": (b"2", f"l{n + 1}") for n in range(1000)}
    files = {"oci-layout": LAYOUT, "index.json": b'{"schemaVersion":2,"manifests":[]}', **chain, "l1000": content}
    archive = opened(tmp_path, packed({**files, f"blobs/sha256/{layer.digest.hex}": (b"2", "../../l0")}))
    with pytest.raises(NotFound):
        archive.fetch(layer)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match="not a regular file") as caught:
        places.Archive(str(tmp_path / "folder"), REPOSITORY).resolve("v1")
    assert caught.value.hint == f"an image layout in a directory is oci:{tmp_path}/folder"
    os.mkfifo(tmp_path / "x.tar")  # nobody ever writes to it
    with pytest.raises(StoreError, match="not a regular file"):
        places.Archive(str(tmp_path / "x.tar"), REPOSITORY).resolve("v1")
    for device in ("/dev/zero", "/dev/tty"):
        with pytest.raises(StoreError, match=r"not a regular file|cannot read"):
            places.Archive(device, REPOSITORY).resolve("v1")


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "holds no oci-layout"),
        ({"index.json": b"{}"}, "holds no oci-layout"),
        ({"oci-layout": LAYOUT}, "holds no oci-layout"),
        ({"oci-layout": b'{"imageLayoutVersion":"2.0.0"}', "index.json": b"{}"}, "unknown version"),
        ({"oci-layout": b"x" * 70_000, "index.json": b"{}"}, "expected at most 65536"),
        ({"oci-layout": LAYOUT, "index.json": b"{}"}, "no list of manifests"),
        ({"oci-layout": LAYOUT, "index.json": b"[" * 100_000}, "not valid JSON"),
        ({"oci-layout": LAYOUT, "index.json": b" " * ((4 << 20) + 1)}, "expected at most 4194304"),
        ({"deep/oci-layout": LAYOUT, "deep/index.json": b"{}"}, "holds no oci-layout"),
    ],
)
def test_layouts_that_are_none(files: dict[str, bytes], sentence: str, tmp_path: Path) -> None:
    refused(tmp_path, packed(files), sentence)


def test_entries_and_extensions_are_counted(good: bytes, tmp_path: Path) -> None:
    few = places.Limits(archive_entries=20)
    start = good.removesuffix(END)
    many = b"".join(entry(f"n{number}", b"") for number in range(20))
    refused(tmp_path, start + many + END, "over 20 entries", limits=few)
    folders = entry("d/", kind=b"5") * 60
    refused(tmp_path, start + folders + END, "over 40 tar headers", limits=few)
    wordy = (pax(comment="c" * 600) + entry("n", b"")) + (pax(comment="c" * 700) + entry("m", b""))
    refused(tmp_path, start + wordy + END, "bytes of tar extension headers", limits=few)


def test_a_million_entries_take_little_memory(tmp_path: Path) -> None:
    """What is behind the limit is never looked at, here a hole."""
    with (tmp_path / "x.tar").open("wb") as out:
        out.write(b"".join(entry(f"{number}", b"") for number in range(8_200)))
        out.truncate(1_000_000 * 512)
    tracemalloc.start()
    try:
        with pytest.raises(StoreError, match="over 8192 entries"):
            places.Archive(str(tmp_path / "x.tar"), REPOSITORY, limits=places.Limits(archive_entries=8192)).resolve(
                "v1"
            )
        assert tracemalloc.get_traced_memory()[1] < 6 << 20
    finally:
        tracemalloc.stop()


def test_a_huge_hole_is_not_read(good: bytes, tmp_path: Path) -> None:
    """A terabyte of zeros behind the end marker, and as a file."""
    path = tmp_path / "x.tar"
    path.write_bytes(good)
    os.truncate(path, 1 << 40)
    with pytest.raises(StoreError, match="goes on after its end marker"):
        places.Archive(str(path), REPOSITORY).resolve("v1")
    size = 1 << 40
    name = b"blobs/sha256/" + b"0" * 64
    huge = entry(name, b"", size=b"\x80" + size.to_bytes(11, "big"))
    path.write_bytes(good.removesuffix(END) + huge)
    os.truncate(path, path.stat().st_size + size)
    archive = places.Archive(str(path), REPOSITORY)
    assert archive.resolve("v1") == image().descriptor
    with pytest.raises(ImageError, match="expected at most"):
        archive.fetch(Descriptor(LAYER, image().descriptor.digest, size))


@pytest.mark.parametrize("kind", ["gzip", "members", "bzip2", "xz", "cut", "junk", "zstd"])
def test_compressed_archives(kind: str, good: bytes, tmp_path: Path) -> None:
    if kind in ("gzip", "members"):
        half = len(good) // 2
        raw = gzip.compress(good) if kind == "gzip" else gzip.compress(good[:half]) + gzip.compress(good[half:])
        archive = opened(tmp_path, raw)
        assert archive.fetch(archive.resolve("v1")) == image().manifest.raw
        with pytest.raises(StoreError, match="compressed with gzip, expected a plain tar archive to add to"):
            image("two").push(archive, "v2")
    elif kind == "zstd":
        zstandard = pytest.importorskip("zstandard", reason="needs the package zstandard")
        archive = opened(tmp_path, zstandard.compress(good))
        assert archive.fetch(archive.resolve("v1")) == image().manifest.raw
    elif kind == "cut":
        refused(tmp_path, gzip.compress(good)[:-5], "is cut")
    elif kind == "junk":
        refused(tmp_path, gzip.compress(good) + b"junk", "is damaged after its last gzip member")
    else:
        import bz2
        import lzma

        raw = bz2.compress(good) if kind == "bzip2" else lzma.compress(good)
        refused(tmp_path, raw, f"is compressed with {kind}, expected gzip, zstd or none")


def test_bombs_are_refused(tmp_path: Path) -> None:
    refused(tmp_path, bomb(64), "over 200 times its size")
    noise = zlib.compressobj(0, zlib.DEFLATED, 31)
    stored = noise.compress(os.urandom(3 << 20)) + noise.flush()
    refused(tmp_path, stored, "unpacks to over 2097152 bytes", limits=places.Limits(archive=2 << 20))


def test_an_archive_that_changes_while_it_is_read(good: bytes, tmp_path: Path) -> None:
    archive = opened(tmp_path, good)
    found = archive.resolve("v1")
    with (tmp_path / "x.tar").open("r+b") as file:
        file.write(os.urandom(len(good)))
    with pytest.raises(DigestMismatch):
        archive.fetch(found)
    os.truncate(tmp_path / "x.tar", 1000)
    with pytest.raises(DigestMismatch):
        archive.fetch(found)
    with (tmp_path / "x.tar").open("wb") as file:
        file.write(good * 3)
    assert archive.fetch(found) == image().manifest.raw


# docker's list


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"{}", "is no list"),
        (b"[1]", "expected a list of objects"),
        (b'[{"Layers":[]}]', "expected a list of objects"),
        (b'[{"Config":"x","Config":"y"}]', "twice"),
        (b'[{"Config":"x","Layers":[1]}]', "expected a list of texts"),
        (b'[{"Config":"x","RepoTags":"v1"}]', "expected a list of texts"),
        (b"[" * 100_000, "nests deeper"),
        (b"not json", "is not JSON"),
        (b" " * ((4 << 20) + 1), "expected at most 4194304"),
    ],
)
def test_docker_lists_that_are_none(raw: bytes, sentence: str, tmp_path: Path) -> None:
    refused(tmp_path, packed({"manifest.json": raw}), sentence, docker=True)


def test_docker_lists_that_name_too_much(tmp_path: Path) -> None:
    many = listed([{"Config": "c", "RepoTags": [NAME], "Layers": ["l"] * 300}] * 300)
    refused(tmp_path, packed({"manifest.json": many}), "names over 65536 files", docker=True)
    one = layer()
    wide = {"c": config(*[one] * 300), "l": one}
    many = listed([{"Config": "c", "RepoTags": [NAME], "Layers": ["l"] * 300}])
    refused(tmp_path, packed({"manifest.json": many, **wide}), "at most 256", docker=True)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"c": None}, "has no file 'c'"),
        ({"l": None}, "has no file 'l'"),
        ({"l": (b"2", "/etc/hostname")}, "has no file 'l'"),
        ({"l": (b"2", "../l2")}, "has no file 'l'"),
        ({"c": b"{}"}, r"no list rootfs\.diff_ids"),
        ({"c": b'{"rootfs":{"diff_ids":[1]}}'}, r"no list rootfs\.diff_ids"),
        ({"c": b'{"rootfs":{"diff_ids":[]}}'}, "1 layers of an image whose config has 0"),
        ({"c": b"[]"}, "expected a JSON object"),
        ({"c": b" " * ((4 << 20) + 1)}, "expected at most 4194304"),
        ({"l": layer("other")}, "the image config says 'sha256:"),
        ({"l": gzip.compress(layer("other"))}, "the image config says 'sha256:"),
        ({"l": gzip.compress(layer())[:-3]}, "is cut"),
        ({"l": bomb(64)}, "over 200 times its size"),
        ({"l": b"BZh91AY&SY"}, "compressed with bzip2"),
    ],
)
def test_docker_images_whose_parts_lie(change: dict[str, bytes | None], sentence: str, tmp_path: Path) -> None:
    files = {
        "c": config(layer()),
        "l": layer(),
        "manifest.json": listed([{"Config": "c", "RepoTags": [NAME], "Layers": ["l"]}]),
    }
    files = {name: content for name, content in {**files, **change}.items() if content is not None}  # type: ignore[misc]
    refused(tmp_path, packed(files), sentence, docker=True)


def test_layers_of_all_images_together_are_bounded(tmp_path: Path) -> None:
    layers = [layer("x" * 700_000 + str(number)) for number in range(4)]
    files = {f"l{number}": one for number, one in enumerate(layers)}
    files |= {f"c{number}": config(one) for number, one in enumerate(layers)}
    images = [{"Config": f"c{n}", "RepoTags": [f"acme/n{n}:v1"], "Layers": [f"l{n}"]} for n in range(4)]
    raw = packed({**files, "manifest.json": listed(images)})
    archive = opened(tmp_path, raw, docker=True, limits=places.Limits(archive=2 << 20))
    with pytest.raises(ImageError, match="the limit"):
        archive.resolve(image().descriptor.digest)  # all of them are looked at
    whole = opened(tmp_path, raw, docker=True)
    with pytest.raises(NotFound):
        whole.resolve(image().descriptor.digest)


def test_nothing_of_an_archive_is_ever_in_a_file(tmp_path: Path) -> None:
    """The system calls of a reader: no file is opened for writing, none is made."""
    path = write(tmp_path / "x.tar", saved(NAME))
    code = (
        "import sys\n"
        "from bpfimg.oci import Memory, Repository, copy, places\n"
        f"archive = places.Archive({path!r}, Repository('registry.test', 'acme/xdp'), docker=True)\n"
        "made = []\n"
        "def seen(event, words):\n"
        "    if event == 'open' and words[2] & 0o103: made.append(words[0])\n"
        "    if event in ('os.mkdir', 'os.link', 'os.symlink', 'os.rename'): made.append(event)\n"
        "sys.addaudithook(seen)\n"
        "copy(archive, 'v1', Memory(archive.repository), 'v1')\n"
        "assert not made, made\n"
        "assert 'tarfile' not in sys.modules and 'shutil' not in sys.modules, 'reads headers itself'\n"
    )
    done = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert sha256(layer()) not in os.listdir(tmp_path)


SEEDS = [packed(saved(NAME, form=form)) for form in ("docker", "podman", "crane")]
WORDS = (
    b'"',
    b"{",
    b"]",
    b"null",
    b"../",
    b"/",
    b"\0",
    NEGATIVE,
    b"7" * 11,
    b"2",
    b"x",
    b"L",
    b"5",
    b"sha256:",
    b"1e9",
)
changes = st.lists(st.tuples(st.integers(0, 20_000), st.sampled_from(WORDS) | st.binary(max_size=3)), max_size=4)


def summed(raw: bytes) -> bytes:
    """The archive with every header's checksum right: what is wrong in it gets past the first look."""
    blocks = [raw[at : at + 512] for at in range(0, len(raw), 512)]
    for number, block in enumerate(blocks):
        if block[257:262] == b"ustar" and len(block) == 512:
            blank = block[:148] + b" " * 8 + block[156:]
            blocks[number] = blank[:148] + b"%06o\0 " % sum(blank) + blank[156:]
    return b"".join(blocks)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(SEEDS), changes, st.booleans())
def test_whatever_bytes_arrive(tmp_path: Path, seed: bytes, edits: list[tuple[int, bytes]], docker: bool) -> None:
    for position, new in edits:
        at = position % len(seed)
        seed = seed[:at] + new + seed[at + len(new) :]
    path = tmp_path / "x.tar"
    path.write_bytes(summed(seed))
    said: list[Error] = []
    try:
        with places.Archive(str(path), REPOSITORY, docker=docker) as archive:
            image().push(archive, "new")
    except Error as error:
        said.append(error)
    if said:
        assert path.read_bytes() == summed(seed)
    else:
        assert places.Archive(str(path), REPOSITORY, docker=docker).resolve("new") == image().descriptor
    try:
        found, selector = places.Archive.named(f"{path}:{NAME}", docker=docker)
        copy(found, selector, Memory(REPOSITORY), "v1")
    except Error as error:
        said.append(error)
    assert all(str(error).isprintable() for error in said)
