"""A believed image to a running program, and back; many at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bpfimg import inspect, run
from bpfimg._value import replace
from bpfimg.errors import AttachError, DigestMismatch, UsageError
from bpfimg.load import Host
from bpfimg.load._hooks import Tc, Tracepoint, Xdp, to_dict
from bpfimg.oci import Digest, Memory
from tests.support import believed, loads
from tests.support.features import native
from tests.support.netns import namespace, tracefs

if TYPE_CHECKING:
    from bpfimg.oci import Descriptor
    from tests.support.netns import Namespace

pytestmark = pytest.mark.kernel
ROOT = Path(__file__).resolve().parents[3]


def test_an_image_runs_is_recorded_and_goes(host: Host, ns: Namespace) -> None:
    store, verified = believed.image(loads.xdp())
    done = run.image(
        host,
        store,
        verified,
        hook=Xdp(ns.interface, priority=100, netns=ns.path),
        globals={"step": "01"},
        metadata={"team": "net"},
        pull="always",
    )
    assert ns.ping(2)
    assert loads.hits(done.load) == 2
    assert done.link is not None
    assert (done.link.priority, done.link.metadata) == (100, {"team": "net"})
    assert [info.id for info in done.kernel] == [done.load.id]
    record = host.loads()[0].record
    assert record is not None
    assert record.image is not None
    assert (record.name, record.image.reference) == ("counter", "registry.example/team/counter:v1")
    assert record.image.digest == record.image.manifest == str(verified.descriptor.digest)
    assert [signer.who for signer in record.image.signers] == [f"--key test.pub {believed.key().public.fingerprint}"]
    assert (record.image.policy, record.image.unsafe, record.image.pull) == ("--key test.pub", False, "always")
    assert run.unload(host, "counter").id == done.load.id
    assert loads.tree(host) == []
    assert loads.attached(ns) == set()


def test_load_then_attach_then_detach(host: Host, ns: Namespace) -> None:
    store, verified = believed.image(loads.several())
    done = run.load(host, store, verified, programs=(f"xdp:{loads.TAG}b",), name="two")
    assert done.link is None
    assert done.load.name == "two"
    loaded, link = run.attach(host, "two", Xdp(ns.interface, netns=ns.path))
    assert loaded.id == done.load.id
    assert loads.attached(ns) == {("xdp", done.load.id)}
    assert run.detach(host, link.id)[0].id == done.load.id
    assert loads.attached(ns) == set()


def test_only_a_verified_image_is_taken(host: Host) -> None:
    store, verified = believed.image(loads.xdp())
    for other in (verified.descriptor, verified.reference, None):
        with pytest.raises(TypeError, match="no proof"):
            run.load(host, store, other)  # type: ignore[arg-type]


def test_one_flipped_byte_and_nothing_is_loaded(host: Host) -> None:
    store, verified = believed.image(loads.xdp())

    class Liar(Memory):
        def fetch(self, descriptor: Descriptor, *, limit: int = 1 << 30) -> bytes:
            data = store.fetch(descriptor, limit=limit)
            if "tar" in descriptor.media_type:
                data = data[:-1] + bytes([data[-1] ^ 1])
                assert Digest.of(data) != descriptor.digest
                raise DigestMismatch("as every source does", want=str(descriptor.digest), got=str(Digest.of(data)))
            return data

    with loads.nothing_left(host), pytest.raises(DigestMismatch):
        run.load(host, Liar(store.repository), verified)


def test_a_dry_run_checks_all_and_changes_nothing(host: Host, ns: Namespace) -> None:
    store, verified = believed.image(loads.several())
    hook = Xdp(ns.interface, netns=ns.path)
    with loads.nothing_left(host):
        done = run.image(
            host, store, verified, hook=hook, programs=(f"{loads.TAG}b",), globals={"step": "7"}, dry_run=True
        )
        assert done.dry_run
        assert done.load.record is not None
        assert [program.name for program in done.load.record.programs] == [f"{loads.TAG}b"]
        assert done.load.record.globals == {"step": "7"}
        assert (done.load.id, done.kernel, done.link) == (0, (), None)
        with pytest.raises(UsageError, match="2 programs for hook xdp"):
            run.image(host, store, verified, hook=hook, dry_run=True)
        with pytest.raises(UsageError, match="no global 'nope'"):
            run.load(host, store, verified, globals={"nope": "1"}, dry_run=True)
        with pytest.raises(AttachError, match="no interface"):
            run.image(host, store, verified, hook=replace(hook, interface="nowhere"), dry_run=True)
        with tracefs(), pytest.raises(AttachError, match="no tracepoint"):
            run.image(host, store, verified, hook=Tracepoint("no", "such"), dry_run=True)
        with pytest.raises(UsageError, match="cannot be the name"):
            run.load(host, store, verified, name="17", dry_run=True)
    assert not os.path.exists(host.directory)


def test_everything_on_one_interface_at_once(host: Host, ns: Namespace) -> None:
    xdp, tc = believed.image(loads.xdp()), believed.image(loads.tc())
    for hook in (Xdp(ns.interface, netns=ns.path),):
        run.image(host, *xdp, hook=hook)
    for direction in ("ingress", "egress"):
        run.image(host, *tc, hook=Tc(ns.interface, direction, netns=ns.path))
    assert len(loads.attached(ns)) == 3
    assert loads.attached(ns) == loads.listed(host)
    assert ns.ping(1)
    assert [loads.hits(load) for load in host.loads()] == [1, 1, 1]


@pytest.mark.parametrize("crowd", [4, pytest.param(20, marks=native("starts forty processes"))])
def test_many_at_once(crowd: int, host: Host, tmp_path: Path) -> None:
    """So many processes run, each on an interface of its own; then they unload. A reader looks all the time."""
    patient = Host(host.bpffs, lock_timeout=60)
    path = tmp_path / "object.o"
    path.write_bytes(loads.xdp())
    child = [sys.executable, "-m", "tests.support.child_run", host.bpffs, "auto"]
    with ExitStack() as stack:
        places = [stack.enter_context(namespace()) for _ in range(crowd)]
        hooks = [[None, to_dict(Xdp(ns.interface, netns=ns.path))] for ns in places]
        together([[*child, "run", str(path), json.dumps([hook])] for hook in hooks], patient)
        found = patient.loads()
        assert len(found) == crowd
        assert {link.netns for load in found for link in load.links} == {ns.path for ns in places}
        for ns in places:
            assert len(loads.attached(ns)) == 1
        assert {view.state for view in inspect.host(patient).links} == {"attached"}
        together([[*child, "unload", str(load.id)] for load in found], patient)
        assert loads.tree(patient) == []
        for ns in places:
            assert loads.attached(ns) == set()


def together(commands: list[list[str]], host: Host) -> None:
    with ExitStack() as stack:
        running = [
            stack.enter_context(subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
            for argv in commands
        ]
        while any(process.poll() is None for process in running):
            inventory = inspect.host(host)
            assert all(view.damage == "" for view in inventory.programs)
            assert {view.state for view in inventory.links} <= {"attached"}
        said = [process.stderr.read().decode() for process in running if process.stderr]
    assert [process.returncode for process in running] == [0] * len(commands), said
