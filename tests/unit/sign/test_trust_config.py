"""Which services a trust configuration names for a moment, and what is wrong with those that cannot be used."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from bpfimg.errors import UsageError
from bpfimg.oci import places
from bpfimg.sign import signers
from tests.support.sigstack import World
from tests.unit.sign.craft import key

if TYPE_CHECKING:
    from collections.abc import Callable

WORLD = World()
URLS = {
    "oidc": "http://127.0.0.1:1",
    "fulcio": "http://127.0.0.1:2",
    "rekor1": "http://127.0.0.1:3",
    "rekor2": "http://127.0.0.1:4",
    "tsa": "http://127.0.0.1:5",
}
NOW = 1_800_000_000.0


def document(rekor: int = 2) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(WORLD.client_trust_config(URLS, rekor=rekor))
    return found


def parsed(content: object, now: float = NOW) -> signers.TrustConfig:
    return signers.TrustConfig.parse(json.dumps(content).encode(), "corp.json", now)


def service(
    url: str, version: int = 1, operator: str = "corp", start: str | None = None, end: str | None = None
) -> Any:
    window = {name: text for name, text in (("start", start), ("end", end)) if text}
    return {"url": url, "majorApiVersion": version, "operator": operator, "validFor": window}


def logs(listed: list[Any], config: Any = None, now: float = NOW) -> list[tuple[str, int]]:
    content = document()
    content["signingConfig"]["rekorTlogUrls"] = listed
    content["signingConfig"].pop("rekorTlogConfig")
    if config is not None:
        content["signingConfig"]["rekorTlogConfig"] = config
    return [(each.url, each.version) for each in parsed(content, now).logs]


def test_both_halves_in_one_file() -> None:
    found = parsed(document())
    assert found.authority is not None
    assert found.provider is not None
    assert (found.authority.url, found.provider.url) == (URLS["fulcio"], URLS["oidc"])
    assert [each.url for each in found.logs] == [URLS["rekor2"]]
    assert [each.url for each in found.timestamp_authorities] == [f"{URLS['tsa']}/api/v1/timestamp"]
    assert found.root.trusted()
    assert not found.public


def test_two_files_say_the_same_as_one() -> None:
    one = parsed(document())
    two = signers.TrustConfig.of(WORLD.signing_config(URLS), WORLD.trusted_root(URLS), "signing.json", "root.json", NOW)
    assert (two.authority, two.provider, two.logs) == (one.authority, one.provider, one.logs)
    assert two.timestamp_authorities == one.timestamp_authorities
    assert two.root.origin == "root.json"


def test_sigstore_python_reads_what_it_is_handed() -> None:
    from sigstore.models import ClientTrustConfig

    found = ClientTrustConfig.from_json(parsed(document()).document().decode())
    assert found.signing_config.get_oidc_url() == URLS["oidc"]
    assert found.trusted_root


def test_the_public_services_come_with_the_package() -> None:
    found = signers.public_good(time.time())
    assert found.public
    assert found.authority is not None
    assert found.authority.url == "https://fulcio.sigstore.dev"
    assert found.logs
    assert found.timestamp_authorities
    assert found.root.trusted()


A, B = "https://a.example", "https://b.example"


@pytest.mark.parametrize(
    ("listed", "config", "chosen"),
    [
        ([service(A)], None, [(A, 1)]),
        ([service(A), service(B, operator="other")], None, [(A, 1), (B, 1)]),
        ([service(A), service(B, operator="other")], {"selector": "ALL"}, [(A, 1), (B, 1)]),
        ([service(A), service(B, operator="other")], {"selector": "ANY"}, [(A, 1)]),
        ([service(A), service(B, operator="other")], {"selector": "EXACT", "count": 2}, [(A, 1), (B, 1)]),
        ([service(A), service(B, operator="other")], {"selector": "EXACT", "count": 1}, [(A, 1)]),
        ([service(A), service(B)], {"selector": "ALL"}, [(A, 1)]),
        ([service(A, 1), service(B, 2)], None, [(B, 2)]),
        ([service(A, 1), service(B, 3)], None, [(A, 1)]),
        ([service(f"{A}/")], None, [(A, 1)]),
        ([service(A, start="2030-01-01T00:00:00Z"), service(B)], None, [(B, 1)]),
        ([service(A, end="2026-01-01T00:00:00Z"), service(B)], None, [(B, 1)]),
        ([service(A, start="2020-01-01T00:00:00.5Z", end="2029-01-01T00:00:00+01:00")], None, [(A, 1)]),
        ([], None, []),
    ],
)
def test_of_each_operator_the_newest_then_as_the_selector_says(
    listed: list[Any], config: Any, chosen: list[tuple[str, int]]
) -> None:
    assert logs(listed, config) == chosen


def test_cosign_writes_an_empty_selector_for_services_that_there_are_none_of() -> None:
    from sigstore.models import ClientTrustConfig

    content = document(1)
    content["signingConfig"] |= {"tsaUrls": [], "tsaConfig": {}}
    found = parsed(content)
    assert found.timestamp_authorities == ()
    assert ClientTrustConfig.from_json(found.document().decode()).trusted_root


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"selector": "EXACT", "count": 2}, "rekorTlogUrls has 1 services for this moment, expected the 2"),
        ({"selector": "SOME"}, "rekorTlogConfig.selector is 'SOME', expected ANY, ALL or EXACT"),
        ({"selector": "EXACT", "count": 0}, "rekorTlogConfig.count is '0', expected a number from 1 to 64"),
        ({"selector": "EXACT", "count": "2"}, "rekorTlogConfig.count is '2', expected a number from 1 to 64"),
        ({}, "rekorTlogConfig lacks 'selector'"),
        ({"selector": "ALL", "x": 1}, "rekorTlogConfig has the unknown field 'x'"),
    ],
)
def test_selectors_that_cannot_be_met(config: Any, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        logs([service(A)], config)
    assert str(caught.value).startswith(f"the trust configuration corp.json cannot be used: {reason}")


def _set(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def edit(content: dict[str, Any]) -> None:
        *names, last = path.split(".")
        for name in names:
            content = content[int(name)] if name.isdecimal() else content[name]  # type: ignore[index]
        content[last] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (_set("mediaType", "x"), "its media type is 'x'"),
        (_set("signingConfig.mediaType", "application/vnd.dev.sigstore.signingconfig.v0.1+json"), "its media type is"),
        (_set("more", 1), "it has the unknown field 'more'"),
        (_set("signingConfig.more", 1), "signingConfig has the unknown field 'more'"),
        (_set("signingConfig", []), "signingConfig is a list"),
        (_set("trustedRoot", "x"), "trustedRoot is a string, expected an object"),
        (_set("signingConfig.caUrls", {}), "caUrls is an object"),
        (_set("signingConfig.caUrls", "x"), "caUrls is a string"),
        (_set("signingConfig.caUrls", [service(A)] * 65), "caUrls has 65 entries, expected at most 64"),
        (_set("signingConfig.caUrls.0.url", "ftp://a"), "caUrls[0].url is 'ftp://a', expected an https URL"),
        (_set("signingConfig.caUrls.0.url", 7), "caUrls[0].url is a number"),
        (_set("signingConfig.caUrls.0.majorApiVersion", "1"), "caUrls[0].majorApiVersion is a string"),
        (_set("signingConfig.caUrls.0.validFor.start", "yesterday"), "caUrls[0].validFor.start is 'yesterday'"),
        (_set("signingConfig.caUrls.0.validFor.start", "2026-01-01T00:00:00"), "caUrls[0].validFor.start is '2026"),
        (_set("signingConfig.caUrls.0.validFor", []), "caUrls[0].validFor is a list, expected an object"),
    ],
)
def test_what_is_wrong_is_said(edit: Callable[[dict[str, Any]], None], reason: str) -> None:
    content = document()
    edit(content)
    with pytest.raises(UsageError) as caught:
        parsed(content)
    assert str(caught.value).startswith(f"the trust configuration corp.json cannot be used: {reason}")


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff", b'{"mediaType":1,"mediaType":1}', b" " * (5 << 20)])
def test_what_is_no_configuration(data: bytes) -> None:
    with pytest.raises(UsageError, match=r"the trust configuration .* cannot be used: it "):
        signers.TrustConfig.parse(data, "corp.json", NOW)
    with pytest.raises(UsageError, match=r"the signing configuration .* cannot be used: "):
        signers.TrustConfig.of(data, b"{}", "corp.json", "root.json", NOW)


def test_a_root_that_cannot_be_read_is_found_before_any_service_is_asked() -> None:
    content = document()
    content["trustedRoot"]["certificateAuthorities"] = "x"
    with places.Connections(places.RegistryOptions()) as connections, pytest.raises(UsageError, match="trusted root"):
        signers.Services(parsed(content), connections)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("signingConfig.caUrls", [], "corp.json names no certificate authority, expected caUrls, or a --key"),
        ("signingConfig.rekorTlogUrls", [], "corp.json asks for 0 logs, expected one for signing without a key"),
        ("signingConfig.tsaUrls", [], "corp.json names no timestamp authority, and a Rekor of version 2 does not say"),
    ],
)
def test_services_that_cannot_do_without_a_key(path: str, value: object, reason: str) -> None:
    content = document()
    _set(path, value)(content)
    with places.Connections(places.RegistryOptions()) as connections:
        services = signers.Services(parsed(content), connections)
        with pytest.raises(UsageError) as caught:
            signers.Keyless(services, "not looked at")
        assert signers.KeySigner(key(), services).lacking() == ""
    assert str(caught.value).startswith(reason)


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://fulcio.sigstore.dev", True),
        ("https://fulcio.sigstage.dev/", True),
        ("https://FULCIO.Sigstore.dev.:443/x", True),
        ("https://fulcio.sigstore.dev.corp.example", False),
        ("https://fulcio.corp.example/fulcio.sigstore.dev", False),
    ],
)
def test_whatever_file_names_the_public_services_they_are_public(url: str, public: bool) -> None:
    content = document()
    content["signingConfig"]["caUrls"][0]["url"] = url
    assert parsed(content).public is public
    content = document()
    content["signingConfig"]["rekorTlogUrls"][0]["url"] = url
    assert parsed(content).public is public
