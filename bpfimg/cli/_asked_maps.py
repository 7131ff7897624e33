"""What `run` and `load` are asked about maps: whose they share, and who may open their pins."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from bpfimg.load import maps

__all__ = ["add_maps", "network_globals", "sharing"]


def add_maps(parser: argparse.ArgumentParser, add: Callable[..., None]) -> None:
    """Adds the options by `add`; a hook that has a `--map` of its own keeps it, and ours stands before HOOK."""
    add(
        "--global-be",
        dest="globals_be",
        metavar="NAME=VALUE",
        action="append",
        help="set a global variable to a number or an address in network byte order",
    )
    add("--map-owner", dest="map_owner", metavar="ID|APP", help="share all maps of the same name with what is loaded")
    if "--map" not in parser._option_string_actions:
        add(
            "--map",
            dest="maps",
            metavar="NAME=PIN|ID",
            action="append",
            help="take an existing map for one of the object",
        )
    add("--map-user", dest="map_user", metavar="USER", help="owner of the pins of its maps (default: root alone)")
    add(
        "--map-group", dest="map_group", metavar="GROUP", help="group of the pins of its maps, which may then read them"
    )
    add("--map-mode", dest="map_mode", metavar="MODE", help="mode of the pins of its maps, such as 640")


def network_globals(many: Callable[[str], list[str]], globals: Mapping[str, str]) -> dict[str, str]:
    """The globals, with those of `--global-be` among them; raises `UsageError`."""
    from bpfimg.cli._parser import key_values
    from bpfimg.errors import UsageError

    found = dict(globals)
    for name, text in key_values(many("globals_be"), "--global-be").items():
        if name in found:
            raise UsageError(f"--global and --global-be give {name!r} both, expected one value")
        found[name] = f"be:{text}"
    return found


def sharing(many: Callable[[str], list[str]], one: Callable[[str], str | None]) -> maps.Sharing | None:
    """Which maps are shared, and who may open them; None where nothing was asked. Raises `UsageError`."""
    owner, given = one("map_owner"), many("maps")
    words = one("map_user"), one("map_group"), one("map_mode")
    if owner is None and not given and words == (None, None, None):
        return None
    from bpfimg.cli._parser import key_values
    from bpfimg.cli._pin_access import access
    from bpfimg.load import maps

    return maps.Sharing(owner=owner or "", maps=key_values(given, "--map"), access=access(*words))
