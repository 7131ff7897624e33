"""Scopes and the names that signatures claim."""

from __future__ import annotations

import pytest

from bpfimg.sign._policy import _names
from bpfimg.sign._policy._names import Scope
from bpfimg.sign._strict import Junk

APP = "registry.example/team/app"


@pytest.mark.parametrize(
    ("scope", "repository", "tag", "matches"),
    [
        (f"{APP}:v1", APP, "v1", True),
        (f"{APP}:v1", APP, "v2", False),
        (f"{APP}:v1", APP, None, False),
        (APP, APP, "v1", True),
        (APP, APP, None, True),
        (APP, f"{APP}/x", "v1", False),
        (APP, f"{APP}x", "v1", False),
        ("registry.example/team/**", APP, "v1", True),
        ("registry.example/team/**", "registry.example/team/a/b", None, True),
        ("registry.example/team/**", "registry.example/team", None, False),
        ("registry.example/team/**", "registry.example/teams/app", None, False),
        ("registry.example/**", APP, None, True),
        ("registry.example", APP, None, True),
        ("registry.example", "registry.example.evil/team/app", None, False),
        ("registry.example", "registry.example:5000/team/app", None, False),
        ("registry.example:5000", "registry.example:5000/a", None, True),
        ("127.0.0.1:5000/dev/**", "127.0.0.1:5000/dev/x", None, True),
        ("[::1]:5000/dev/**", "[::1]:5000/dev/x", None, True),
        ("[::ffff:127.0.0.1]:5000/dev/**", "[::ffff:127.0.0.1]:5000/dev/x", None, True),
        ("*.example", APP, None, True),
        ("*.example", "a.registry.example/x", None, True),
        ("*.example", "example/x", None, False),
        ("*.example", "badexample/x", None, False),
        ("*.example", "registry.example:5000/x", None, False),
        ("*.example:5000", "registry.example:5000/x", None, True),
        ("*.example", "evil.test/registry.example", None, False),
        ("docker.io/nginx", "docker.io/library/nginx", "1", True),
        ("index.docker.io/library/nginx", "docker.io/library/nginx", "1", True),
        ("registry-1.docker.io", "docker.io/library/nginx", "1", True),
        ("docker.io/team/**", "docker.io/team/app", "1", True),
        ("docker.io/library/**", "docker.io/library/nginx", "1", True),
        ("registry.example:443/team/app", APP, "v1", True),
        ("registry.example:443/**", APP, "v1", True),
        ("registry.example:00443", APP, "v1", True),
        ("*.example:443", APP, "v1", True),
        ("registry.example:05000", "registry.example:5000/a", None, True),
        ("127.0.0.1:443", "127.0.0.1/a", None, False),
        ("localhost:443", "localhost/a", None, False),
    ],
)
def test_which_references_a_scope_is_for(scope: str, repository: str, tag: str | None, matches: bool) -> None:
    assert Scope.parse(scope).matches(repository, tag) is matches


def test_the_most_specific_scope_comes_first() -> None:
    ranked = [
        f"{APP}:v1",
        APP,
        "registry.example/team/**",
        "registry.example/**",
        "*.registry.example",
        "*.example",
    ]
    order = [Scope.parse(text).order for text in ranked]
    assert order == sorted(order, reverse=True)
    assert len(set(order)) == len(order)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("registry.example", "registry.example/**"),
        ("docker.io/nginx", "registry-1.docker.io/library/nginx"),
        ("docker.io", "index.docker.io/**"),
        ("docker.io/nginx:1", "docker.io/library/nginx:1"),
        ("docker.io:443/nginx", "docker.io/library/nginx"),
        ("registry.example:443/team/**", "registry.example/team/**"),
        ("registry.example:0443", "registry.example"),
        ("[::2]:443/x", "[::2]/x"),
    ],
)
def test_one_scope_in_two_spellings_is_one(one: str, other: str) -> None:
    assert Scope.parse(one).same == Scope.parse(other).same


