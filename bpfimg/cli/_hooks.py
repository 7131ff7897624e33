"""HOOK words on the command line: the same for `run` and `attach`."""

from __future__ import annotations

import argparse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from bpfimg.load import Hook

__all__ = ["Hooks", "add_hooks", "hook_from"]

#: hook -> (file below bpfimg.cli with its options, one line); only the file of the hook that was asked for is imported
_LINES: dict[str, tuple[str, str]] = {
    "auto": ("_hook_auto", "each program where its own section says; several links in one step"),
    "xdp": ("_hook_net", "packets as the driver receives them"),
    "tc": ("_hook_net", "packets at the traffic control layer: TCX where the kernel has it, else clsact"),
    "tcx": ("_hook_net", "packets at the TCX hook, ordered by the kernel"),
    "netkit": ("_hook_net", "packets of a netkit device, the containers' end of a network"),
    "netfilter": ("_hook_net", "packets at a hook of netfilter, beside the rules of nftables"),
    "sk_lookup": ("_hook_net", "which socket gets a new connection or datagram of a network namespace"),
    "flow_dissector": ("_hook_net", "how packets of a network namespace are told apart into flows"),
    "sk_msg": ("_hook_net", "what is sent on the sockets in a map"),
    "sk_skb": ("_hook_net", "what arrives on the sockets in a map"),
    "cgroup": ("_hook_cgroup", "what the processes of a control group do: packets, sockets, devices, settings"),
    "tracepoint": ("_hook_trace", "a tracepoint of the kernel"),
    "raw_tracepoint": ("_hook_trace", "a tracepoint of the kernel, with its arguments as they are"),
    "tp_btf": ("_hook_trace", "the same, with types; bound when it is loaded"),
    "kprobe": ("_hook_trace", "a function of the kernel or a module, as it is called; or all that fit a pattern"),
    "kretprobe": ("_hook_trace", "a function of the kernel or a module, as it returns; or all that fit a pattern"),
    "ksyscall": ("_hook_trace", "a system call, as it begins"),
    "kretsyscall": ("_hook_trace", "a system call, as it returns"),
    "fentry": ("_hook_trace", "a function of the kernel or a module, as it is called, with types"),
    "fexit": ("_hook_trace", "a function of the kernel or a module, as it returns, with arguments and result"),
    "fmod_ret": ("_hook_trace", "a function of the kernel whose result the program may replace"),
    "lsm": ("_hook_trace", "a security hook: whether something is allowed"),
    "perf_event": ("_hook_trace", "samples: so many a second, or one each so many events"),
    "struct_ops": ("_hook_trace", "operations that the kernel calls, as a TCP congestion control"),
    "uprobe": ("_hook_user", "a function of a program or shared library, as it is called"),
    "uretprobe": ("_hook_user", "a function of a program or shared library, as it returns"),
    "usdt": ("_hook_user", "a static probe that a program or shared library was built with"),
    "iter": ("_hook_once", "no hook: the kernel walks what the program is for, and what that writes is printed"),
    "syscall": ("_hook_once", "no hook: the program runs once, and what it answers is printed"),
}
#: words that are no hooks of one program: only `run` has them
_RUN = ("auto", "iter", "syscall")


def add_hooks(
    parser: argparse.ArgumentParser, also: Callable[[argparse.ArgumentParser], None], *, run: bool = False
) -> None:
    """Adds HOOK and its options; `also` adds to each hook what may stand behind it as well as before it."""
    from bpfimg.cli._parser import Parser

    hooks = parser.add_subparsers(
        dest="hook", metavar="HOOK", required=True, parser_class=Parser, help="where to attach:", action=Hooks
    )
    assert isinstance(hooks, Hooks)
    hooks.offer(also, [name for name in _LINES if run or name not in _RUN])


class Hooks(argparse._SubParsersAction):  # type: ignore[type-arg]
    """Words that get their parser when they are asked for: 26 hooks in seven files would cost 20 ms."""

    def offer(self, also: Callable[[argparse.ArgumentParser], None], names: list[str]) -> None:
        """Offers these words of the table; `also` adds what each of them takes as well."""
        self._also = also
        for name in names:
            self._choices_actions.append(self._ChoicesPseudoAction(name, (), _LINES[name][1]))
            self._name_parser_map[name] = None

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        assert isinstance(values, list)
        if values[0] in self._name_parser_map:
            self.parser_of(values[0])
        super().__call__(parser, namespace, values, option_string)

    def parser_of(self, name: str) -> argparse.ArgumentParser:
        """The parser of one of the words, made now if it was not there yet."""
        made: argparse.ArgumentParser | None = self._name_parser_map[name]
        if made is None:
            del self._name_parser_map[name]
            made = self.add_parser(name, description=f"{name}: {_LINES[name][1]}.")
            _options(name)[0](made)
            self._also(made)
        return made


def hook_from(arguments: argparse.Namespace) -> Hook:
    """The hook that the words ask for; raises `UsageError` for a value out of its range."""
    return _options(arguments.hook)[1](arguments)


def _options(
    name: str,
) -> tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], Hook]]:
    file = __import__(f"bpfimg.cli.{_LINES[name][0]}", fromlist=["*"])
    found: tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], Hook]] = file.HOOKS[name]
    return found
