"""The words of tracing hooks on the command line: from an object to a counter that moves, and back."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.support.cli import Cli
from tests.support.features import lacks, needs
from tests.support.netns import tracefs
from tests.support.objects import example
from tests.support.trusting import with_policy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from bpfimg.load import Host

pytestmark = pytest.mark.kernel
EXAMPLES = ("kprobe_counter", "raw_tracepoint_counter", "tp_btf_counter", "iter_task", "syscall_sum", "lsm_counter")


@pytest.fixture
def cli(host: Host, tmp_path: Path) -> Iterator[Cli]:
    """Commands on the test's own host, which may use files."""
    plain = Cli(tmp_path, {"BPFIMG_STORE": str(tmp_path / "store"), "HOME": str(tmp_path), "BPFIMG_BPFFS": host.bpffs})
    unsigned = "insecure-allow-unsigned"
    rule = {"scope": "localhost", "action": unsigned}
    allowing = with_policy(plain, rule, authorities={}, localFiles=unsigned)
    for name in EXAMPLES:
        (tmp_path / f"{name}.o").write_bytes(example(name))
    with tracefs():
        yield allowing


def failed(cli: Cli, *words: str, expect: int) -> dict[str, Any]:
    """The error; before it stands the warning that nobody signed a file."""
    line = cli(*words, "-o", "json", expect=expect).stderr.splitlines()[-1]
    found: dict[str, Any] = json.loads(line)["error"]
    return found


@needs("tp-btf", "raw-tracepoint")
@pytest.mark.parametrize(
    ("words", "target"),
    [
        (("./raw_tracepoint_counter.o", "raw_tracepoint", "sched_switch"), "sched_switch"),
        (("./raw_tracepoint_counter.o", "raw_tracepoint", "sched/sched_switch"), "sched_switch"),
        (("./tp_btf_counter.o", "tp_btf"), "sched_switch"),
        (("./tp_btf_counter.o", "tp_btf", "sched_switch"), "sched_switch"),
    ],
)
def test_run_stays_after_the_command_and_goes_with_detach(words: tuple[str, ...], target: str, cli: Cli) -> None:
    (program,) = cli.json("programs", "run", "--name", "watch", *words)["programs"]
    assert program["application"] == "watch"
    (link,) = program["links"]
    assert (link["hook"], link["target"], link["state"]) == (words[1], target, "attached")
    assert target in cli("get", str(program["id"])).stdout
    cli("detach", str(link["id"]))
    assert cli.json("links", "links")["links"] == []
    cli("attach", str(program["id"]), *words[1:])
    assert len(cli.json("links", "links")["links"]) == 1
    cli("unload", str(program["id"]))


@needs("kprobe")
def test_functions_of_the_kernel(cli: Cli) -> None:
    (program,) = cli.json("programs", "run", "./kprobe_counter.o", "kprobe", "do_nanosleep")["programs"]
    for words in (
        ("kretprobe", "do_nanosleep"),
        ("kprobe", "veth:veth_xmit"),
        ("kprobe", "veth_xmit", "--module", "veth"),
        ("kprobe", "--pattern", "hrtimer_nanosl*"),
        ("ksyscall", "getppid"),
        ("kretsyscall", "getppid"),
    ):
        cli("attach", str(program["id"]), *words)
    links = cli.json("links", "links")["links"]
    assert sorted(link["hook"] for link in links) == sorted(
        ["kprobe", "kretprobe", "kprobe", "kprobe", "kprobe", "ksyscall", "kretsyscall"]
    )
    error = failed(cli, "attach", str(program["id"]), "kprobe", "do_nanoslep", expect=1)
    assert error["message"] == "this kernel has no function do_nanoslep"


@lacks("kprobe", "trampolines")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("./kprobe_counter.o", "kprobe", "do_nanosleep"), "this kernel was built without kprobes"),
        (("./kprobe_counter.o", "kprobe", "--pattern", "vfs_*"), "this kernel was built without kprobes"),
        (("./kprobe_counter.o", "ksyscall", "openat"), "this kernel was built without kprobes"),
        (("./lsm_counter.o", "lsm"), "BPF trampolines"),
    ],
)
def test_what_this_kernel_has_not_ends_with_4(words: tuple[str, ...], said: str, cli: Cli) -> None:
    error = failed(cli, "run", *words, expect=4)
    assert error["kind"] == "NotSupported"
    assert said in error["message"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("kprobe",), "needs a function or a --pattern"),
        (("kprobe", "f", "--pattern", "f*"), "needs a function or a --pattern"),
        (("kprobe", "a:f", "--module", "b"), "is of module a, and --module says b"),
        (("kprobe", "f", "--offset", "x"), "--offset is 'x', expected a whole number"),
        (("kprobe", "f g"), "is not a name"),
        (("kretprobe", "f", "--offset", "4"), "`bpfimg run REF kretprobe` has no option --offset"),
        (("tracepoint", "x"), "is not a tracepoint, expected GROUP/NAME"),
        (("perf_event", "-F", "99", "-c", "1"), "a frequency or a period"),
        (("perf_event", "nothing"), "event 'nothing' is not known"),
        (("perf_event", "--cpu", "-1"), "expected"),
        (("struct_ops", "--map", "a b"), "is not a name"),
        (("syscall", "--context", "0102"), "--context is '0102', expected hex:"),
        (("syscall", "--context", "hex:0g"), "--context is 'hex:0g', expected hex:"),
        (("iter", "--pid", "x"), "--pid is 'x', expected the number of a process"),
        (("iter", "--order", "x"), "'x' is no order"),
        (("iter", "--name", "x"), "leaves nothing that could be known by --name"),
    ],
)
def test_words_that_make_no_hook_end_with_2(words: tuple[str, ...], said: str, cli: Cli) -> None:
    assert said in failed(cli, "run", "./kprobe_counter.o", *words, expect=2)["message"]


@needs("iter")
def test_an_iterator_is_printed(cli: Cli) -> None:
    lines = cli("run", "./iter_task.o", "iter").stdout.splitlines()
    assert os.getpid() in [int(line.split()[0]) for line in lines]
    (run,) = cli.json("runs", "run", "./iter_task.o", "iter", "--pid", str(os.getpid()))["runs"]
    assert run["program"] == "write_processes"
    assert run["text"].split()[0] == str(os.getpid())
    assert cli.json("programs", "list")["programs"] == []
    assert "would run write_processes once" in cli("run", "--dry-run", "./iter_task.o", "iter").stdout
    assert "no program for iter" in failed(cli, "run", "./syscall_sum.o", "iter", expect=2)["message"]


@needs("syscall")
def test_a_syscall_program_answers(cli: Cli) -> None:
    memory = "02000000030000000000000000000000"
    done = cli("run", "./syscall_sum.o", "syscall", "--context", f"hex:{memory}")
    assert done.stdout == "0\nhex:02000000030000000500000000000000\n"
    (cli.folder / "memory").write_bytes(bytes.fromhex(memory))
    (run,) = cli.json("runs", "run", "./syscall_sum.o", "syscall", "--context", "@memory")["runs"]
    assert (run["result"], run["context"]) == (0, "hex:02000000030000000500000000000000")
    done = cli("run", "./syscall_sum.o", "syscall", "--context", "hex:64000000030000000000000000000000", expect=1)
    assert done.stdout.splitlines()[0] == "-1"
    assert json.loads(cli("run", "-o", "json", "--dry-run", "./syscall_sum.o", "syscall").stdout)["runs"][0]["id"] == 0
    error = failed(cli, "run", "./syscall_sum.o", "syscall", expect=2)
    assert "uses more than a context of 0 bytes" in error["message"]
