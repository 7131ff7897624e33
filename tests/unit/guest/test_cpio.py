"""The initramfs, read back by a reader of its own; that kernels unpack it, tests/guest/test_matrix.py shows."""

from __future__ import annotations

from bpfimg.guest._cpio import Tree


def entries(archive: bytes) -> list[tuple[str, int, bytes, tuple[int, int]]]:
    found, at = [], 0
    while at < len(archive):
        assert at % 4 == 0
        assert archive[at : at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * number : at + 14 + 8 * number], 16) for number in range(13)]
        mode, size, device, length = fields[1], fields[6], (fields[9], fields[10]), fields[11]
        name = archive[at + 110 : at + 110 + length]
        assert name.endswith(b"\0")
        at += 110 + length
        at += -at % 4
        found.append((name[:-1].decode("utf-8", "surrogateescape"), mode, archive[at : at + size], device))
        at += size + -size % 4
    return found


def test_an_archive_has_folders_before_what_is_in_them_and_each_name_once() -> None:
    tree = Tree()
    tree.file("/usr/bin/a", b"one", 0o755)
    tree.file("usr//bin/a", b"two")
    tree.link("/bin", "usr/bin")
    tree.device("/dev/null", 1, 3)
    tree.folder("/usr")
    tree.file("/\udcff\xe4", b"")
    assert entries(tree.archive()) == [
        ("usr", 0o040755, b"", (0, 0)),
        ("usr/bin", 0o040755, b"", (0, 0)),
        ("usr/bin/a", 0o100755, b"one", (0, 0)),
        ("bin", 0o120777, b"usr/bin", (0, 0)),
        ("dev", 0o040755, b"", (0, 0)),
        ("dev/null", 0o020600, b"", (1, 3)),
        ("\udcff\xe4", 0o100644, b"", (0, 0)),
        ("TRAILER!!!", 0, b"", (0, 0)),
    ]
    assert "/usr/bin/a" in tree
    assert "/usr/bin/b" not in tree
