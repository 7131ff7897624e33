"""The loader takes nothing but what was verified."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from bpfimg import run
from bpfimg.load import Host
from bpfimg.load._hooks import Xdp
from bpfimg.oci import Digest
from bpfimg.run import once
from bpfimg.run._record import image_record
from tests.support import believed
from tests.support.objects import example


@pytest.mark.parametrize("other", [None, b"bytes", "registry.example/x:v1", object()])
def test_nothing_else_is_a_proof(other: object) -> None:
    with pytest.raises(TypeError, match="expected a VerifiedImage"):
        run.image(Host("/nowhere"), None, other, hook=Xdp("eth0"))  # type: ignore[arg-type]


def test_the_record_says_who_vouched_for_it() -> None:
    _, verified = believed.image(example("xdp_pass"))
    manifest = Digest.of(b"")
    record = image_record(verified, manifest, "never")
    assert record.reference == "registry.example/team/counter:v1"
    assert record.digest == str(verified.descriptor.digest)
    assert record.manifest == str(manifest)
    assert [signer.who for signer in record.signers] == [f"--key test.pub {believed.key().public.fingerprint}"]
    assert record.signers[0].format == verified.signers[0].format
    assert not record.unsafe


def test_no_other_module_prepares_an_object() -> None:
    """`load.prepare` is where bytes enter the kernel; only `run` calls it, with the bytes of a verified image."""
    house = Path(run.__file__).parents[1]
    for path in house.rglob("*.py"):
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        names = {ast.unparse(node.func).split(".")[-1] for node in calls}
        within = path.relative_to(house)
        if str(within) not in ("load/_object.py", "load/_trial.py", "run/_image.py", "run/_once.py"):
            assert not names & {"prepare", "open_object"}, path


def test_a_trial_of_this_kernel_takes_the_same_proof() -> None:
    """`load.trial`, which gives bytes to the verifier, has no other callers than `run` and who is alone in a guest."""
    house = Path(run.__file__).parents[1]
    asking = [path for path in house.rglob("*.py") if "trial.each(" in path.read_text()]
    assert sorted(str(path.relative_to(house)) for path in asking) == ["load/_trial_agent.py", "run/_tried.py"]
    text = (house / "run" / "_tried.py").read_text()
    assert text.index("fetched = proven(source, verified, ") < text.index("trial.each(fetched.bytecode")
    with pytest.raises(TypeError, match="expected a VerifiedImage"):
        run.tried(None, b"bytes")  # type: ignore[arg-type]


def test_programs_that_run_once_take_the_same_proof() -> None:
    for way in (once.iterate, once.call):
        with pytest.raises(TypeError, match="expected a VerifiedImage"):
            way(Host("/nowhere"), None, b"bytes", b"")  # type: ignore[arg-type,operator]


def test_every_function_that_prepares_asks_for_the_proof_first() -> None:
    for file in ("_image.py", "_once.py"):
        tree = ast.parse(Path(run.__file__).with_name(file).read_text())
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        preparing = [each for each in functions if "prepare(" in ast.unparse(each)]
        assert preparing
        for each in preparing:
            text = ast.unparse(each)
            assert text.index("fetched = proven(source, verified, ") < text.index("prepare(fetched.bytecode")
            assert text.count("fetched = ") == 1
    proven = Path(run.__file__).with_name("_proven.py").read_text()
    assert proven.index("if not isinstance(verified, VerifiedImage):\n        raise TypeError") < proven.index(
        "fetched = BytecodeImage.fetch(source, verified.descriptor, machine)"
    )
