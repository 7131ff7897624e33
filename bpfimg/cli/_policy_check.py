"""`bpfimg policy check`: what a policy means, rule by rule, and what its author may not mean."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from bpfimg.cli._options import Options
    from bpfimg.sign import Policy, policies

__all__ = ["run"]


def run(path: str, options: Options) -> int:
    """Reads everything that the policy names, as `verify` would for this user; raises `PolicyError`."""
    import os
    import time

    from bpfimg import sign
    from bpfimg.cli._render import json_text

    policy = sign.Policy.load(path, system=os.geteuid() == 0)
    advice = sign.policies.review(policy, time.time())
    if options.json:
        print(json_text({"policies": [_entry(policy, advice)]}))
    elif options.quiet:
        print(policy.digest)
    else:
        print("\n\n".join(_text(policy, advice)))
    return 0


def _text(policy: Policy, advice: tuple[policies.Advice, ...]) -> list[str]:
    from bpfimg.cli._render import block, clean

    def lines(title: str, said: tuple[str, ...]) -> str:
        return "\n".join([clean(title), *(f"  {clean(one)}" for one in said)])

    pairs = [("digest", policy.digest), ("default", policy.default.action), ("local files", _local_files(policy))]
    if policy.denied:
        pairs.append(("denied", f"{len(policy.denied)} digest{'' if len(policy.denied) == 1 else 's'}"))
    found = [block(f"{policy.origin} is a valid policy", pairs)]
    found += [lines(f"rule {rule.name}", rule.says) for rule in policy.rules]
    found += [lines(f"authority {one.name}", one.says) for one in policy.authorities]
    found += [block(f"trusted root {one['id']}", _pairs(one)) for one in map(_root, policy.roots)]
    if advice:
        found.append(lines("look at", tuple(f"{one.place}: {one.text} ({one.code})" for one in advice)))
    return found


def _pairs(root: dict[str, object]) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), str(content)) for name, content in root.items() if name != "id"]


def _local_files(policy: Policy) -> str:
    return "insecure-allow-unsigned" if policy.local_files else "deny"


def _entry(policy: Policy, advice: tuple[policies.Advice, ...]) -> dict[str, object]:
    return {
        "id": policy.digest,
        "path": policy.origin,
        "default": policy.default.action,
        "local_files": _local_files(policy),
        "denied": sorted(policy.denied),
        "rules": [_rule(rule) for rule in policy.rules],
        "authorities": [_authority(one) for one in policy.authorities],
        "trusted_roots": [_root(one) for one in policy.roots],
        "advice": [{"code": one.code, "place": one.place, "message": one.text} for one in advice],
    }


def _rule(rule: policies.Rule) -> dict[str, object]:
    entry: dict[str, object] = {"id": rule.name, "action": rule.action, "says": list(rule.says)}
    if rule.action == "verify":
        entry |= {
            "authorities": [one.name for one in rule.authorities],
            "threshold": rule.threshold,
            "formats": list(rule.formats),
        }
    return entry


def _authority(one: policies.Authority) -> dict[str, object]:
    from bpfimg import sign

    entry: dict[str, object] = {
        "id": one.name,
        "type": "keyless" if one.keyless else "key",
        "says": list(one.says),
        "keys": [{"id": key.fingerprint, "kind": key.kind} for key in one.keys],
        "identities": [str(identity) for identity in one.identities],
    }
    if one.root is not None:
        entry["trusted_root"] = one.root.name
    for name, time in (("not_before", one.not_before), ("not_after", one.not_after)):
        if time is not None:
            entry[name] = sign.policies.rfc3339(time)
    return entry


def _root(root: policies.Root) -> dict[str, object]:
    found = root.trusted()
    return {
        "id": root.name,
        "origin": root.origin,
        "digest": root.digest,
        "certificate_authorities": len(found.authorities),
        "certificate_logs": len(found.certificate_logs),
        "logs": len(found.logs),
        "timestamp_authorities": len(found.timestamp_authorities),
    }
