"""iter: the kernel walks its things, the program writes about them, and nothing stays."""

from __future__ import annotations

import os
import struct
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import AttachError, UsageError
from bpfimg.kernel import bpf, bpffs
from bpfimg.run import once
from tests.support import believed, loads
from tests.support.features import hook, needs
from tests.support.objects import compile_source, example

if TYPE_CHECKING:
    from typing import Any

    from bpfimg.load import Host
    from tests.support.cgroups import Cgroup

pytestmark = [pytest.mark.kernel, hook("iter")]

_WRITER = """
struct seq_file;
struct bpf_iter_meta { struct seq_file *seq; } __attribute__((preserve_access_index));
static long (*seq_write)(struct seq_file *, const void *, __u32) = (void *)127;
"""


@pytest.fixture(autouse=True)
def _needed() -> None:
    needs("iter")


def text(host: Host, data: bytes, walk: once.Walk | None = None, **more: Any) -> bytes:
    found: list[bytes] = []
    with loads.nothing_left(host):
        done = once.iterate(host, *believed.image(data), found.append, walk=walk, **more)
    assert done.id > 0
    return b"".join(found)


def test_every_process_has_a_line(host: Host) -> None:
    lines = text(host, example("iter_task")).decode().splitlines()
    own = Path("/proc/self/comm").read_text(encoding="ascii").strip()
    assert f"{os.getpid():8}  {own}" in lines
    assert len(lines) > 3
    assert not os.path.exists(host.directory), "nothing is pinned"


def test_one_process_alone(host: Host) -> None:
    lines = text(host, example("iter_task"), once.Walk(pid=os.getpid())).decode().splitlines()
    assert [int(line.split()[0]) for line in lines] == [os.getpid()]


def test_entries_of_a_map(host: Host) -> None:
    """One of the image's own, and one that is in the kernel already, by its id."""
    data = compile_source(
        _WRITER
        + """
struct { __uint(type, 2); __uint(max_entries, 3); __type(key, __u32); __type(value, __u64); } own SEC(".maps");
struct ctx { struct bpf_iter_meta *meta; void *map; __u32 *key; __u64 *value; } __attribute__((preserve_access_index));
SEC("iter/bpf_map_elem") int entries(struct ctx *ctx)
{
	__u64 *value = ctx->value;
	if (value)
		seq_write(ctx->meta->seq, value, 8);
	return 0;
}
char LICENSE[] SEC("license") = "GPL";
""".replace("struct ctx", "struct bpf_iter__bpf_map_elem")
    )
    assert text(host, data, once.Walk(map="own")) == bytes(24)
    with bpf.map_create(2, 4, 8, 3) as other:
        for key in range(3):
            bpf.map_update(other, struct.pack("=I", key), struct.pack("=Q", key + 7))
        walked = text(host, data, once.Walk(map=str(bpf.map_info(other).id)))
    assert struct.unpack("=3Q", walked) == (7, 8, 9)
    store = believed.image(data)
    with loads.nothing_left(host):
        with pytest.raises(UsageError, match="walks the entries of a map, expected --map"):
            once.iterate(host, *store, bytes)
        with pytest.raises(UsageError, match="there is no map 'nope', expected an id, the path of a pin or own"):
            once.iterate(host, *store, bytes, walk=once.Walk(map="nope"))
        with pytest.raises(UsageError, match="--pid does not go with program entries, which walks bpf_map_elem"):
            once.iterate(host, *store, bytes, walk=once.Walk(map="own", pid=1))
        number = bpffs.write_record(f"{host.bpffs}/record", "{}")
        try:
            for word in (str(number), f"{host.bpffs}/record"):
                with pytest.raises(UsageError, match="is a record of bpfimg, expected a map for programs"):
                    once.iterate(host, *store, bytes, walk=once.Walk(map=word))
        finally:
            bpffs.unlink(f"{host.bpffs}/record")


