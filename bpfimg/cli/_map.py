"""`bpfimg map`: what is in a map, by the types that its object was compiled with."""

from __future__ import annotations

from bpfimg.errors import Error, UsageError, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from bpfimg.cli._options import Options
    from bpfimg.load import maps

EPILOG = """\
MAP is the id of a map (of any program on this host) or the path of its pin; or two words: what bpfimg loaded, by id or
by its application, and the name of one of its maps. Globals are in the maps .bss, .data and .rodata.

  dump MAP                print every entry
  get MAP KEY             print one
  set MAP KEY VALUE       write one; of a struct the members that are given;
                          a queue or stack takes - for KEY
  delete MAP KEY          delete one
  watch MAP               print entries as they change, until interrupted

Numbers are decimal or 0x, 0o, 0b; structs {"a": 1, "b": [1, 2]}; enumerators go by name, addresses as 10.0.0.1;
hex:01ff are raw bytes, in the order of this machine, and the only form where a map has no types.
A per-CPU map has a value for every CPU: --sum adds them up. set writes the same for all of them, or a list.

examples:
  bpfimg map dump xdp_counter counters
  bpfimg map get --sum 42 counters 0
  bpfimg map set firewall blocked '{"prefix": 24, "address": "10.0.0.0"}' 1
  bpfimg map watch 17 --interval 0.5"""

_WORDS = {"dump": 0, "get": 1, "set": 2, "delete": 1, "watch": 0}


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the words."""
    parser.add_argument("action", metavar="dump|get|set|delete|watch", help="what to do")
    parser.add_argument("words", metavar="WORD", nargs="+", help="MAP (one word or two), then KEY and VALUE")
    parser.add_argument("--sum", dest="total", action="store_true", help="add up the values of all CPUs")
    parser.add_argument("--interval", metavar="SECONDS", help="how often `watch` looks (default 1)")
    parser.add_argument("--count", metavar="N", help="how many times `watch` looks (default: until interrupted)")


def run(arguments: argparse.Namespace, options: Options) -> int:
    """Does it."""
    from bpfimg.cli._loaded import host_of
    from bpfimg.load import maps

    action, words = arguments.action, arguments.words
    if action not in _WORDS:
        from bpfimg.cli._near import near

        hint = near(action, _WORDS, "`map {}`")
        raise UsageError(f"{quoted(action)} is nothing to do with a map, expected {', '.join(_WORDS)}", hint=hint)
    _check(arguments)
    behind = _WORDS[action]
    names = words[: len(words) - behind]
    if len(names) not in (1, 2):
        shape = "MAP" + "".join((" KEY", " VALUE")[:behind])
        raise UsageError(
            f"`map {action}` was given {len(words)} words, expected {shape}, where MAP is one word or two",
            hint="MAP is an id or a pin, or a load and the name of one of its maps; `bpfimg maps` shows them",
        )
    with maps.find(host_of(options), names) as found:
        if action in ("dump", "watch"):
            return _shown(found, arguments, options)
        typed = words[len(names) :]
        key, *value = (_value(word) for word in typed)
        try:
            if action == "get":
                _get(found, key, options, total=arguments.total)
            elif action == "set":
                _set(found, key, value[0])
            else:
                del found[key]
        except KeyError:
            what = "is empty" if _keyless(found, key) else f"has no key {quoted(typed[0])}"
            hint = f"`bpfimg map dump {found.id}` shows what is in it"
            raise Error(f"map {found.name!r} (id {found.id}) {what}", hint=hint) from None
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if arguments.action != "watch" and (arguments.interval is not None or arguments.count is not None):
        raise UsageError("--interval and --count are for `map watch`")
    if arguments.action not in ("dump", "get", "watch") and arguments.total:
        raise UsageError("--sum is for `map dump`, `map get` and `map watch`")


def _value(word: str) -> Any:
    """A word as a value: JSON where it begins like that, else text that the type makes something of."""
    from bpfimg.btf import values

    return values.parse(word) if word.strip()[:1] in ("{", "[", '"') else word


def _shown(found: maps.Map, arguments: argparse.Namespace, options: Options) -> int:
    if arguments.action == "dump":
        from bpfimg.cli._map_dump import dump

        dump(found, options, total=arguments.total)
    else:
        from bpfimg.cli._map_watch import watch

        watch(found, options, interval=arguments.interval, count=arguments.count, total=arguments.total)
    return 0


def _keyless(found: maps.Map, key: Any) -> bool:
    """Whether it is the next value of a queue or stack that is meant."""
    return key == "-" and not found.info.key_size


def _get(found: maps.Map, key: Any, options: Options, *, total: bool) -> None:
    from bpfimg.cli._map_dump import entry, one_line
    from bpfimg.cli._render import json_text

    value = found.peek() if _keyless(found, key) else found[key]
    if options.json:
        named = (b"", "") if _keyless(found, key) else found.key(key)
        print(json_text({"entries": [entry(found, (*named, value), total=total)]}))
    else:
        print(one_line(found, value, total=total))


def _set(found: maps.Map, key: Any, value: Any) -> None:
    if _keyless(found, key):
        found.push(value)
    else:
        found[key] = value
