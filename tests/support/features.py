"""What a kernel test needs of the kernel, and which kernel has it: a skip where the feature should be is a failure.

`needs("kprobe")` and `lacks("kprobe")` are marks (`@needs(...)`, `pytestmark = [needs(...)]`), and inside a running
test or fixture they decide at once. `native("why")` marks what makes no sense under emulation, `hook("word")` which
hook a test proves (docs/hooks.md is made of those): that it runs, or, with `lacks`, what a user is told instead; with
`lacks` and `needs`, or `hook("word", other_way=True)`, that it runs another way.
"""

from __future__ import annotations

import os

import pytest

from bpfimg.kernel import features

#: feature -> the kernels that have it: Debian 12's and 13's in their guests, and the kernel of the development
#: machines, 6.18 without trampolines, kprobes and modules. tests/kernel/test_kernels.py holds it against the probes.
KERNELS: dict[str, tuple[str, ...]] = {
    "bpffs": ("6.1", "6.12", "6.18"),
    "btf": ("6.1", "6.12", "6.18"),
    "xdp": ("6.1", "6.12", "6.18"),
    "perf-link": ("6.1", "6.12", "6.18"),
    "tcx": ("6.12", "6.18"),
    "netfilter": ("6.12", "6.18"),
    "kprobe": ("6.1", "6.12"),
    "trampolines": ("6.1", "6.12"),
    "tracefs": ("6.1", "6.12", "6.18"),
    "cgroup2": ("6.1", "6.12", "6.18"),
    "xdp-frags": ("6.1", "6.12", "6.18"),
    "netkit": ("6.12",),
    "sk-lookup": ("6.1", "6.12", "6.18"),
    "flow-dissector": ("6.1", "6.12", "6.18"),
    "sockmap-link": ("6.12", "6.18"),
    "cgroup": ("6.1", "6.12", "6.18"),
    "cgroup-link": ("6.1", "6.12", "6.18"),
    "raw-tracepoint": ("6.1", "6.12", "6.18"),
    "ksyscall": ("6.1", "6.12"),
    "kprobe-multi": ("6.12",),
    "uprobe": ("6.1", "6.12", "6.18"),
    "uprobe-multi": ("6.12", "6.18"),
    "bpf-cookie": ("6.1", "6.12", "6.18"),
    "fmod-ret": ("6.1", "6.12"),
    "tp-btf": ("6.1", "6.12", "6.18"),
    "iter": ("6.1", "6.12", "6.18"),
    "lsm": ("6.1", "6.12"),
    "lsm-cgroup": ("6.1", "6.12"),
    "struct-ops": ("6.1", "6.12", "6.18"),
    "struct-ops-link": ("6.12", "6.18"),
    "syscall": ("6.1", "6.12", "6.18"),
    "link-detach": ("6.1", "6.12", "6.18"),
}

#: set by the guest runner to the word of its kernel
VARIABLE = "BPFIMG_TEST_KERNEL"

native = pytest.mark.native
hook = pytest.mark.hook


def kernel() -> str | None:
    """The word of the running kernel in `KERNELS`; None for one that the table knows nothing about."""
    if VARIABLE in os.environ:
        return os.environ[VARIABLE]
    no_modules = not os.path.exists("/proc/modules")
    return "6.18" if os.uname().release.startswith("6.18.") and no_modules else None


def expected(feature: str) -> bool | None:
    """Whether the running kernel should have that feature; None where the table does not say."""
    word, kernels = kernel(), KERNELS.get(feature)
    return None if word is None or kernels is None else word in kernels


def needs(*wanted: str) -> pytest.MarkDecorator:
    """Skips the test on kernels that lack one of these, by its name; fails it where the table says otherwise."""
    if _running():
        for feature in wanted:
            _require(feature, wanted=True)
    return pytest.mark.needs(*wanted)


def lacks(*unwanted: str) -> pytest.MarkDecorator:
    """Skips the test on kernels that have one of these: for what a user is told where it is not to be had."""
    if _running():
        for feature in unwanted:
            _require(feature, wanted=False)
    return pytest.mark.lacks(*unwanted)


def decide(item: pytest.Item) -> None:
    """Skips or fails a test by its marks, before its fixtures are made."""
    for mark in item.iter_markers("native"):
        if VARIABLE in os.environ:
            pytest.skip(f"not under emulation: {', '.join(map(str, mark.args))}")
    for name, wanted in (("needs", True), ("lacks", False)):
        for mark in item.iter_markers(name):
            if os.geteuid() != 0:
                pytest.skip("needs root")
            for feature in mark.args:
                _require(feature, wanted=wanted)


def _running() -> bool:
    return "PYTEST_CURRENT_TEST" in os.environ  # not at import, where these only make marks


def _require(feature: str, *, wanted: bool) -> None:
    answer = features.has(feature)
    if answer is wanted:
        return
    says = {True: f"this kernel has {feature}", False: f"this kernel has no {feature}"}
    reason = says.get(answer, f"this kernel does not say whether it has {feature}")  # type: ignore[call-overload]
    if expected(feature) is wanted:
        should = "should have it" if wanted else "should not have it"
        pytest.fail(f"{reason}, and {kernel()} {should} by the table in tests/support/features.py", pytrace=False)
    pytest.skip(reason)
