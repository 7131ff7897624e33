"""`bpfimg policy explain`: which rule is for an image and why, from its name alone."""

from __future__ import annotations

from bpfimg.errors import UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.cli._options import Options
    from bpfimg.oci import Reference
    from bpfimg.sign import Policy, policies

__all__ = ["run"]

_FILES = "localFiles"


def run(text: str, options: Options) -> int:
    """Prints the rule for a reference; for a short name that of each image that it may mean."""
    import os

    from bpfimg import sign
    from bpfimg.cli._local import means_object
    from bpfimg.cli._render import block, json_text

    policy = sign.Policy.load(options.policy, system=os.geteuid() == 0)
    if means_object(text):
        entries = [_file(text, policy)]
    else:
        entries = [_entry(sign.policies.explained(policy, one), policy) for one in _meant(text)]
    if options.json:
        print(json_text({"explanations": entries}))
    elif options.quiet:
        print("\n".join(str(entry["rule"]) for entry in entries))
    else:
        print("\n\n".join(block(str(entry["id"]), _pairs(entry)) for entry in entries))
    return 0


def _meant(text: str) -> tuple[Reference, ...]:
    """What a reference may mean, as far as its words go: nothing is opened."""
    from bpfimg.cli._places import names
    from bpfimg.oci import Digest, Reference, places

    where = places.Location.parse(text)
    if not where.path:
        return (Reference.parse(where.reference),) if where.transport == "docker-daemon" else names(where.reference)
    if not where.reference:
        raise UsageError(
            f"{quoted(text)} says no name for the image, and rules are for names",
            hint=f"as in {text}:registry.example/xdp_counter:v1",
        )
    if where.reference.startswith("@"):
        return (Reference(where.nameless, None, Digest.parse(where.reference[1:])),)
    if set(where.reference) & set("/:@"):
        return (Reference.parse(where.reference),)
    return (Reference(where.nameless, where.reference),)


def _entry(found: policies.Explained, policy: Policy) -> dict[str, object]:
    return {
        "id": str(found.reference),
        "repository": found.repository,
        "policy": policy.origin,
        "rule": found.rule.name,
        "action": found.rule.action,
        "why": found.why,
        "denied": found.denied,
        "says": list(found.rule.says),
        "others": [{"rule": rule.name, "why": why} for rule, why in found.others],
    }


def _file(path: str, policy: Policy) -> dict[str, object]:
    from bpfimg.cli._object_file import shown

    allowed = policy.local_files
    return {
        "id": shown(path),
        "repository": "",
        "policy": policy.origin,
        "rule": _FILES,
        "action": "insecure-allow-unsigned" if allowed else "deny",
        "why": "it is a file, which nobody signed",
        "denied": False,
        "says": ["any file is believed" if allowed else "no file is believed"],
        "others": [],
    }


def _pairs(entry: dict[str, object]) -> list[tuple[str, str]]:
    pairs = [(name, str(entry[name])) for name in ("rule", "why")]
    if entry["denied"]:
        pairs.append(("denied", "denyDigests has this digest, so it is refused whatever the rule says"))
    says, others = entry["says"], entry["others"]
    assert isinstance(says, list)
    assert isinstance(others, list)
    pairs += [("asks for" if number == 0 else "", str(one)) for number, one in enumerate(says)]
    pairs += [("not used" if i == 0 else "", f"{one['rule']}: {one['why']}") for i, one in enumerate(others)]
    return [*pairs, ("policy", str(entry["policy"]))]
