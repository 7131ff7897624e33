"""Mount points by type, from the text of a mountinfo file."""

from __future__ import annotations

from bpfimg.kernel._mounts import found_in

TEXT = """\
22 1 254:0 / / rw,relatime - ext4 /dev/root rw
31 23 0:7 / /sys/kernel/debug rw,nosuid shared:17 - debugfs debugfs rw
63 43 0:13 / /sys/kernel/tracing rw,relatime shared:18 master:2 - tracefs tracefs rw
64 43 0:13 / /mnt/with\\040space rw,relatime - tracefs tracefs rw
65 43 0:13 /events /mnt/part rw,relatime - tracefs tracefs rw
66 43 0:44 / /sys/fs/bpf rw - bpf bpf rw,mode=700
"""


def test_whole_filesystems_of_a_type_in_order() -> None:
    assert found_in(TEXT, "tracefs") == ["/sys/kernel/tracing", "/mnt/with space"]
    assert found_in(TEXT, "bpf") == ["/sys/fs/bpf"]


def test_none() -> None:
    assert found_in(TEXT, "cgroup2") == []
    assert found_in("", "bpf") == []
    assert found_in("garbage - bpf\n", "bpf") == []


def test_a_directory_may_be_called_as_lines_end_elsewhere() -> None:
    name = "/mnt/a\x0cb\r\u2028c"
    assert found_in(f"64 43 0:13 / {name} rw - tracefs tracefs rw\n", "tracefs") == [name]
