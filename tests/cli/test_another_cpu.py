"""A lone image that was made for another CPU of the same byte order: it loads, and the user is told once (BI-26)."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bpfimg.image import MACHINES
from bpfimg.oci import Platform
from tests.support.strangers import OBJECT

if TYPE_CHECKING:
    from tests.support.cli import Cli

HERE = Platform.host()
ELSEWHERE = next(
    Platform("linux", name)
    for name, row in MACHINES.items()
    if row[0] == sys.byteorder and name not in (HERE.architecture, "386")
)
NAME = "registry.example/bytecode/xdp_pass:v1"
SAID = f"the image was made for {ELSEWHERE}, this machine is {HERE}: "

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="needs a little-endian machine: the object is one")


@pytest.fixture
def made(cli: Cli) -> Cli:
    """A signed image for another CPU in the store."""
    (cli.folder / "xdp_pass.bpf.o").write_bytes(OBJECT)
    cli("key", "generate", "k")
    build(cli, str(ELSEWHERE))
    return cli


def build(cli: Cli, platforms: str) -> None:
    cli("build", "-t", NAME, "--platform", platforms, "xdp_pass.bpf.o")
    cli("sign", "--key", "k.key", NAME)


@pytest.mark.kernel
def test_load_and_run_say_it_once_and_go_on(made: Cli, host: Cli) -> None:
    common = ("--dry-run", "--key", "k.pub", "--pull", "never")
    for words in (("load", *common, NAME), ("run", *common, NAME, "xdp", "-i", "lo")):
        done = made(*words, BPFIMG_BPFFS=host.environ["BPFIMG_BPFFS"])
        assert done.stderr.count(SAID) == done.stderr.count("(BI-26)") == len(done.stderr.splitlines()) == 1
        assert "the kernel takes it" in done.stdout


@pytest.mark.kernel
def test_nothing_is_said_of_an_image_for_this_cpu(made: Cli, host: Cli) -> None:
    dry = ("load", "--dry-run", "--key", "k.pub", "--pull", "never", NAME)
    for platforms in (str(HERE), f"{ELSEWHERE},{HERE}"):
        build(made, platforms)
        assert made(*dry, BPFIMG_BPFFS=host.environ["BPFIMG_BPFFS"]).stderr == ""


def test_inspect_has_it_among_its_findings(made: Cli) -> None:
    (finding,) = made.json("object", "inspect", NAME)["findings"]
    assert (finding["rule"], finding["about"]) == ("BI-26", str(ELSEWHERE))
    assert finding["message"].startswith(SAID)
    text = made("inspect", NAME).stdout
    assert SAID in text
    assert "Not as the object says" not in text


def test_an_index_has_what_was_asked_for(made: Cli) -> None:
    build(made, f"{ELSEWHERE},{HERE}")
    for words in ((), ("--platform", str(ELSEWHERE))):
        assert made.json("object", "inspect", NAME, *words)["findings"] == []


def test_the_comparison_parses_no_object() -> None:
    script = """if True:
        import sys
        from bpfimg.image import BytecodeImage, Labels
        from bpfimg.oci import Platform
        image = BytecodeImage(sys.stdin.buffer.read(), Labels(), Platform("linux", "arm64"), "a.o")
        assert "linux/arm64" in image.made_elsewhere(Platform("linux", "amd64"))
        print(*sorted(name for name in sys.modules if name.startswith("bpfimg.b")))
    """
    done = subprocess.run([sys.executable, "-c", script], input=OBJECT, capture_output=True, check=True)
    assert done.stdout.split() == [b"bpfimg.bytecode", b"bpfimg.bytecode._header"]
