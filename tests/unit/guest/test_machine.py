"""The words that start a guest: what it has, and above all what it has not."""

from __future__ import annotations

import itertools

import pytest

from bpfimg.guest._ask import Question, ask
from bpfimg.guest._machine import Tools, command, question_files


@pytest.mark.parametrize("nobody", [True, False])
def test_a_guest_has_no_network_no_disk_and_no_file_of_this_machine(nobody: bool) -> None:
    argv = command(Tools("/usr/bin/qemu-system-x86_64", "/usr/bin/setpriv", nobody), 3, 4, 5, 6)
    qemu = argv[argv.index("/usr/bin/qemu-system-x86_64") :]
    pairs = dict(itertools.pairwise(qemu))
    assert pairs["-net"] == "none"
    assert pairs["-accel"].startswith("tcg")
    assert "spawn=deny" in pairs["-sandbox"]
    assert {"-nodefaults", "-no-user-config", "-no-reboot"} < set(qemu)
    assert not {"-drive", "-fsdev", "-virtfs", "-netdev", "-device", "-monitor", "-qmp", "-enable-kvm"} & set(qemu)
    assert not any("kvm" in word for word in argv)
    assert (pairs["-kernel"], pairs["-initrd"]) == ("/dev/fd/3", "/dev/fd/4")
    assert "--pdeathsig" in argv[: argv.index("/usr/bin/qemu-system-x86_64")]
    assert ("--reuid" in argv) == nobody


def test_the_question_is_in_a_folder_of_its_own() -> None:
    files = Question("agent", ("a b", "ä"), (("object", b"\x7fELF"),))
    archive = question_files(files, b"first", "6.1.0", b"CONFIG_BPF=y").archive()
    for part in (b"question/object\0", b"\x7fELF", b'"words": ["a b", "\\u00e4"]', b"boot/config-6.1.0\0"):
        assert part in archive
    assert b"boot/config" not in question_files(files, b"first", "6.1.0", b"").archive()


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "", "a" * 65, "a\n"])
def test_a_questions_files_have_plain_names(name: str) -> None:
    with pytest.raises(ValueError, match="expected plain ones"):
        ask([], Question("agent", (), ((name, b""),)))
