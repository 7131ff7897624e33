"""Inventories of made-up hosts, as large as one likes, or with names that mean harm; the same every time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpfimg.inspect import Inventory, LinkView, MapView, ProgramView
from bpfimg.inspect._doctor import Finding
from bpfimg.inspect._kernel._views import BtfView, StructOpsView
from bpfimg.inspect._page import About
from bpfimg.kernel import abi, bpf
from bpfimg.load import ImageRecord, LoadRecord, SignerRecord
from bpfimg.load._records import ProgramRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ABOUT = About("edge-17.example", "Linux 6.12.48-amd64 x86_64", "2026-11-22T19:00:00Z", "0.8.0")
FINDINGS = (
    Finding("stale-link", "warning", "link 31", "xdp eth3 is stale: its interface has gone", "bpfimg detach 31"),
    Finding("damaged", "error", "program 12", "its pin /sys/fs/bpf/bpfimg/12/program-0 has gone", "bpfimg unload 12"),
    Finding("no-tracefs", "note", "/sys/kernel/tracing", "tracefs is not mounted", "mount -t tracefs tracefs /sys/…"),
)
KINDS = ("xdp", "sched_cls", "kprobe", "tracepoint", "cgroup_skb")
_DIGITS = "0123456789abcdef"

#: what strangers call their programs, maps, files and images
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "</title></svg><iframe src=javascript:alert(1)>",
    "javascript:alert(1)",
    'https://evil.example/" onclick="x',
    "<!-- ]]> &lt;b&gt; &#60;script&#62;",
    "\x1b[31m\0\n\r\u202etxt\u2028",
    "}body{display:none}@import url(http://evil.example)",
    "n" * 4000,
    "\N{CJK UNIFIED IDEOGRAPH-4E2D}\N{GRINNING FACE}",
)


def digest(number: int) -> str:
    return "sha256:" + "".join(_DIGITS[(number * 7 + at * 3) % 16] for at in range(64))


def info(number: int, kind: str, maps: tuple[int, ...]) -> bpf.ProgramInfo:
    """What a kernel says of a program."""
    return bpf.ProgramInfo(
        number, abi.PROGRAM_TYPES.index(kind), f"program_{number}"[:15], f"{number:016x}", True, number * 10**9, 0,
        maps, 1000 + number % 50, 300 + number, 512 + 8 * number, 900 + number, 5000, 17 * number, None, None, 4096,
    )  # fmt: skip


def record(number: int, name: str, maps: tuple[int, ...], words: Callable[[str], str] = str) -> LoadRecord:
    """What is written down of a load; every third one was let in without a signature."""
    unsafe = number % 3 == 0
    signers = () if unsafe else (
        SignerRecord(words("release"), "", words("https://ci.example/build"), words("https://issuer.example"), "bundle",
                     "2026-11-01T10:00:00Z", (words("rekor.example"),)),
    )  # fmt: skip
    reference = words(f"registry.example/net/app-{number}:v1.{number}")
    image = ImageRecord(reference, digest(number), digest(number + 1), words("/etc/bpfimg/policy.json"), words("net/"),
                        signers, unsafe, "missing")  # fmt: skip
    program = ProgramRecord(name, number, "xdp", "xdp")
    named = tuple((f"map_{each}", each) for each in maps)
    return LoadRecord(words(f"app-{number}"), (program,), named, image, {words("rate"): words("100")},
                      {words("team"): words("edge")}, "2026-11-20T08:00:00Z", "0.8.0")  # fmt: skip


def host(programs: int = 200, maps: int = 400, links: int = 100, words: Callable[[str], str] = str) -> Inventory:
    """So many of each: every second program is ours; half of the links are members of XDP chains of four programs, the
    rest filters, control groups and probes. `words` makes other names of those that strangers give."""
    of = {number: _maps_of(number, programs, maps) for number in range(1, programs + 1)}
    views = []
    for number in range(1, programs + 1):
        kind = KINDS[0] if number <= links // 2 else KINDS[number % len(KINDS)]
        name = words(f"program_{number}")
        ours = number % 2 == 0
        views.append(
            ProgramView(
                number, name, kind, info(number, kind, of[number]), number if ours else None,
                record(number, name, of[number], words) if ours else None,
                f"/sys/fs/bpf/bpfimg/{number}/program-0" if ours else "",
                (words(f"/sys/fs/bpf/bpfimg/{number}/program-0"),) if ours else (words(f"agent ({number % 9})"),),
                "", words("vfs_read") if kind == "kprobe" else "",
            )
        )  # fmt: skip
    users: dict[int, list[int]] = {}
    for number, used in of.items():
        for each in used:
            users.setdefault(each, []).append(number)
    made = tuple(
        MapView(each, words(f"map_{each}"), ("hash", "array", "ringbuf", "lru_hash")[each % 4], 4, 8 * (1 + each % 7),
                1024 * (1 + each % 5), each % 2, 4096 * each, each % 5 == 0, tuple(users.get(each, ())),
                each if each % 2 == 0 and each <= programs else None, "", 1000 + each % 50, 1, 2,
                (words(f"/sys/fs/bpf/maps/{each}"), words(f"agent ({each % 9})")))
        for each in range(1, maps + 1)
    )  # fmt: skip
    btfs = [BtfView(1, "vmlinux", 5_000_000, True, (), ()), BtfView(2, words("nf_tables"), 90_000, True, (), ())]
    btfs += [BtfView(1000 + each, None, 900 + each, False, (each + 1,), (each + 1,)) for each in range(50)]
    operations = (StructOpsView(1, words("cubic"), "tcp_congestion_ops", "inuse", (), (1,)),)
    unseen = (words("what 3 processes hold, and where they are: looking needs root (CAP_SYS_PTRACE)"),)
    return Inventory(tuple(views), tuple(_links(links, words)), made, (), unseen, tuple(btfs), operations)


def _maps_of(number: int, programs: int, maps: int) -> tuple[int, ...]:
    each = max(maps // max(programs, 1), 1)
    first = (number - 1) * each
    own = tuple(1 + (first + at) % maps for at in range(each)) if maps else ()
    return tuple(dict.fromkeys((*own, 1))) if maps and number % 10 == 0 else own


def _links(count: int, words: Callable[[str], str]) -> Iterator[LinkView]:
    chained = count // 2
    for at in range(chained):
        program, device, position = at + 1, at // 4, at % 4
        dispatcher = 100_000 + device
        place = {"interface": words(f"eth{device}"), "ifindex": device + 2, "netns_inode": 4026531840}
        if device % 3 == 2:
            place |= {"netns": words("/run/netns/blue"), "netns_inode": 4026532999}
        if position == 0:
            yield LinkView(None, 5000 + device, dispatcher, "xdp", "netlink", str(place["interface"]), "attached",
                           type="xdp", position=0, builder="freplace", members=4, protocol=2,
                           details={"mode": "native"}, **place)  # type: ignore[arg-type]  # fmt: skip
        stale = at % 16 == 15
        yield LinkView(
            program if program % 2 == 0 else None, 6000 + at, program, "xdp", "dispatcher", str(place["interface"]),
            "stale" if stale else "attached", program if program % 2 == 0 else None, type="xdp", priority=10 * position,
            position=None if stale else position, proceed_on=("pass", "dispatcher_return"), members=4,
            builder="freplace", reason=words("XDP was taken off its interface") if stale else "",
            details={"dispatcher": dispatcher, "way": "netlink", "by": words("libxdp")}, **place,
        )  # type: ignore[arg-type]  # fmt: skip
    hooks = (
        ("cgroup_skb", "/sys/fs/cgroup/system.slice"),
        ("kprobe", "vfs_read"),
        ("tracepoint", "sched/sched_switch"),
    )
    for at in range(chained, count):
        program = at + 1
        if at % 4 == 0:
            device = words(f"eth{at % 10}")
            yield LinkView(None, None, program, "tc", "clsact", f"{device} ingress", "attached", interface=device,
                           ifindex=2 + at % 10, direction="ingress", netns_inode=4026531840, priority=49152 - at,
                           position=at // 10, details={"filter": words("f"), "handle": 1})  # fmt: skip
        else:
            hook, target = hooks[at % 3]
            yield LinkView(program if program % 2 == 0 else None, 7000 + at, program, hook, "link",
                           words(f"{target}/{at}"), "attached", program if program % 2 == 0 else None,
                           held_by=(words(f"agent ({at})"),))  # fmt: skip


def hostile() -> Inventory:
    """A host where every name is meant to do harm, each of `HOSTILE` many times."""
    state = [0]

    def words(_: str) -> str:
        state[0] += 1
        return HOSTILE[state[0] % len(HOSTILE)]

    return host(40, 60, 32, words)
