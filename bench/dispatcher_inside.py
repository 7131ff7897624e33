"""The part of the dispatcher bench that runs in a guest: builds each chain, runs packets through it, prints JSON.

Members have no more than a result: `r0 = 2; exit` as machine code. That result is hidden from the verifier (a change of
byte order that is none), since it would drop the tests of fused dispatchers that it could foresee.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import dispatcher_tenth, ten_slots
from bpfimg.dispatcher import Member, Plan
from bpfimg.dispatcher import _freplace as freplace
from bpfimg.dispatcher import _fused as fused
from bpfimg.dispatcher._model import Source
from bpfimg.dispatcher._returns import returns
from bpfimg.dispatcher._template import extend
from bpfimg.dispatcher._words import mask
from bpfimg.kernel import Fd, OpenObject, bpf, dump, libbpf, netlink, netns
from bpfimg.load._taken_code import taken_code
from tests.support import xdptools
from tests.support.netns import bpffs, namespace

OUT = Path("/run/out")
COUNTS = (1, 2, 5, 10)
_PACKET, _REPEAT, _RUNS = bytes(64), 20_000, 5
#: how a chain ends when the last member lets it go on: TCX goes on behind it
ENDS = {"xdp": 2, "tc": -1}
RESULTS = {"xdp": 2, "tc": 3}
MASKS = {"xdp": mask("xdp", ("pass",)), "tc": mask("tc", ("pipe",))}

Loaded = tuple[OpenObject, bytes]


def cost(program: Fd | int) -> int:
    """Instructions of the guest for a packet, the loop of the test run with them."""
    return min(bpf.test_run(program, _PACKET, _REPEAT)[2] for _ in range(_RUNS))


@contextlib.contextmanager
def opened(hook: str, name: str, *, extension: bool = False) -> Iterator[Loaded]:
    """A member of that name, loaded: by itself, or for a slot."""
    data = (OUT / f"{hook}_{name}.o").read_bytes()
    with contextlib.ExitStack() as stack:
        found = stack.enter_context(libbpf.open_object(data, name="bench"))
        if extension:
            stack.enter_context(extend(found, "member", hook))
        found.load()
        yield found, data


def member(loaded: Loaded, proceed_on: int, *, known: bool) -> Member:
    (program,) = loaded[0].programs
    number = bpf.program_info(program.fd).id
    return Member(number, "member", 50, proceed_on, returns=returns(program.code()) if known else None)


def direct(hook: str, _count: int, name: str) -> int:
    with opened(hook, name) as (found, _):
        return cost(found.programs[0].fd)


def ours(hook: str, count: int, name: str) -> int:
    """freplace. A result that is known lets the only program take the place of main."""
    with contextlib.ExitStack() as stack:
        loaded = [stack.enter_context(opened(hook, name, extension=True)) for _ in range(count)]
        proceed_on = MASKS[hook] if name != "slot" else MASKS[hook] | 1 << 1
        members = [member(each, proceed_on, known=name == "known") for each in loaded]
        programs = {each.program: found.programs[0].fd for each, (found, _) in zip(members, loaded, strict=True)}
        protocol = 2 if hook == "xdp" else 0
        plan = Plan(hook, tuple(members))
        with freplace.build(plan, programs, protocol=protocol, end=ENDS[hook]) as built:
            return cost(built.dispatcher)


def contained(hook: str, count: int, name: str, *, inline: bool) -> int:
    """Fused."""
    with contextlib.ExitStack() as stack:
        loaded = [stack.enter_context(opened(hook, name)) for _ in range(count)]
        members, sources = [], {}
        for each in loaded:
            members.append(member(each, MASKS[hook], known=False))
            fd = each[0].programs[0].fd
            code = taken_code(*each, "member", [])
            types = dump.btf_data(bpf.program_info(fd).btf_id)
            sources[members[-1].program] = Source(code, types, ())
        with fused.build(Plan(hook, tuple(members)), sources, end=ENDS[hook], inline=inline) as built:
            assert built.inlined == (inline,) * count, built.inlined
            return cost(built.dispatcher)


def ten(hook: str, count: int, name: str) -> int:
    """As bpfman's."""
    with contextlib.ExitStack() as stack:
        dispatcher = stack.enter_context(libbpf.open_object((OUT / f"{hook}_ten.o").read_bytes(), name="ten"))
        (config,) = dispatcher.maps
        config.set_initial(0, ten_slots.config([MASKS[hook]] * count))
        dispatcher.load()
        (program,) = dispatcher.programs
        for slot in range(count):
            found = stack.enter_context(libbpf.open_object((OUT / f"{hook}_{name}.o").read_bytes(), name="bench"))
            found.programs[0].set_type(28, 0)
            found.programs[0].set_target(f"prog{slot}", program=program.fd)
            found.load()
            stack.enter_context(bpf.link_create(found.programs[0].fd, 0, 0))
        return cost(program.fd)


def libxdp(suite: str) -> Callable[[str, int, str], int]:
    """What xdp-loader of a suite puts together."""

    def measured(hook: str, count: int, name: str) -> int:
        with namespace() as ns, bpffs() as mount:
            dispatcher_tenth.loaded_by(xdptools.Tools(suite, ns, mount), [OUT / f"{hook}_{name}.o"] * count)

            def attached() -> int:
                return libbpf.xdp_query(netlink.interface_index(ns.interface)).prog_id

            with bpf.program_by_id(netns.call(ns.path, attached)) as program:
                assert bpf.program_info(program).name == "xdp_dispatcher"
                return cost(program)

    return measured


def rows(hook: str) -> Iterator[tuple[str, Callable[[str, int, str], int]]]:
    yield "direct", direct
    yield "freplace", ours
    yield "fused, calls", lambda *words: contained(*words, inline=False)
    yield "fused, inlined", lambda *words: contained(*words, inline=True)
    if hook == "xdp":
        for suite in ("bookworm", "trixie", "sid"):
            if (OUT / f"has-{suite}").exists():
                yield f"libxdp {suite}", libxdp(suite)
    yield "ten slots, as bpfman has them", ten


def main() -> None:
    """One line of JSON for each figure: hook, row, number of members, instructions."""
    for hook in sys.argv[1:]:
        if hook == "tenth":
            dispatcher_tenth.main(OUT)
            continue
        for name, measured in rows(hook):
            for count in COUNTS:
                if count > 1 and name == "direct":
                    continue
                # one program alone may be known to end the chain; more have a result that nobody foresees
                member_name = "known" if count == 1 and name in ("direct", "freplace") else "hidden"
                say(hook, name, str(count), measured(hook, count, member_name))
            if name == "freplace":
                say(hook, name, "slot", ours(hook, 1, "slot"))


def say(*figure: object) -> None:
    print(json.dumps(figure), flush=True)


if __name__ == "__main__":
    main()