@pytest.mark.parametrize(
    "text",
    [
        "", "*", "*.", "**", "/", "/a", "a/", "a//b", "a/**/b", "a/b*", "*.a/b", "a/B", "A/b", "a/b:",
        "a/b:.x", "a/b@c", "a/b\n", "a/../b", "a/b:t/**", "http://a/b", "a:x/b", "a/-b", "a/b-", "a/b..c",
        "a/b___c", "[::1/b", "*.[::1]", "a" * 513, "a/" + "b/" * 256, "a b", "a/é",
    ],
)  # fmt: skip
def test_what_is_no_scope_is_refused(text: str) -> None:
    with pytest.raises(Junk, match="is not HOST/REPO:TAG"):
        Scope.parse(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (APP, APP),
        (f"{APP}:v1", APP),
        (f"{APP}@sha256:0", APP),
        (f"{APP}:v1@sha256:0", APP),
        ("127.0.0.1:5000/a", "127.0.0.1:5000/a"),
        ("index.docker.io/library/nginx", "docker.io/library/nginx"),
        ("docker.io/nginx", "docker.io/library/nginx"),
    ],
)
def test_what_a_signature_claims(text: str, name: str) -> None:
    assert _names.claimed(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "app", "app:v1", "Registry.example/app", f"{APP}/", f"../{APP}", f"{APP}\n", "@", "a b/c",
        f"{APP}@", f"{APP}:", f"{APP}:.", f"{APP}@x", f"{APP}:v1@", f"{APP}@sha256:", f"{APP}@a@b", f"{APP}:v1\n",
    ],
)  # fmt: skip
def test_a_claim_that_is_no_repository_is_junk(text: str) -> None:
    with pytest.raises(Junk):
        _names.claimed(text)


def test_docker_hub_is_claimed_as_cosign_does() -> None:
    assert _names.claim("docker.io/library/nginx") == "index.docker.io/library/nginx"
    assert _names.claim(APP) == APP


@pytest.mark.parametrize(
    ("scope", "prefix", "repository", "expected"),
    [
        ("mirror.local:5000/acme/**", "registry.example/bpf", "mirror.local:5000/acme/a/b", "registry.example/bpf/a/b"),
        ("mirror.local", "registry.example", "mirror.local/a", "registry.example/a"),
        ("mirror.local/a", "registry.example/b", "mirror.local/a", "registry.example/b"),
        ("mirror.local/a:v1", "registry.example/b", "mirror.local/a", "registry.example/b"),
        ("mirror.local/hub/**", "docker.io", "mirror.local/hub/nginx", "docker.io/library/nginx"),
    ],
)
def test_remapping_replaces_the_literal_part(scope: str, prefix: str, repository: str, expected: str) -> None:
    assert _names.remapped(repository, Scope.parse(scope), prefix) == expected


@pytest.mark.parametrize(
    ("name", "one"),
    [
        ("registry.example:443/x", "registry.example/x"),
        ("docker.io:443/library/bad", "docker.io/library/bad"),
        ("index.docker.io:443/bad", "docker.io/library/bad"),
        ("registry.example:05000/x", "registry.example:5000/x"),
        ("[::1]/x", "[::1]/x"),
        ("[::2]:443/x", "[::2]/x"),
        ("127.0.0.1:443/x", "127.0.0.1:443/x"),
    ],
)
def test_a_port_that_says_nothing_makes_no_other_name(name: str, one: str) -> None:
    assert _names.canonical(name) == one
    assert _names.canonical(one) == one
    assert _names.claimed(f"{name}:v1") == one


def test_signatures_name_what_was_typed() -> None:
    """skopeo and podman compare it as text."""
    assert _names.claim("registry.example:443/x") == "registry.example:443/x"
    assert _names.claim("docker.io/x") == "index.docker.io/library/x"
