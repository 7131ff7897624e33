"""`docs/registries.md`, typed as it stands: its hosts are registries with TLS on a machine of their own."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.support.debian import find
from tests.support.machines import machine
from tests.support.pages import BOX, DOCS
from tests.support.registry import _BCRYPT, PASSWORD
from tests.support.tokens import certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.machines import Machine

pytestmark = pytest.mark.kernel
PAGE = (DOCS / "registries.md").read_text()
HOSTS = ("registry.example", "mirror.example", "mirror.site")
PROBE = "registry.example/team/probe"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Machine]:
    """With names for the page's hosts, and their certificate where podman's users keep it."""
    chain, _ = certificate(tmp_path, "registry", HOSTS)
    with machine() as it:
        it.does(f"echo 127.0.0.1 {' '.join(HOSTS)} >> /etc/hosts")
        for name in (*HOSTS, "registry.example:5000"):
            it.does(f"mkdir -p /etc/containers/certs.d/{name}")
            it.does(f"cp {chain} /etc/containers/certs.d/{name}/ca.crt")
        yield it


def registry(host: Machine, folder: Path, port: int, users: tuple[str, ...] = ()) -> None:
    """Starts Debian's registry on a port of the machine; it ends with the machine."""
    program = find("docker-registry")
    if program is None:
        pytest.skip("needs the program docker-registry (Debian package docker-registry)")
    chain, key = certificate(folder, "registry", HOSTS)
    config = {
        "version": "0.1",
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": "/root/.registry"}},
        "http": {"addr": f"127.0.0.1:{port}", "tls": {"certificate": str(chain), "key": str(key)}},
    }
    if users:
        (folder / "htpasswd").write_text("".join(f"{user}:{_BCRYPT}\n" for user in users))
        config["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
    (folder / f"{port}.json").write_text(json.dumps(config))
    host.does(f"{program} serve {folder}/{port}.json > {folder}/{port}.log 2>&1 &")
    host.does(f"for i in $(seq 300); do ss -tln | grep -q :{port} && break; sleep 0.1; done")


def lines(title: str) -> list[tuple[str, str]]:
    """Prompt and command of each line of the first box of commands below a heading."""
    text = re.split(rf"^#+ {title}\n", PAGE, flags=re.M)[1]
    box = next(box for kind, box in BOX.findall(text) if kind == "console")
    return re.findall(r"^(\w*)\$ (.*)$", box, re.M)


def images(host: Machine) -> None:
    """What the page speaks of, signed and in the registry."""
    host.does("export COSIGN_PASSWORD=; bpfimg key generate release")
    for name, source in (("probe:v1", "xdp_counter"), ("counter:v3", "xdp_pass")):
        image = f"registry.example/team/{name}"
        host.does(f"bpfimg build -q -t {image} examples/bytecode/{source}.bpf.c")
        host.does(f"bpfimg sign -q --key release.key {image} && bpfimg push -q {image}")


def test_logging_in(host: Machine, tmp_path: Path) -> None:
    for port in (443, 5000):
        registry(host, tmp_path, port, ("me", "robot"))
    host.does(f"echo '{PASSWORD}' > token")
    asks, given, logout = (command for _, command in lines("Logging in"))
    assert "asks on the terminal" in asks
    # what is typed before the question is thrown away by the terminal
    typed = f"for i in $(seq 100); do echo '{PASSWORD}' || break; sleep 0.3; done"
    said = host.does(f"({typed}) 2>/dev/null | script -qec '{asks}' /dev/null")
    assert "registry.example" in said
    logins = "cat /run/containers/0/auth.json ~/.config/containers/auth.json ~/.docker/config.json 2>/dev/null || true"
    host.does(given)
    assert '"registry.example"' in host.does(logins)
    assert '"registry.example:5000"' in host.does(logins)
    host.does(logout)
    assert '"registry.example"' not in host.does(logins)


def test_the_store(host: Machine, tmp_path: Path) -> None:
    registry(host, tmp_path, 443)
    images(host)
    said = {command.partition(" #")[0].strip(): host.does(command) for _, command in lines("The store")}
    assert f"{PROBE}:v1" in said["bpfimg images"]
    assert f"{PROBE}:v1\n" in said["bpfimg images registry:registry.example/team/probe"]
    assert host.does("bpfimg images -q registry.example/team/probe:stable").startswith("sha256:")


def test_copies(host: Machine, tmp_path: Path) -> None:
    registry(host, tmp_path, 443)
    images(host)
    host.does("mkdir -p /media/usb")
    two = " ".join(f"linux/{cpu}=examples/bytecode/xdp_counter.bpf.c" for cpu in ("amd64", "arm64"))
    host.does(f"bpfimg build -q -t {PROBE}:v1 {two} && bpfimg push -q {PROBE}:v1")
    host.does(f"bpfimg copy -q {PROBE}:v1 oci-archive:images.tar:{PROBE}:v1")
    for _, command in lines("Copies"):
        host.does(command)
    assert host.does("bpfimg images registry:mirror.example/team/probe").count("v1-arm64") == 1


def test_to_a_site_without_a_network(host: Machine, tmp_path: Path) -> None:
    registry(host, tmp_path, 443)
    images(host)
    host.does("mkdir -p /media/usb")
    box = next(box for kind, box in BOX.findall(PAGE[PAGE.index("### To a site") :]) if kind == "console")
    host.does(f"cat > images.txt <<'EOF'\n{box.partition('$ cat images.txt')[2].partition('outside$')[0].strip()}\nEOF")
    (_, cat), (_, copy) = lines("To a site without a network")
    assert "probe:v1" in host.does(cat)
    host.does(copy)
    host.does("ip link add eth0 type veth peer name eth9 && ip link set eth0 up")
    host.does("export BPFIMG_STORE=/root/inside")
    text = PAGE[PAGE.index("Inside, into a store") :]
    inside = next(box for kind, box in BOX.findall(text) if kind == "console")
    for command in re.findall(r"^inside\$ (.*)$", inside, re.M):
        host.does(command)
    assert "mirror.site" not in host.does("bpfimg images")
    assert "v3" in host.does("bpfimg images registry:mirror.site/ebpf/team/counter")


def test_the_files_for_names_and_mirrors(host: Machine, tmp_path: Path) -> None:
    registry(host, tmp_path, 443)
    images(host)
    (toml,) = (box for kind, box in BOX.findall(PAGE) if kind == "toml")
    host.does(f"mkdir -p ~/.config/containers && cat > ~/.config/containers/registries.conf <<'EOF'\n{toml}EOF")
    assert host.does("bpfimg --store elsewhere pull -q probe:v1").startswith("sha256:")