def test_control_groups_from_one_on(host: Host, cgroup: Cgroup) -> None:
    data = compile_source(
        _WRITER
        + """
struct kernfs_node { __u64 id; } __attribute__((preserve_access_index));
struct cgroup { struct kernfs_node *kn; } __attribute__((preserve_access_index));
struct bpf_iter__cgroup { struct bpf_iter_meta *meta; struct cgroup *cgroup; } __attribute__((preserve_access_index));
SEC("iter/cgroup") int groups(struct bpf_iter__cgroup *ctx)
{
	struct cgroup *cgroup = ctx->cgroup;
	__u64 id;
	if (!cgroup)
		return 0;
	id = cgroup->kn->id;
	seq_write(ctx->meta->seq, &id, 8);
	return 0;
}
char LICENSE[] SEC("license") = "GPL";
"""
    )
    os.mkdir(f"{cgroup.path}/below")
    try:
        ids = [os.stat(path).st_ino for path in (cgroup.path, f"{cgroup.path}/below")]

        def walked(walk: once.Walk | None) -> list[int]:
            found = text(host, data, walk)
            return list(struct.unpack(f"={len(found) // 8}Q", found))

        assert walked(once.Walk(cgroup=cgroup.path)) == ids
        assert walked(once.Walk(cgroup=cgroup.path, order="self")) == ids[:1]
        assert walked(once.Walk(cgroup=f"{cgroup.path}/below", order="ancestors"))[:2] == ids[::-1]
        assert set(ids) <= set(walked(None))
        with pytest.raises(AttachError, match="no control group"):
            text(host, data, once.Walk(cgroup=f"{cgroup.path}/nowhere"))
    finally:
        os.rmdir(f"{cgroup.path}/below")


def test_much_text_comes_as_it_is_written(host: Host) -> None:
    gone = threading.Event()
    threads = [threading.Thread(target=gone.wait) for _ in range(50)]
    for thread in threads:
        thread.start()
    try:
        data = compile_source(
            _WRITER
            + """
struct bpf_iter__task { struct bpf_iter_meta *meta; void *task; } __attribute__((preserve_access_index));
static const char page[4000] = "x";
SEC("iter/task") int pages(struct bpf_iter__task *ctx)
{
	if (ctx->task)
		seq_write(ctx->meta->seq, page, sizeof(page));
	return 0;
}
char LICENSE[] SEC("license") = "GPL";
"""
        )
        written = text(host, data)
        assert len(written) >= 50 * 4000
        assert len(written) % 4000 == 0
    finally:
        gone.set()
        for thread in threads:
            thread.join()


def test_an_image_without_an_iterator_or_with_several(host: Host) -> None:
    with (
        loads.nothing_left(host),
        pytest.raises(UsageError, match=r'has no program for iter, expected one in SEC\("iter'),
    ):
        once.iterate(host, *believed.image(loads.xdp()), bytes)
    two = compile_source(
        'SEC("iter/task") int a(void *ctx) { return 0; } SEC("iter/bpf_map") int b(void *ctx) { return 0; }'
        'char LICENSE[] SEC("license") = "GPL";'
    )
    with pytest.raises(UsageError, match="2 programs for iter") as caught:
        once.iterate(host, *believed.image(two), bytes)
    assert "a (iter/task), b (iter/bpf_map)" in caught.value.hint
    assert text(host, two, programs=("b",)) == b""


def test_a_dry_run_asks_the_kernel_and_writes_nothing(host: Host) -> None:
    found: list[bytes] = []
    with loads.nothing_left(host):
        done = once.iterate(host, *believed.image(example("iter_task")), found.append, dry_run=True)
    assert (done.id, done.program, found) == (0, "write_processes", [])


def test_only_what_is_believed_runs(host: Host) -> None:
    store, verified = believed.image(example("iter_task"))
    with pytest.raises(TypeError, match="no proof"):
        once.iterate(host, store, verified.descriptor, bytes)  # type: ignore[arg-type]
