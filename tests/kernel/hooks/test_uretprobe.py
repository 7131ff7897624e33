"""uretprobe: a program runs when a function returns, and may see what it returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import UsageError
from bpfimg.load import hooks
from tests.support import loads
from tests.support.executables import compiled, counted, echo, folder, written
from tests.support.features import hook, lacks, needs
from tests.support.objects import compile_source, example

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bpfimg.load import Host

pytestmark = [pytest.mark.kernel, hook("uretprobe"), needs("uprobe")]

#: adds up what the function returned: the register rax of x86-64, x0 of aarch64
SUM = """
static void *(*lookup)(void *map, const void *key) = (void *)1;
struct { __uint(type, 2); __uint(max_entries, 2); __type(key, __u32); __type(value, __u64); } counters SEC(".maps");
static void add(__u32 key, __u64 number)
{
	__u64 *value = lookup(&counters, &key);
	if (value)
		__sync_fetch_and_add(value, number);
}
SEC("uretprobe") int returned(unsigned long *registers)
{
	add(0, 1);
	add(1, (int)registers[RETURNED]);
	return 0;
}
char LICENSE[] SEC("license") = "GPL";
"""


@pytest.fixture(scope="module")
def program() -> Iterator[Path]:
    with folder() as place:
        yield written(place / "echo", compiled())


def summing() -> bytes:
    import platform

    return compile_source(SUM.replace("RETURNED", "10" if platform.machine() == "x86_64" else "0"))


def test_it_sees_what_is_returned(host: Host, program: Path) -> None:
    loaded = loads.run(host, summing(), hooks.Uprobe(str(program), "work", ret=True))
    (link,) = loaded.links
    assert (link.hook, link.where) == ("uretprobe", f"{program}:work")
    with echo(program) as process:
        process.say(b"ab")
        assert (counted(loaded), counted(loaded, 1)) == (2, ord("a") + 1 + ord("b") + 1)
        with host.writer() as writer:
            writer.detach(link.id)
        process.say(b"c")
    assert counted(loaded) == 2


@needs("uprobe-multi")
def test_returns_of_many_functions_by_one_link(host: Host, program: Path) -> None:
    loaded = loads.run(host, summing(), hooks.Uprobe(str(program), ret=True, pattern="work*"))
    assert loaded.links[0].parts == 0
    with echo(program) as process:
        process.say(b"a")
    first = ord("a") + 1
    assert (counted(loaded), counted(loaded, 1)) == (2, first + first + 2)


@hook("uretprobe", other_way=True)
@lacks("uprobe-multi")
def test_returns_of_many_functions_by_many_links(host: Host, program: Path) -> None:
    loaded = loads.run(host, summing(), hooks.Uprobe(str(program), ret=True, pattern="work*"))
    assert loaded.links[0].parts == 1
    with echo(program) as process:
        process.say(b"a")
    assert counted(loaded) == 2


def test_the_example_counts_returns_of_one_process(host: Host, program: Path) -> None:
    with echo(program) as watched, echo(program) as other:
        loaded = loads.run(
            host, example("uprobe_counter"), hooks.Uprobe(str(program), "work", ret=True, pid=watched.pid)
        )
        watched.say(b"ab")
        other.say(b"c")
        assert counted(loaded) == 2


def test_a_return_has_no_offset() -> None:
    with pytest.raises(UsageError, match="expected none"):
        hooks.Uprobe("/bin/x", "work", offset=4, ret=True)
