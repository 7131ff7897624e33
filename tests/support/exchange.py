"""Images that are handed round between bpfimg and its peers, and the registries through which they go."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bpfimg import build
from bpfimg._value import replace
from bpfimg.image import BytecodeImage
from bpfimg.oci import Descriptor, Layout, Manifest, Platform, Reference, parse_document
from tests.support import peers
from tests.support.cli import Cli
from tests.support.objects import example
from tests.support.registry import registry
from tests.support.targets import referrer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bpfimg.oci import Target
    from tests.support.peers import Peer
    from tests.support.registry import Server

#: how a registry lets people in -> how it is started
FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "htpasswd": {"auth": "htpasswd"},
    "token": {"auth": "token"},
    "tls": {"tls": True},
    "tls-token": {"auth": "token", "tls": True},
}
#: two that lie far apart, for what has little to do with the door
SOME = ("plain", "tls-token")
PLATFORMS = Platform("linux", "amd64"), Platform("linux", "arm64")
NAME = Reference.parse("registry.test/peers/xdp_counter:v1")


@dataclass(frozen=True, slots=True)
class Place:
    """A running registry and what each client has to be told to get in. `login` is a folder with a config.json."""

    server: Server
    form: str
    login: Path

    @property
    def ca(self) -> str:
        """The file with the certificate authority, "" where there is no TLS."""
        return str(self.server.ca_file or "")

    def name(self, path: str, tag: str = "v1") -> str:
        """A reference in this registry."""
        return f"{self.server.host}/{path}:{tag}"

    def cli(self, folder: Path, store: str = "store") -> Cli:
        """bpfimg with an empty home, `store` below `folder`, and the credentials."""
        environ = {"BPFIMG_STORE": str(folder / store), "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
        environ |= {"DOCKER_CONFIG": str(self.login)}
        return Cli(folder, environ | ({"BPFIMG_CA_FILE": self.ca} if self.ca else {}))

    def peer(self, name: str, folder: Path) -> Peer:
        """A peer with the credentials; skips where it is not to be had."""
        if not (folder / "config.json").exists():
            shutil.copy(self.login / "config.json", folder / "config.json")
        return peers.require(name, folder, **({"SSL_CERT_FILE": self.ca} if self.ca else {}))

    def skopeo(self, side: str) -> list[str]:
        """The words with which skopeo reaches this registry; `side` is src, dest or ""."""
        dash = f"{side}-" if side else ""
        ca = self.server.ca_file
        return [f"--{dash}cert-dir={ca.parent / 'ca'}"] if ca else [f"--{dash}tls-verify=false"]

    def oras(self, side: str = "") -> list[str]:
        """The words with which oras reaches this registry; `side` is from, to or ""."""
        dash = f"{side}-" if side else ""
        return [f"--{dash}ca-file={self.ca}"] if self.ca else [f"--{dash}plain-http"]

    def taken(self, name: str, peer: Peer, reference: str, folder: Path, tag: str = "v1") -> None:
        """Lets a peer copy an image with all its architectures out of this registry, into the layout `folder`."""
        if name.endswith("skopeo"):
            words = ["copy", "-q", "--all", "--preserve-digests", *self.skopeo("src")]
            peer(*words, f"docker://{reference}", f"oci:{folder}:{tag}")
        elif name == "crane":
            peer("pull", "--format=oci", reference, str(folder))
        else:
            peer("copy", "--no-tty", *self.oras("from"), reference, "--to-oci-layout", f"{folder}:{tag}")

    def given(self, name: str, peer: Peer, folder: Path, tag: str, reference: str) -> None:
        """Lets a peer copy an image with all its architectures from a layout into this registry."""
        if name.endswith("skopeo"):
            words = ["copy", "-q", "--all", "--preserve-digests", *self.skopeo("dest")]
            peer(*words, f"oci:{folder}:{tag}", f"docker://{reference}")
        elif name == "crane":
            peer("push", str(folder), reference)
        else:
            peer("copy", "--no-tty", "--from-oci-layout-path", str(folder), tag, *self.oras("to"), reference)


@contextmanager
def place(folder: Path, form: str) -> Iterator[Place]:
    """A registry of that form below `folder`; skips where there is none."""
    with registry(folder, **FORMS[form]) as server:
        login = folder / "login"
        login.mkdir()
        server.authfile(login / "config.json")
        if "auth" not in FORMS[form]:
            (login / "config.json").write_text("{}")
        if server.ca_file:
            (folder / "ca").mkdir()
            shutil.copy(server.ca_file, folder / "ca" / "ca.crt")
        yield Place(server, form, login)


def images(variant: str = "image") -> list[BytecodeImage]:
    """One eBPF program for two architectures."""
    data = example("xdp_counter", target="bpfel")
    made = [build.image(data, file_name="xdp_counter.bpf.o", platform=each) for each in PLATFORMS]
    return [replace(each, variant=variant) for each in made]


@dataclass(frozen=True, slots=True)
class Made:
    """What was put into a store: `tags` says which image and descriptor each tag names."""

    layout: Layout
    tags: Mapping[str, tuple[list[BytecodeImage], Descriptor]]
    evidence: Descriptor

    @property
    def path(self) -> Path:
        from pathlib import Path

        return Path(self.layout.path)


def made(path: Path) -> Made:
    """A store with an image, an index and an artifact of two architectures each; the image has a referrer."""
    layout = Layout(str(path), NAME.repository, short_names=False)
    rows = {
        "image": images()[:1],
        "index": images(),
        "artifact": images("artifact")[:1],
        "artifacts": images("artifact"),
    }
    tags = {tag: (row, build.store(row, layout, tag)) for tag, row in rows.items()}
    return Made(layout, tags, referrer(tags["image"][1]).push(layout))


def assert_same(place: Target, descriptor: Descriptor, row: list[BytecodeImage]) -> None:
    """Fails unless the place has these very images under that descriptor: objects, labels and all that is said."""
    for each in row:
        found = BytecodeImage.fetch(place, descriptor, each.platform)
        assert replace(found, descriptor=None) == each


def blobs(source: Target, descriptor: Descriptor) -> set[str]:
    """The digests of everything that belongs to an image, the manifest or index among them."""
    document = parse_document(source.fetch(descriptor), descriptor.media_type)
    if isinstance(document, Manifest):
        return {str(each.digest) for each in (descriptor, document.config, *document.layers)}
    return {str(descriptor.digest)}.union(*(blobs(source, each) for each in document.manifests))
