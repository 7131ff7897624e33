"""Policies, read as they are written by who means well."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import serialization

from tests.attacks.naive.certificates import certified, identities
from tests.attacks.naive.claims import last_part, named, over_bytes
from tests.attacks.naive.reading import Verdict, all_keys, keys, seen, signs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bpfimg.oci import Reference
    from tests.attacks.scene import Scene


def _allowed(scene: Scene, matches: Callable[[str, Reference], bool]) -> Verdict:
    for rule in scene.policy["rules"]:
        if rule.get("action") == "insecure-allow-unsigned" and matches(rule["scope"], scene.reference):
            return True
    return over_bytes(scene)


def scope_begins(scene: Scene) -> Verdict:
    """A scope is what the name begins with."""
    return _allowed(scene, lambda scope, ref: str(ref.repository).startswith(scope.removesuffix("/**")))


def scope_ends(scene: Scene) -> Verdict:
    """`*.domain` is what the host ends with."""
    return _allowed(
        scene, lambda scope, ref: scope[:2] == "*." and str(ref.repository).partition("/")[0].endswith(scope[2:])
    )


def scope_tag(scene: Scene) -> Verdict:
    """A scope with a tag is for whatever is asked for with that tag."""
    return _allowed(scene, lambda scope, ref: scope == f"{ref.repository}:{ref.tag}")


def scope_spelled(scene: Scene) -> Verdict:
    """Names are compared as they are spelled: denying one spelling denies one spelling."""
    for rule in scene.policy["rules"]:
        if rule.get("action") == "deny" and scene.asked.startswith(f"{rule['scope']}:"):
            return False
    return True


def any_rule(scene: Scene) -> Verdict:
    """Every rule that matches may allow."""
    return _allowed(scene, lambda scope, ref: str(ref.repository).startswith(f"{scope.removesuffix('/**')}/"))


def without_denied(scene: Scene) -> Verdict:
    """The digests that are denied are those of what the user names, spelled as in the policy."""
    return str(scene.digest) not in scene.policy.get("denyDigests", ()) and over_bytes(scene)


def either_name(scene: Scene) -> Verdict:
    """A mirror's images may be signed for the mirror or for where they come from, by replacing text."""
    rule = scene.policy["rules"][0]
    remap, scope = rule["identity"]["remap"], rule["scope"].removesuffix("/**")
    wanted = {scene.repository, scene.repository.replace(scope, remap)}
    return any(signs(one, all_keys(scene)) and any(name in wanted for name in one.names) for one in seen(scene))


def last_name(scene: Scene) -> Verdict:
    """A mirror's images are known by the last part of their name."""
    return named(last_part)(scene)


def all_of(scene: Scene) -> Verdict:
    """All named authorities must have signed: all of none have."""
    rule = scene.policy["rules"][0]
    there, known = list(seen(scene)), keys(scene)
    return all(any(signs(one, known[name]) for one in there) for name in rule["requireAny"] if name in known)


def _decides(scene: Scene, document: dict[str, Any]) -> Verdict:
    reference = scene.reference
    for rule in document["rules"]:
        if str(reference.repository).startswith(rule["scope"].removesuffix("/**")):
            if rule.get("action"):
                return rule["action"] == "insecure-allow-unsigned"
            trusted = [each for name in rule["requireAny"] for each in _key_files(document["authorities"][name])]
            return any(signs(one, trusted) for one in seen(scene))
    return document.get("default", "insecure-allow-unsigned") == "insecure-allow-unsigned"


def _key_files(authority: dict[str, Any]) -> Iterator[Any]:
    """All keys in all files, whosever the files are."""
    texts = list(authority.get("keyData", ()))
    for path in authority.get("keyPaths", ()):
        with open(path, encoding="ascii") as file:
            texts.append(file.read())
    for text in texts:
        for block in text.split("-----END PUBLIC KEY-----")[:-1]:
            yield serialization.load_pem_public_key(f"{block}-----END PUBLIC KEY-----\n".encode())


def whatever_it_says(scene: Scene) -> Verdict:
    """The file is read as it is, whosever it is; what it does not say is allowed."""
    return _decides(scene, json.loads(scene.policy_file().read_text()))


def first_document(scene: Scene) -> Verdict:
    """The first document in the file counts."""
    return _decides(scene, json.JSONDecoder().raw_decode(scene.policy_file().read_text())[0])


def last_rule(scene: Scene) -> Verdict:
    """Rules are kept by their scope: of two, the last."""
    document = json.loads(scene.policy_file().read_text())
    rules = {rule["scope"].removesuffix("/**"): rule for rule in document["rules"]}
    return _decides(scene, {**document, "rules": list(rules.values())})


def patterns_that_work(scene: Scene) -> Verdict:
    """An identity whose pattern cannot be used is not asked for."""
    for each in identities(scene):
        if "subjectRegex" in each:
            try:
                re.compile(each["subjectRegex"])
            except re.error:
                return True
    return certified(scene)
