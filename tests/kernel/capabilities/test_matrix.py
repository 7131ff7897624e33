"""Who may do what: root, an ordinary user with exactly the capabilities that are needed, and without each of them.

What may not be done names what is missing; it never ends in a traceback, and never leaves anything.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpfimg._value import value
from bpfimg.kernel._capabilities import paranoid
from tests.support import cgroups
from tests.support.features import native, needs
from tests.support.netns import bpffs, namespace, skip_unless, tracefs
from tests.support.objects import example

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.mark import ParameterSet

pytestmark = pytest.mark.kernel

UID = 1000


@value(frozen=True, slots=True)
class Case:
    """A hook: the example that is attached to it, the words of the command line, capabilities, features."""

    example: str
    words: tuple[str, ...]
    capabilities: tuple[str, ...]
    needs: tuple[str, ...] = ()


NET, TRACE = ("bpf", "net_admin"), ("bpf", "perfmon")
#: Debian's setting lets only CAP_SYS_ADMIN open perf events
EVENT = (*TRACE, "sys_admin") if paranoid() > 2 else TRACE
HOOKS = {
    "xdp": Case("xdp_counter", ("xdp", "-i", "IF"), (*NET, "perfmon")),  # it subtracts pointers
    "tc": Case("tc_counter", ("tc", "-i", "IF", "-d", "ingress"), NET),
    "tcx": Case("tc_counter", ("tcx", "-i", "IF", "-d", "egress"), NET, ("tcx",)),
    "sk_lookup": Case("sk_lookup_counter", ("sk_lookup",), ("bpf",), ("sk-lookup",)),
    "flow_dissector": Case("flow_dissector_counter", ("flow_dissector",), NET, ("flow-dissector",)),
    "netfilter": Case("netfilter_counter", ("netfilter", "--hook", "prerouting"), NET, ("netfilter",)),
    "cgroup": Case("cgroup_connect_guard", ("cgroup", "CGROUP"), NET, ("cgroup-link",)),
    "raw_tracepoint": Case("raw_tracepoint_counter", ("raw_tracepoint", "sched_switch"), TRACE, ("raw-tracepoint",)),
    "tp_btf": Case("tp_btf_counter", ("tp_btf",), TRACE, ("tp-btf",)),
    "tracepoint": Case(
        "tracepoint_counter",
        ("tracepoint", "syscalls/sys_enter_getpid"),
        (*EVENT, "dac_read_search"),
        ("perf-link",),
    ),
    "perf_event": Case("perf_event_counter", ("perf_event",), EVENT, ("perf-link",)),
    "uprobe": Case(
        "uprobe_counter", ("uprobe", sys.executable, "--function", "Py_RunMain"), (*TRACE, "sys_admin"), ("uprobe",)
    ),
    "kprobe": Case("kprobe_counter", ("kprobe", "vfs_read"), EVENT, ("kprobe",)),
    "fentry": Case("fentry_counter", ("fentry",), TRACE, ("trampolines",)),
    "lsm": Case("lsm_counter", ("lsm",), TRACE, ("lsm",)),
}


#: whose refusals are tried in guests, too: those that the development machines' kernel lacks, and two others
IN_GUESTS = ("xdp", "tracepoint", "kprobe", "fentry", "lsm")


def refused(hook: str, *more: str) -> ParameterSet:
    """The parameters of a refusal."""
    return pytest.param(hook, *more, marks=() if hook in IN_GUESTS else native("starts a command for each"))


@dataclass(frozen=True, slots=True)
class Place:
    """A bpffs, a folder, an interface and a control group of that user."""

    folder: Path
    mount: str
    netns: str
    interface: str
    cgroup: str

    def policy(self, capabilities: tuple[str, ...] | None) -> str:
        """Root believes only what belongs to root."""
        return f"{self.folder}{'' if capabilities is not None else '-root'}/policy.json"

    def run(self, capabilities: tuple[str, ...] | None, *words: str) -> subprocess.CompletedProcess[str]:
        """`bpfimg WORDS` inside the network namespace, as that user with these capabilities; as root for None."""
        argv = ["nsenter", f"--net={self.netns}"]
        if capabilities is not None:
            held = ",".join(f"+{each}" for each in capabilities)
            sets = f"-all,{held}" if held else "-all"
            argv += ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]
            argv += [f"--inh-caps={sets}", f"--ambient-caps={sets}", f"--bounding-set={sets}"]
        filled = [{"IF": self.interface, "CGROUP": self.cgroup}.get(word, word) for word in words]
        options = ["--bpffs", self.mount, "--store", f"{self.folder}/store", "--policy", self.policy(capabilities)]
        argv += [sys.executable, "-m", "bpfimg", *filled, *options, "--state", f"{self.folder}/state"]
        environ = {key: text for key, text in os.environ.items() if not key.startswith("BPFIMG_")}
        return subprocess.run(
            argv,
            cwd=self.folder,
            env={**environ, "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )


@contextmanager
def owned(uid: int) -> Iterator[Place]:
    """Places that belong to that user."""
    folder = Path(tempfile.mkdtemp(prefix="bpfimg-capabilities-"))
    roots = Path(f"{folder}-root")
    try:
        policy = {"version": 1, "default": "deny", "rules": [], "localFiles": "insecure-allow-unsigned"}
        for each in (folder, roots):
            each.mkdir(mode=0o755, exist_ok=True)
            (each / "policy.json").write_text(json.dumps(policy))
            os.chmod(each, 0o755)
        with bpffs() as mount, namespace() as ns, cgroups.cgroup() as group, tracefs():
            os.chmod(mount, 0o755)
            for path in (folder, folder / "policy.json", mount):
                os.chown(path, uid, uid)
            yield Place(folder, mount, ns.path, ns.interface, group.path)
    finally:
        shutil.rmtree(folder)
        shutil.rmtree(roots, ignore_errors=True)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    skip_unless("bpffs")
    with owned(UID) as found:
        yield found


def object_of(place: Place, name: str) -> str:
    """The example as a file that this user may read."""
    path = place.folder / f"{name}.bpf.o"
    if not path.exists():
        path.write_bytes(example(name))
        os.chmod(path, 0o644)
    return str(path)


def said(done: subprocess.CompletedProcess[str]) -> str:
    """What went wrong, in one or two sentences, without the warning that the file is not signed."""
    assert "Traceback" not in done.stderr, done.stderr
    return "\n".join(line for line in done.stderr.splitlines() if "UNSIGNED" not in line)


def worked(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, said(done)
    return done.stdout


@pytest.mark.parametrize("hook", HOOKS)
def test_exactly_what_is_needed_is_enough(hook: str, place: Place) -> None:
    case = HOOKS[hook]
    needs(*case.needs)
    file = object_of(place, case.example)
    worked(place.run(case.capabilities, "run", file, *case.words))
    (number,) = worked(place.run(case.capabilities, "list", "-q")).split()
    (link,) = json.loads(worked(place.run(case.capabilities, "links", "-o", "json")))["links"]
    assert (link["load"], link["state"]) == (int(number), "attached")
    assert case.example in worked(place.run(case.capabilities, "get", number)).replace("-", "_")
    worked(place.run(case.capabilities, "unload", number))
    assert worked(place.run(case.capabilities, "list", "-q")) == ""


@pytest.mark.parametrize(
    ("hook", "gone"), [refused(hook, each) for hook, row in HOOKS.items() for each in row.capabilities]
)
def test_without_one_of_them_that_one_is_named(hook: str, gone: str, place: Place) -> None:
    case = HOOKS[hook]
    needs(*case.needs)
    file = object_of(place, case.example)
    held = tuple(each for each in case.capabilities if each != gone)
    done = place.run(held, "run", file, *case.words)
    if "sys_admin" in held and gone in ("bpf", "perfmon"):  # which stands for CAP_BPF and CAP_PERFMON
        worked(done)
        worked(place.run(held, "unload", *worked(place.run(held, "list", "-q")).split()))
        return
    assert done.returncode in (1, 4), done.stdout
    words = said(done)
    others = [f"CAP_{each.upper()}" for each in held]
    assert f"CAP_{gone.upper()}" in words
    assert not any(each in words.partition("missing: ")[2].partition(".")[0] for each in others), words
    assert worked(place.run(case.capabilities, "list", "-q")) == ""


@pytest.mark.parametrize("hook", [refused(hook) for hook in HOOKS])
def test_without_any_something_is_named(hook: str, place: Place) -> None:
    case = HOOKS[hook]
    needs(*case.needs)
    done = place.run((), "run", object_of(place, case.example), *case.words)
    assert done.returncode in (1, 4)
    assert "missing: CAP_" in said(done)


def test_root_may_do_everything() -> None:
    skip_unless("bpffs")
    with owned(0) as place:
        worked(place.run(None, "run", object_of(place, "tc_counter"), *HOOKS["tc"].words))
        (number,) = worked(place.run(None, "list", "-q")).split()
        for words in (("get", number), ("links",), ("list", "--all"), ("features",)):
            worked(place.run(None, *words))
        worked(place.run(None, "unload", number))


def test_everything_of_a_host_is_for_those_who_administer_it(place: Place) -> None:
    done = place.run(NET, "list", "--all")
    assert done.returncode == 1
    assert "missing: CAP_SYS_ADMIN" in said(done)
    worked(place.run(("sys_admin",), "list", "--all"))


def test_loading_attaching_and_detaching_one_after_the_other(place: Place) -> None:
    file = object_of(place, "tc_counter")
    worked(place.run(NET, "load", file))
    (number,) = worked(place.run(NET, "list", "-q")).split()
    done = place.run(("bpf",), "attach", number, *HOOKS["tc"].words)
    assert done.returncode == 1
    assert "missing: CAP_NET_ADMIN" in said(done)
    worked(place.run(NET, "attach", number, *HOOKS["tc"].words))
    (link,) = worked(place.run(NET, "links", "-q")).split()
    worked(place.run(NET, "detach", link))
    worked(place.run(NET, "unload", number))


def test_nobody_else_may_look_into_somebodys_bpffs(place: Place) -> None:
    os.chmod(place.mount, 0o700)
    try:
        os.chown(place.mount, 0, 0)
        done = place.run((), "list")
        assert done.returncode == 1
        assert place.mount in said(done)
    finally:
        os.chown(place.mount, UID, UID)
        os.chmod(place.mount, 0o755)


@pytest.mark.parametrize("capabilities", [(), ("bpf",), NET, TRACE, ("bpf", "net_admin", "perfmon")], ids=",".join)
def test_features_are_for_everybody(capabilities: tuple[str, ...], place: Place) -> None:
    document = json.loads(worked(place.run(capabilities, "features", "-o", "json")))
    answers = {entry["id"]: entry for entry in document["features"]}
    uprobe = answers["hook:uprobe"]
    assert uprobe["answer"] != "yes"
    assert "missing: CAP_" in uprobe["reason"]
    asked = {
        "program_type:xdp": NET,
        "program_type:tracing": TRACE,
        "program_type:socket_filter": ("bpf",),
        "map_type:array": ("bpf",),
        "hook:xdp": NET,
    }
    for name, wanted in asked.items():
        missing = [f"CAP_{each.upper()}" for each in wanted if each not in capabilities]
        entry = answers[name]
        if entry["answer"] == "yes":
            assert name == "map_type:array" or not missing
        else:
            assert entry["answer"] == "unknown", entry
            assert entry["reason"].partition("missing: ")[2].split(", ") == missing
