"""What a chain costs a packet: instructions above those of a program attached directly, counted in a guest.

QEMU's clock counts the guest's instructions there, so the figures are the same in every run, on any machine, under any
load. Peers: the dispatchers that xdp-loader of three releases makes, and ones of ten fixed slots, from own sources, as
bpfman compiles them. What it takes to add a program is counted the same way, for whole processes.
"""

from __future__ import annotations

import compileall
import json
import tempfile
from collections import defaultdict
from pathlib import Path

from bench import dispatcher_native, ten_slots
from tests.support import xdptools
from tests.support.guest import kernels, machine
from tests.support.objects import compile_source

ROOT = Path(__file__).resolve().parents[1]
_COLUMNS = ("1", "slot", "2", "5", "10")
_PATIENCE = 1800  # seconds, of a machine that is busy
_PARTS = ("xdp", "tc", "tenth")
_MEMBER = """
struct {context} {{ int field; }};
SEC("{hook}") int member(struct {context} *ctx)
{{
    int result;
    asm volatile("%0 = {result}; {hide}" : "=r"(result));
    return result;
}}
char LICENSE[] SEC("license") = "GPL";
"""
_HIDE = "%0 = le64 %0;"  # no machine code on this side of the byte order, and all that the verifier knew is gone
_CONTEXTS = {"xdp": "xdp_md", "tc": "__sk_buff"}
#: the figures that we want to be below
_AIMS = {
    "freplace": {"1": 2, "2": 32, "5": 77, "10": 152},
    "fused, calls": {"1": 15, "2": 28, "5": 67, "10": 132},
    "fused, inlined": {"1": 8, "2": 14, "5": 34, "10": 66},
}


def main(runs: int) -> None:
    """Prints a table of nanoseconds here, and tables of instructions for each kernel."""
    dispatcher_native.main(runs)
    for word in reversed(kernels.SUITES):
        reason = kernels.lacking(word)
        if reason:
            print(f"dispatchers on {word}: not measured, {reason}")
            continue
        figures = measured(word)
        for hook in ("xdp", "tc"):
            table(word, hook, figures[hook])
        tenth(word, {row: columns["10"] for row, columns in figures["tenth"].items()})


def measured(word: str) -> dict[str, dict[str, dict[str, int]]]:
    """hook -> row -> column -> instructions."""
    kernel = kernels.find(word)
    assert kernel is not None
    found: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    with tempfile.TemporaryDirectory(prefix="bpfimg-bench-") as folder:
        out = Path(folder)
        prepare(out)
        command = [
            "env",
            "PYTHONDONTWRITEBYTECODE=1",
            str(ROOT / ".venv/bin/python"),
            "-m",
            "bench.dispatcher_inside",
            *_PARTS,
        ]
        with machine.running(kernel, out, ROOT, command, counted=True) as qemu:
            qemu.wait(_PATIENCE)
        said = (out / "log").read_text(encoding="utf-8", errors="replace") if (out / "log").exists() else ""
        if not (out / "rc").exists() or (out / "rc").read_text().strip() != "0":
            raise SystemExit(f"bench: the guest of {word} ended early:\n{said}")
    for line in said.splitlines():
        hook, row, column, number = json.loads(line)
        found[hook][row][column] = number
    return found


def tenth(word: str, rows: dict[str, int]) -> None:
    """What the tenth program of an XDP chain takes to add, as a ratio to the oldest xdp-loader."""
    base = next((took for name, took in rows.items() if name.startswith("xdp-loader")), None)
    print(f"{f'the tenth program, on {word}':50} {'million instructions':>24} {'ratio':>8}")
    for name, took in rows.items():
        ratio = f"{took / base:7.2f}x" if base else ""
        print(f"{name:50} {took / 1e6:24.1f} {ratio:>8}")


def prepare(out: Path) -> None:
    """What the guest loads; and bpfimg's own modules compiled, as they are once it is installed."""
    compileall.compile_dir(ROOT / "bpfimg", quiet=2)
    for hook, context in _CONTEXTS.items():
        result = {"xdp": 2, "tc": 3}[hook]
        for name, hide, code in (("known", "", 2), ("hidden", _HIDE, result), ("slot", _HIDE, result)):
            source = _MEMBER.format(context=context, hook=hook, result=code, hide=hide)
            (out / f"{hook}_{name}.o").write_bytes(compile_source(source))
        ten = compile_source(ten_slots.source(hook), flags=("-g", "-O2", "-mcpu=v3"))
        (out / f"{hook}_ten.o").write_bytes(ten)
    for suite in xdptools.SUITES:
        try:
            xdptools.fetch(suite)
        except LookupError as error:
            print(f"xdp-tools of {suite}: not measured, {error}")
            continue
        (out / f"has-{suite}").touch()


def table(word: str, hook: str, rows: dict[str, dict[str, int]]) -> None:
    """One row for each way: what a chain of so many programs costs, and that as a ratio to ours."""
    base = rows.pop("direct")["1"]
    ours = rows["freplace"]
    print(f"{f'{hook} on {word}, instructions above direct ({base})':50}" + "".join(f"{each:>14}" for each in _COLUMNS))
    for name, figures in rows.items():
        cells = [_cell(name, each, figures, ours, base) for each in _COLUMNS]
        print(f"{name:50}" + "".join(f"{each:>14}" for each in cells))
        if hook == "xdp" and name in _AIMS and word == "6.12":
            print(f"{'  aim':50}" + "".join(f"{_AIMS[name].get(each, ''):>14}" for each in _COLUMNS))


def _cell(name: str, column: str, figures: dict[str, int], ours: dict[str, int], base: int) -> str:
    if column not in figures:
        return ""
    above = figures[column] - base
    return f"{above}" if name == "freplace" else f"{above} {above / (ours[column] - base):6.2f}x"
