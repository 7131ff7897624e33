"""The file that `bpfimg apply` reads: TOML, or the same as JSON. Strict: what it does not know it refuses, by name."""

from __future__ import annotations

from bpfimg._json import unreadable
from bpfimg._value import value
from bpfimg.errors import UsageError, quoted
from bpfimg.load import hooks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from bpfimg.load import Hook

VERSION = 1
MAX_BYTES = 4 << 20
_MAX_APPLICATIONS = 4096
_MAX_ATTACH = 1024
_PULL = ("always", "missing", "newer", "never")
_KNOWN = ("name", "image", "pull", "programs", "globals", "metadata", "attach")


@value(frozen=True, slots=True)
class Attach:
    """A program of the application on a hook; `program` is needed only where several fit."""

    hook: Hook
    program: str | None = None


@value(frozen=True, slots=True)
class Application:
    """One image that should be loaded under `name`, and where it should be attached.

    `programs` limits what is loaded, as `--program` does; `globals` are texts, as `-g` takes them.
    """

    name: str
    image: str
    pull: str = "missing"
    programs: tuple[str, ...] = ()
    globals: Mapping[str, str] | None = None
    metadata: Mapping[str, str] | None = None
    attach: tuple[Attach, ...] = ()


def desired(data: bytes, *, name: str = "the file") -> tuple[Application, ...]:
    """Reads the applications that a file declares, in its order; UsageError says what is wrong, and where in it."""
    if len(data) > MAX_BYTES:
        raise UsageError(f"{name} has {len(data)} bytes, expected at most {MAX_BYTES}")
    document = _document(data, name)
    _keys(document, ("version", "application"), name)
    if document.get("version") != VERSION:
        said = f"is of version {quoted(document['version'])}" if "version" in document else "has no version"
        raise UsageError(f"{name} {said}, expected version = {VERSION}")
    entries = _list(document.get("application", []), dict, f"{name}: application", _MAX_APPLICATIONS)
    applications = tuple(_application(entry, f"{name}: application {n}") for n, entry in enumerate(entries, 1))
    names = [each.name for each in applications]
    for each in names:
        if names.count(each) > 1:
            raise UsageError(f"{name} declares the application {quoted(each)} {names.count(each)} times, expected once")
    return applications


def _document(data: bytes, name: str) -> dict[str, Any]:
    try:
        text = data.decode()
        if text.lstrip()[:1] in ("{", "["):
            import json

            document = json.loads(text)
        else:
            import tomllib

            document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        why = unreadable(error) if isinstance(error, ValueError) else "it nests too deeply"
        raise UsageError(f"{name} is neither TOML nor JSON: {why}") from error
    if not isinstance(document, dict):
        raise UsageError(f"{name} is a {type(document).__name__}, expected a table")
    return document


def _application(entry: dict[str, Any], where: str) -> Application:
    _keys(entry, _KNOWN, where)
    name, image = _text(entry, "name", where), _text(entry, "image", where)
    where = f"{where} ({quoted(name)[1:-1]})"
    pull = entry.get("pull", "missing")
    if pull not in _PULL:
        raise UsageError(f"{where}: pull is {quoted(pull)}, expected {', '.join(_PULL)}")
    programs = _list(entry.get("programs", []), str, f"{where}: programs", _MAX_ATTACH)
    attach = _list(entry.get("attach", []), dict, f"{where}: attach", _MAX_ATTACH)
    return Application(
        name=name,
        image=image,
        pull=pull,
        programs=tuple(programs),
        globals=_texts(entry.get("globals", {}), f"{where}: globals", any_value=True),
        metadata=_texts(entry.get("metadata", {}), f"{where}: metadata"),
        attach=tuple(_attach(each, f"{where}: attach {number}") for number, each in enumerate(attach, 1)),
    )


def _attach(entry: dict[str, Any], where: str) -> Attach:
    program = entry.get("program")
    if program is not None and not isinstance(program, str):
        raise UsageError(f"{where}: program is {quoted(program)}, expected the name of a program")
    fields = {key: found for key, found in entry.items() if key != "program"}
    fields["kind"] = fields.pop("hook", None)
    try:
        return Attach(hooks.from_dict(fields), program)
    except UsageError as error:
        raise UsageError(f"{where}: {error}", hint=error.hint) from error
    except (TypeError, AttributeError, ValueError) as error:
        raise UsageError(f"{where}: a value is of the wrong kind ({quoted(str(error))[1:-1]})") from error


def _keys(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            from difflib import get_close_matches

            near = get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else ""
            raise UsageError(f"{where} has {quoted(key)}, expected {', '.join(known)}", hint=hint)


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    found = table.get(key)
    if not isinstance(found, str) or not found or not found.isprintable():
        raise UsageError(f"{where}: {key} is {quoted(found)}, expected a printable text")
    return found


def _list(found: Any, kind: type, where: str, most: int) -> list[Any]:
    if not isinstance(found, list) or not all(isinstance(each, kind) for each in found):
        words = "tables" if kind is dict else "texts"
        raise UsageError(f"{where} is {quoted(found)}, expected an array of {words}")
    if len(found) > most:
        raise UsageError(f"{where} has {len(found)} entries, expected at most {most}")
    return found


def _texts(found: Any, where: str, *, any_value: bool = False) -> dict[str, str]:
    if not isinstance(found, dict):
        raise UsageError(f"{where} is {quoted(found)}, expected a table")
    texts: dict[str, str] = {}
    for key, content in found.items():
        if isinstance(content, str):
            texts[key] = content
        elif any_value and isinstance(content, bool | int | float | list | dict):
            texts[key] = _written(content, f"{where}: {quoted(key)[1:-1]}")
        else:
            raise UsageError(f"{where}: {quoted(key)[1:-1]} is {quoted(content)}, expected a text")
    return texts


def _written(content: Any, where: str) -> str:
    """A value of TOML as `-g` takes it: numbers and truth as they are, arrays and tables as JSON."""
    if isinstance(content, bool):
        return "true" if content else "false"
    if isinstance(content, int | float):
        return str(content)
    import json

    try:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    except TypeError as error:
        raise UsageError(f"{where} holds a date or time, expected numbers, texts, arrays and tables") from error
