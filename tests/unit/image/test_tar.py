"""The tar reader: what writers in the field make, and what nobody should."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile

import pytest

from bpfimg.errors import ImageError
from bpfimg.image._layer import tar_of
from bpfimg.image._limits import Limits
from bpfimg.image._tar import regular_files
from tests.support.tars import END, GNU, V7, archive, entry, pax, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

BODY = b"\x7fELF body"


def names(tar: bytes) -> dict[str, bytes]:
    return {name: bytes(content) for name, content in regular_files(tar).items()}


def refused(tar: bytes, rule: str, sentence: str) -> None:
    with pytest.raises(ImageError, match=sentence) as caught:
        regular_files(tar)
    assert caught.value.rules == (rule,)


@pytest.mark.parametrize(
    ("tar", "name"),
    [
        (archive(entry("a.o", BODY)), "a.o"),
        (archive(entry("./a.o", BODY)), "a.o"),
        (archive(entry("./", kind=b"5"), entry("./a.o", BODY)), "a.o"),
        (archive(entry(".", kind=b"5"), entry("bpf/", kind=b"5"), entry("bpf/a.o", BODY)), "bpf/a.o"),
        (archive(entry("a.o", BODY, kind=b"\0", magic=V7)), "a.o"),
        (archive(entry("a.o", BODY, magic=GNU, prefix=b"not a prefix")), "a.o"),
        (archive(entry("a.o", BODY, prefix=b"deep/er")), "deep/er/a.o"),
        (archive(pax(path="long" * 60), entry("short", BODY)), "long" * 60),
        (archive(pax(path="b.o", size=str(len(BODY)), mtime="1.5"), entry("short", BODY, size=0)), "b.o"),
        (archive(pax(kind=b"g", comment="git"), entry("a.o", BODY)), "a.o"),
        (archive(entry("././@LongLink", b"l" * 120 + b"\0", kind=b"L"), entry("l", BODY)), "l" * 120),
        (archive(entry("a.o", BODY), end=b""), "a.o"),
        (archive(entry("a.o", BODY), end=bytes(512)), "a.o"),
        (archive(entry("a.o", BODY), end=bytes(10240)), "a.o"),
        (archive(entry("a.o", BODY, size=b"%11o " % len(BODY))), "a.o"),
        (archive(entry("a.o", BODY, size=b"\x80" + len(BODY).to_bytes(11, "big"))), "a.o"),
        (archive(entry("grüße.o", BODY)), "grüße.o"),
    ],
)
def test_reads_the_shapes_that_writers_make(tar: bytes, name: str) -> None:
    assert names(tar) == {name: BODY}


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_reads_what_the_standard_library_writes(form: int) -> None:
    out = io.BytesIO()
    long = "folder/" * 20 + "a.o"
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name in ("folder", "x.o") if form == tarfile.USTAR_FORMAT else ("folder", "x.o", long):
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE if name == "folder" else tarfile.REGTYPE
            info.size = 0 if name == "folder" else len(BODY)
            tar.addfile(info, io.BytesIO(BODY))
    expected = {"x.o": BODY} | ({} if form == tarfile.USTAR_FORMAT else {long: BODY})
    assert names(out.getvalue()) == expected


def test_other_readers_take_what_we_write(tmp_path: Path) -> None:
    ours = tar_of("xdp_pass.bpf.o", BODY, modified=1_700_000_000)
    with tarfile.open(fileobj=io.BytesIO(ours)) as tar:
        (info,) = tar.getmembers()
        assert (info.name, info.mode, info.uid, info.gid, info.uname, info.mtime) == (
            "xdp_pass.bpf.o", 0o644, 0, 0, "", 1_700_000_000,
        )  # fmt: skip
        member = tar.extractfile(info)
        assert member is not None
        assert member.read() == BODY
    assert names(ours) == {"xdp_pass.bpf.o": BODY}
    if shutil.which("tar") is None:
        pytest.skip("needs tar to ask it, too")
    (tmp_path / "x.tar").write_bytes(ours)
    said = subprocess.run(["tar", "-tvf", tmp_path / "x.tar"], capture_output=True, text=True, check=True)
    assert "-rw-r--r-- 0/0" in said.stdout
    assert said.stderr == ""


@pytest.mark.parametrize(
    ("kind", "word"),
    [(b"1", "hard link"), (b"2", "symbolic link"), (b"3", "character device"), (b"4", "block device"),
     (b"6", "named pipe"), (b"7", "contiguous"), (b"S", "sparse"), (b"V", "volume"), (b"K", "long target"),
     (b"Z", "unknown type"), (b"\xff", "unknown type"), (b"X", "unknown type")],
)  # fmt: skip
def test_refuses_all_that_is_no_file_or_folder(kind: bytes, word: str) -> None:
    refused(archive(entry("a.o", kind=kind, link=b"/etc/shadow")), "BI-12", word)


@pytest.mark.parametrize(
    ("name", "word"),
    [("/a.o", "absolute"), ("//a.o", "absolute"), ("../a.o", "not plain"), ("x/../../a.o", "not plain"),
     ("x/./a.o", "not plain"), ("x//a.o", "not plain"), ("a.o/", "not plain"), ("..", "not plain"),
     (".wh.a.o", "whiteout"), (".wh..wh..opq", "whiteout"), ("x/.wh.a.o", "whiteout"), ("", "printable"),
     ("a\n.o", "printable"), ("\x1b[2Ja.o", "printable"), ("a\u202eo.", "printable"), (b"\xff\xfe.o", "UTF-8")],
)  # fmt: skip
def test_refuses_names_that_are_not_plain(name: str, word: str) -> None:
    refused(archive(entry(name, BODY)), "BI-12", word)
    if isinstance(name, str) and name:
        refused(archive(pax(path=name), entry("a.o", BODY)), "BI-12", word)


@pytest.mark.parametrize("second", ["a.o", "./a.o", "././a.o"])
def test_refuses_a_name_that_stands_twice(second: str) -> None:
    refused(archive(entry("a.o", BODY), entry(second, BODY)), "BI-12", "two entries named 'a.o'")
    refused(archive(entry("a.o/", kind=b"5"), entry(second, BODY)), "BI-12", "two entries named 'a.o'")


NEGATIVE = b"\xff" * 12


@pytest.mark.parametrize(
    ("tar", "sentence"),
    [
        (b"", "cut at byte 0"),
        (BODY, "cut at byte 9"),
        (bytes(100), "cut at byte 100"),
        (b"x" * 512, "as a number|checksum"),
        (archive(entry("a.o", BODY, size=NEGATIVE)), "expected octal"),
        (archive(entry("a.o", BODY, size=b"\x80" + b"\xff" * 11)), "left in the archive"),
        (archive(entry("a.o", BODY, size=b"77777777777\0")), "left in the archive"),
        (archive(entry("a.o", BODY, size=b"-0000000001\0")), "expected octal"),
        (archive(entry("a.o", BODY, size=b"0000 000011\0")), "expected octal"),
        (archive(entry("a.o", BODY, size=b"00000000019\0")), "expected octal"),
        (archive(entry("a.o", BODY, checksum=b"000000\0 ")), "wrong header checksum"),
        (entry("a.o", BODY)[:512], "left in the archive"),
        (entry("a.o", BODY) + b"x" * 511, "cut at byte"),
        (archive(entry("a.o", BODY)) + entry("b.o", BODY), "goes on after its end marker"),
        (archive(entry("a.o", BODY), end=bytes(512)) + entry("b.o", BODY), "goes on after its end marker"),
        (archive(entry("a.o", BODY), end=bytes(5000) + b"\1"), "goes on after its end marker"),
        (archive(entry("x/", kind=b"5", size=512), entry("a.o", BODY)), "directory in the layer says"),
        (archive(pax(path="b.o")), "ends after an extension header"),
        (archive(pax(path="b.o"), pax(path="c.o"), entry("a.o", BODY)), "two extension headers"),
        (archive(pax(path="b.o"), entry("l", b"c.o\0", kind=b"L"), entry("a.o", BODY)), "two extension headers"),
        (archive(pax(kind=b"g", path="b.o"), entry("a.o", BODY)), "names every entry at once"),
        (archive(pax(size="-1"), entry("a.o", BODY)), "as a number"),
        (archive(pax(size="1e3"), entry("a.o", BODY)), "as a number"),
        (archive(pax(size="9" * 30), entry("a.o", BODY)), "as a number"),
        (archive(pax(size="99999"), entry("a.o", BODY)), "left in the archive"),
        (archive(entry("p", b"0 path=a\n", kind=b"x"), entry("a.o", BODY)), "record that is none"),
        (archive(entry("p", b"9 path=ab", kind=b"x"), entry("a.o", BODY)), "record that is none"),
        (archive(entry("p", b"99 path=a\n", kind=b"x"), entry("a.o", BODY)), "record that is none"),
        (archive(entry("p", b"path=a\n", kind=b"x"), entry("a.o", BODY)), "as a number"),
        (archive(entry("p", b"5 a=b\n", kind=b"x"), entry("a.o", BODY)), "record that is none"),
    ],
)
def test_refuses_archives_that_are_none(tar: bytes, sentence: str) -> None:
    refused(tar, "BI-11", sentence)


def test_refuses_sparse_files_of_pax() -> None:
    sparse = entry("p", record("GNU.sparse.major", "1"), kind=b"x")
    refused(archive(sparse, entry("a.o", BODY)), "BI-12", "sparse")


def test_counts_headers_and_bytes_of_extensions() -> None:
    many = archive(*(entry(f"{n}.o", BODY) for n in range(9)))
    assert len(regular_files(many, limits=Limits(tar_members=9))) == 9
    with pytest.raises(ImageError, match="over 8 tar headers"):
        regular_files(many, limits=Limits(tar_members=8))
    wordy = archive(pax(comment="c" * 600), pax(comment="c" * 600), entry("a.o", BODY))
    assert names(wordy) == {"a.o": BODY}
    with pytest.raises(ImageError, match="over 1024 bytes of tar extension"):
        regular_files(wordy, limits=Limits(tar_extensions=1024))


def test_every_cut_of_an_archive_is_an_error_or_ends_at_an_entry() -> None:
    whole = archive(pax(path="b.o"), entry("a.o", BODY), entry("c.o", BODY * 100), end=END)
    for length in range(0, len(whole), 7):
        try:
            found = names(whole[:length])
        except ImageError:
            continue
        assert all(content in (BODY, BODY * 100) for content in found.values())
