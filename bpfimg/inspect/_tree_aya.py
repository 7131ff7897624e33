"""Projects of Aya: a crate for eBPF, and the object that cargo makes of it, an ELF file without an ending."""

from __future__ import annotations

import re
import tomllib

from bpfimg._value import value
from bpfimg.inspect._tree_model import File, Found, Program, Seen, folder_of, is_plain, joined, named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["crates"]

_TARGET = "bpfel-unknown-none"
_LIBRARIES = ("aya-ebpf", "aya-bpf")
_PROBES = re.compile(
    r"#\[\s*(?:kprobe|kretprobe|uprobe|uretprobe|perf_event|raw_tracepoint|btf_tracepoint|fentry|fexit|lsm)\b"
)
_CHANNEL = re.compile(r'^\s*channel\s*=\s*"(nightly[0-9a-z-]*)"', re.M)


@value(frozen=True, slots=True)
class _Crate:
    """A crate of programs: its folder, the names of its binaries, and the folder that cargo's `target` is in."""

    folder: str
    names: tuple[str, ...]
    top: str


def crates(seen: Seen) -> Found:
    """One program for each binary of each crate that is written with aya-ebpf."""
    manifests = {
        folder_of(file.path): _toml(file) for file in seen.files if file.path.rpartition("/")[2] == "Cargo.toml"
    }
    programs = []
    notes = []
    claimed = {file.path for file in seen.files if file.object and f"/{_TARGET}/" in f"/{file.path}"}
    for folder in sorted(manifests):
        crate = _crate(folder, manifests)
        if crate is None:
            continue
        inside = [file for file in seen.files if file.path.startswith(f"{folder}/".lstrip("/"))]
        claimed |= {file.path for file in inside}
        for name in crate.names:
            if is_plain(f"{folder}/{name}".lstrip("/")):
                programs.append(_program(crate, name, inside, seen))
            else:
                notes.append(f"{name!r} in {folder!r} is left out: it cannot stand in a command as it is")
    return Found(tuple(programs), frozenset(claimed), tuple(notes))


def _toml(file: File) -> Mapping[str, object]:
    try:
        return tomllib.loads(file.text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _table(document: Mapping[str, object], key: str) -> Mapping[str, object]:
    entry = document.get(key)
    return entry if isinstance(entry, dict) else {}


def _crate(folder: str, manifests: Mapping[str, Mapping[str, object]]) -> _Crate | None:
    manifest = manifests[folder]
    if not any(name in _table(manifest, "dependencies") for name in _LIBRARIES):
        return None
    bins = manifest.get("bin")
    listed = [entry.get("name") for entry in bins if isinstance(entry, dict)] if isinstance(bins, list) else []
    names = tuple(name for name in listed if isinstance(name, str)) or (str(_table(manifest, "package").get("name")),)
    return _Crate(folder, names, _top(folder, manifests))


def _top(folder: str, manifests: Mapping[str, Mapping[str, object]]) -> str:
    """The folder of the workspace that a crate belongs to, where cargo has its `target`: else its own."""
    above = folder
    while above and "workspace" not in manifests[folder]:
        above = folder_of(above)
        workspace = _table(manifests.get(above, {}), "workspace")
        excluded = workspace.get("exclude")
        if isinstance(excluded, list) and folder in [joined(above, str(entry)) for entry in excluded]:
            return folder
        if workspace:
            return above
    return folder


def _program(crate: _Crate, name: str, inside: Sequence[File], seen: Seen) -> Program:
    tops = list(dict.fromkeys((crate.top, crate.folder)))
    places = [
        f"{top}/target/{_TARGET}/{profile}/{name}".lstrip("/") for profile in ("release", "debug") for top in tops
    ]
    objects = {file.path for file in seen.files if file.object}
    kept = next((path for path in places if path in objects and not seen.ignored(path)), None)
    found = f"{crate.folder or 'the tree'} is a crate of eBPF programs for Aya"
    probes = any(_PROBES.search(file.text) for file in inside if file.path.endswith(".rs"))
    platforms = (seen.host,) if probes else seen.both
    if kept:
        return Program(named(name), "aya", (kept,), f"{found}; {kept} is in the tree", platforms)
    return Program(
        name=named(name),
        kind="aya",
        inputs=(places[0],),
        found=f"{found}; {places[0]} is what cargo makes of it",
        platforms=platforms,
        commands=(_command(crate, seen.files),),
        tools=("rust",),
    )


def _command(crate: _Crate, files: Sequence[File]) -> str:
    """How to make it: by the project's own `cargo xtask build-ebpf` where it has that, else as that does it."""
    tasks = [file.text for file in files if file.path.startswith("xtask/src/")]
    if any("build-ebpf" in text or "BuildEbpf" in text for text in tasks):
        return "cargo xtask build-ebpf --release"
    manifest, target = f"{crate.folder}/Cargo.toml".lstrip("/"), f"{crate.top}/target".lstrip("/")
    channel = next((found[1] for file in files if (found := _channel(file, crate.folder))), "nightly")
    return (
        f"RUSTFLAGS='-C debuginfo=2 -C link-arg=--btf' cargo +{channel} build --release --manifest-path {manifest}"
        f" --target-dir {target} --target {_TARGET} -Z build-std=core"
    )


def _channel(file: File, folder: str) -> re.Match[str] | None:
    """The nightly toolchain that the crate, or the tree, asks for."""
    names = (f"{folder}/rust-toolchain.toml".lstrip("/"), "rust-toolchain.toml")
    return _CHANNEL.search(file.text) if file.path in names else None
