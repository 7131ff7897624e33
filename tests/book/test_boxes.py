"""Every command on the pages is run by some test, or stands here with the reason why not."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.book.test_how_to import PAGES
from tests.support.machines import machine
from tests.support.pages import BOX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.machines import Machine

ROOT = Path(__file__).resolve().parents[2]
THIS = "tests/book/test_boxes.py"
TRUST = "tests/cli/test_trust_recipes.py"
#: which test types or runs the boxes of that kind on these pages: page, kind, test
RUN = (
    ("README.md", "console", "tests/cli/test_readme.py"),
    ("README.md", "python", "tests/cli/test_readme.py"),
    ("docs/running.md", "console", "tests/cli/test_running_recipes.py"),
    ("docs/running.md", "sh", "tests/cli/test_running_recipes.py"),
    ("docs/dispatchers.md", "console", "tests/cli/test_running_recipes.py"),
    ("docs/python.md", "python", "tests/cli/test_python_page.py"),
    ("docs/trust.md", "console", TRUST),
    ("docs/trust.md", "yaml", TRUST),
    ("docs/attestations.md", "console", TRUST),
    ("docs/registries.md", "console", "tests/book/test_registries_page.py"),
    ("docs/tutorial.md", "console", "tests/book/test_tutorial.py"),
    ("docs/tutorial.md", "sh", "tests/book/test_tutorial.py"),
    ("docs/lint/BL*.md", "sh", THIS),
    ("examples/bytecode/README.md", "sh", THIS),
)
#: commands that are run by no test: page, what the box begins with, why
NOT_RUN = (
    ("README.md", "median of 10 cold", "figures, as make bench printed them"),
    ("README.md", "make dist && apt-get", "tests/packaging makes each of them, and installs it on empty systems"),
    ("README.md", "make demo", "make test is what runs the tests; the program of make demo is run here"),
    ("docs/running.md", "bpfimg --bpffs /run/mine/bpf", "a pattern that ends in …; tests/kernel/capabilities does it"),
    (
        "docs/trust.md",
        "pip install 'bpfimg[awskms]'",
        "needs accounts at clouds; tests/support/clouds.py stands in for them",
    ),
)
#: kinds of boxes that hold no commands
SHOWN = {"", "base64", "c", "json", "text", "toml", "yaml"}
_COMMAND = re.compile(
    r"^(\$ |(bpfimg|make|pip|pipx|apt|apt-get|clang|ip|tc|xdp-loader|docker|podman|cosign|curl) )", re.M
)


@cache
def pages() -> dict[str, str]:
    found = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]
    return {str(path.relative_to(ROOT)): path.read_text() for path in found}


def boxes() -> Iterator[tuple[str, str, str]]:
    """Page, kind and text of every box, with those that are only set in."""
    for page, text in pages().items():
        yield from ((page, kind, box) for kind, box in re.findall(r"^```(\S*)\n(.*?)^```$", text, re.S | re.M))
        prose = re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M)
        yield from ((page, "", re.sub("(?m)^    ", "", box)) for box in re.findall(r"(?<=\n\n)((?:    .*\n)+)", prose))


def ran(page: str, kind: str) -> str | None:
    """The test that runs these."""
    if page.startswith("docs/how-to/"):
        return "tests/book/test_how_to.py" if Path(page).stem in PAGES else next(iter(of_its_own(page)), None)
    return next((test for pattern, word, test in RUN if word == kind and fnmatch(page, pattern)), None)


def test_every_command_is_run_or_is_known_not_to_be() -> None:
    left = []
    for page, kind, box in boxes():
        if kind in SHOWN and not _COMMAND.search(box):
            continue
        excused = any((page, True) == (where, box.startswith(start)) for where, start, _ in NOT_RUN)
        if not excused and ran(page, kind) is None:
            left.append(f"{page}, {kind or 'set in'}: {box[:60]}")
    assert not left


def test_these_lists_have_nothing_that_is_not_there() -> None:
    there = [(page, kind, box) for page, kind, box in boxes()]
    for pattern, kind, test in RUN:
        assert any(fnmatch(page, pattern) and kind == word for page, word, _ in there), (pattern, kind)
        named = Path(pattern).stem.removesuffix("*")
        source = (ROOT / test).read_text()
        assert named in source or named.upper() in source, f"{test} does not speak of {pattern}"
    for page, start, _ in NOT_RUN:
        assert any(where == page and box.startswith(start) for where, _, box in there), (page, start)


def of_its_own(page: str) -> list[str]:
    """Tests that type a how-to page which needs more than a machine."""
    found = (path for path in (ROOT / "tests").rglob("test_*.py") if path.name != Path(__file__).name)
    sources = ((str(path.relative_to(ROOT)), path.read_text()) for path in sorted(found))
    return [name for name, source in sources if f'"{Path(page).name}"' in source and "how-to" in source]


kernel = pytest.mark.kernel
#: page -> what has to be there before its first command, and what lint looks at afterwards
COMPILED = "clang -g -O2 -target bpf -c prog.bpf.c -o prog.bpf.o"
PROBES = " && ".join(
    f"clang -g -O2 -target bpf -DREGISTER={register} -c probe.bpf.c -o {name}"
    for name, register in (("probe.o", 14), ("probe_x86_bpfel.o", 14), ("probe_arm64_bpfel.o", 0))
)
ORDERS = " && ".join(f"clang -g -O2 -target {order} -c prog.bpf.c -o prog_{order}.o" for order in ("bpfel", "bpfeb"))
LINT = {
    "BL001": "true",
    "BL002": ORDERS,
    "BL006": "true",
    "BL007": "true",
    "BL014": "true",
    "BL015": "true",
    "BL016": COMPILED,
    "BL027": PROBES,
    "BL039": "true",
}
SOURCES = """mkdir -p /home/alice/work && cd /home/alice/work
cat > prog.bpf.c <<'EOF'
volatile int seen = 1;
static __attribute__((noinline)) int twice(int x) { return x * seen; }
__attribute__((section("xdp"), used)) int prog(int *ctx) { return twice(*ctx) ? 2 : 1; }
char LICENSE[] __attribute__((section("license"), used)) = "GPL";
EOF
cat > probe.bpf.c <<'EOF'
__attribute__((section("kprobe/do_exit"), used)) int prog(unsigned long *ctx) { return ctx[REGISTER] > 3; }
char LICENSE[] __attribute__((section("license"), used)) = "GPL";
EOF
"""


@pytest.fixture(scope="module")
def host() -> Iterator[Machine]:
    with machine() as it:
        it.does("mount -t tmpfs tmpfs /home")
        yield it


@kernel
@pytest.mark.parametrize("rule", LINT)
def test_the_commands_of_a_rule_break_it_and_do_not(rule: str, host: Machine) -> None:
    host.does(f"rm -rf /home/*; {SOURCES}")
    wrong, right = (box for kind, box in BOX.findall(pages()[f"docs/lint/{rule}.md"]) if kind == "sh")
    for commands, breaks in ((wrong, True), (right, False)):
        host.does(LINT[rule])
        done = host(commands.replace("REF", "registry.example/rule:v1"))
        image = "bpfimg build" in commands
        if breaks and image and done.returncode:
            assert "endian" in done.stdout
            continue
        assert done.returncode == 0, done.stdout
        said = host(f"bpfimg lint {'registry.example/rule:v1' if image else 'prog.bpf.o'}").stdout
        assert (rule in said) is breaks, said


@kernel
def test_the_examples_are_compiled_by_hand_as_their_page_says(host: Machine) -> None:
    (box,) = (box for kind, box in BOX.findall(pages()["examples/bytecode/README.md"]) if kind == "sh")
    host.does("cp -r /root/examples/bytecode /home/examples && cd /home/examples")
    host.does(box)
    assert "xdp_count" in host.does("bpfimg inspect xdp_counter.bpf.o")
    host.does("cd /root")


@kernel
def test_the_demonstration_ends_well() -> None:
    with machine() as it:
        said = it.does(f"cd {ROOT} && python -m scripts.demo")
        assert "bpfimg run" in said
        assert it.does("find /sys/fs/bpf -mindepth 2") == ""
