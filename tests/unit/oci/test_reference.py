"""Names: what is one, what it means, and what never becomes part of a path or URL."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfimg.errors import Error, UsageError
from bpfimg.oci import Digest, Reference, Repository

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("acme/xdp", "docker.io/acme/xdp:latest"),
        ("docker.io/busybox:1", "docker.io/library/busybox:1"),
        ("index.docker.io/acme/xdp:1", "docker.io/acme/xdp:1"),
        ("registry-1.docker.io/library/busybox:1", "docker.io/library/busybox:1"),
        ("localhost/foo:1", "localhost/foo:1"),
        ("localhost:5000/foo", "localhost:5000/foo:latest"),
        ("quay.io/bpfman-bytecode/xdp_pass:latest", "quay.io/bpfman-bytecode/xdp_pass:latest"),
        ("127.0.0.1:5000/a/b/c:v1.2-x_y", "127.0.0.1:5000/a/b/c:v1.2-x_y"),
        ("[::1]:5000/a", "[::1]:5000/a:latest"),
        ("host.test/a__b/c--d.e", "host.test/a__b/c--d.e:latest"),
        (f"host.test/a@sha256:{HEX}", f"host.test/a@sha256:{HEX}"),
        (f"host.test/a:v1@sha256:{HEX}", f"host.test/a:v1@sha256:{HEX}"),
        (f"a@sha512:{HEX}{HEX}", f"docker.io/library/a@sha512:{HEX}{HEX}"),
    ],
)
def test_what_a_reference_means(text: str, meaning: str) -> None:
    assert str(Reference.parse(text)) == meaning
    assert str(Reference.parse(meaning)) == meaning


@pytest.mark.parametrize(
    "text",
    [
        "", ":", "@", "/", "a/", "/a", "a//b", "a/../b", "..", "a b", " a", "a\n", "a:v1\n", "UPPER", "host.test/Upper",
        "Host.test/a", "a:", "a:v1:v2", "a:-x", "a:.x", "a@", "a:@sha256:" + HEX, f"a@sha256:{HEX}\n",
        f"a@sha256:{HEX[1:]}",
        f"a@sha256:{HEX.upper()}", f"a@md5:{HEX[:32]}", f"a@sha256:../{HEX[3:]}", "host.test:0/a", "host.test:65536/a",
        "host.test:x/a", "host_test.x/a", "-host.test/a", "host.test/a___b", "host.test/_a", "host.test/a-",
        "a?b", "a%2fb",
        "a#b", "https://host.test/a", "host.test/" + "a" * 256, "a:" + "x" * 129, "\x1b[31m", "host.test/a\u0661",
    ],
)  # fmt: skip
def test_what_is_no_reference(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        Reference.parse(text)
    assert str(refused.value).isprintable()
    assert "expected" in refused.value.hint


@given(st.text(alphabet=st.sampled_from("ab/:@.-_[]%A\n0\x00é")))
def test_whatever_is_parsed_is_safe(text: str) -> None:
    try:
        found = Reference.parse(text)
    except UsageError:
        return
    assert Reference.parse(str(found)) == found
    assert not set(str(found)) & set("%\n\x00é?# ")
    assert ".." not in str(found).split("/")


def test_the_endpoint_of_docker_hub() -> None:
    assert Repository.parse("busybox").endpoint == "registry-1.docker.io"
    assert Repository.parse("quay.io/a").endpoint == "quay.io"


def test_changing_a_reference() -> None:
    digest = Digest.parse(f"sha256:{HEX}")
    reference = Reference.parse("quay.io/a:v1")
    assert reference.selector == "v1"
    fixed = reference.with_digest(digest)
    assert (str(fixed), fixed.selector) == (f"quay.io/a:v1@sha256:{HEX}", digest)
    assert str(fixed.with_tag("v2")) == "quay.io/a:v2"
    with pytest.raises(UsageError):
        reference.with_tag("no/tag")
    with pytest.raises(UsageError):
        Reference(reference.repository)


def test_digests() -> None:
    empty = Digest.of(b"{}")
    assert str(empty) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert Digest.parse(str(empty)) == empty
    assert empty.matches(b"{}")
    assert not empty.matches(b"{} ")
    assert empty.tag == f"sha256-{empty.hex}"
    long = Digest.of(b"{}", "sha512")
    assert Digest.parse(str(long)) == long
    assert long.tag == f"sha512-{long.hex[:64]}"
    for wrong in ("", "sha256", "sha256:", f"sha256:{empty.hex}\n", f"SHA256:{empty.hex}", f"sha512:{empty.hex}"):
        with pytest.raises(Error):
            Digest.parse(wrong)
