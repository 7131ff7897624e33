"""Reader and schema have one verdict on any document, but for a list of reasons that no schema can give."""

from __future__ import annotations

import json
import re
from typing import Any

import hypothesis
from hypothesis import strategies as st

from bpfimg.sign._strict import Junk
from tests.unit.sign.policy_documents import (
    ACCEPTED,
    DIGEST,
    KEY,
    PIN,
    REFUSED,
    SLSA,
    STRICTER,
    accepted_by_schema,
    ours,
)

WORDS = st.sampled_from(
    ["deny", "key", "keyless", "release", "ci", "corp", "require", "ignore", "any", "tsa", "bundle", "legacy", "none",
     "repository", "monotonic", "off", "/root.json", "/keys/release.pub", "P1D", "PT0H", "1.2", "a+", "(", SLSA, "/a",
     "registry.example", "registry.example/**", "other.example/x:v1", "*.example", "2026-01-01T00:00:00Z",
     "2026-02-30T00:00:00Z", "2025-01-01T00:00:00Z", "", "x\n", KEY, PIN, DIGEST, "sigstore-public-good"]
)  # fmt: skip
VALUES = st.one_of(WORDS, st.integers(-1, 3), st.booleans(), st.none(), st.just([]), st.just({}), st.just(1.0))
SEEDS = [*ACCEPTED.values(), *REFUSED.values(), *(one[0] for one in STRICTER.values())]
# what the reader refuses beyond the schema, as its messages say it; nothing else may be the difference
BEYOND = re.compile(
    r"expected the name of one of|have the same scope|threshold is|cannot be used with the scope|not PEM|is not JSON"
    r"|version is '1\.0'|has the SHA-256|which cannot be used|which is no time|notAfter is before notBefore"
    r"|has a time window, but ignores|maxSignatureAge is|minVersion: version|a minVersion, which says nothing"
    r"|oneOf holds an entry twice"
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, one in inside for found in places(one, (*path, key)))]


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A policy from above with up to three places exchanged, removed, or filled with what stands elsewhere."""
    value = json.loads(json.dumps(draw(st.sampled_from(SEEDS))))
    for _ in range(draw(st.integers(1, 3))):
        *path, last = draw(st.sampled_from([path for path in places(value) if path] or [(None,)]))
        if last is None:
            return value
        holder = value
        for step in path:
            holder = holder[step]
        what = draw(st.sampled_from(["put", "remove", "copy", "add"]))
        if what == "remove":
            del holder[last]
        elif what == "add" and isinstance(holder, dict):
            names = sorted({path[-1] for one in SEEDS for path in places(one) if path and isinstance(path[-1], str)})
            holder[draw(st.sampled_from(names))] = draw(VALUES)
        elif what == "copy" and isinstance(holder, list):
            holder.append(holder[last])
        else:
            holder[last] = draw(VALUES)
    return value


@hypothesis.settings(max_examples=500, suppress_health_check=[hypothesis.HealthCheck.data_too_large])
@hypothesis.given(mutated())
def test_reader_and_schema_have_one_verdict_but_for_what_is_listed(value: Any) -> None:
    try:
        ours(json.dumps(value).encode())
        why = ""
    except (Junk, KeyError) as error:  # KeyError: a file that is not there
        why = str(error) if isinstance(error, Junk) else "expected the name of one of"
    if accepted_by_schema(value):
        assert not why or BEYOND.search(why), why
    else:
        assert why
