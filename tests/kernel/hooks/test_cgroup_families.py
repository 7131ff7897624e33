"""Every family of programs that control groups have: each runs when a process of the group does what it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bpfimg.errors import NotSupported
from bpfimg.kernel import abi, features
from bpfimg.load._hooks import Cgroup as Hook
from bpfimg.load._hooks._cgroup import ATTACH_TYPES
from tests.support import loads
from tests.support.features import hook, needs
from tests.support.objects import example

if TYPE_CHECKING:
    from bpfimg.load import Host
    from tests.support.cgroups import Cgroup
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.kernel, hook("cgroup"), needs("cgroup-link")]

_UDP = "import socket; s = socket.socket(socket.{family}, socket.SOCK_DGRAM); "
_FOUR, _SIX = _UDP.format(family="AF_INET"), _UDP.format(family="AF_INET6")
_UNIX = "import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); "
_PAIR = "import socket; s = socket.socket(socket.AF_UNIX); l = socket.socket(socket.AF_UNIX); l.bind('\\0bpfimg-n'); "
#: section -> what a process does that the program sees; what fails may fail
_DEEDS = {
    "cgroup/sock_create": _FOUR,
    "cgroup/sock_release": _FOUR + "s.close()",
    "cgroup/post_bind4": _FOUR + "s.bind(('127.0.0.1', 0))",
    "cgroup/post_bind6": _SIX + "s.bind(('::1', 0))",
    "cgroup/bind4": _FOUR + "s.bind(('127.0.0.1', 0))",
    "cgroup/bind6": _SIX + "s.bind(('::1', 0))",
    "cgroup/connect4": _FOUR + "s.connect(('127.0.0.1', 9))",
    "cgroup/connect6": _SIX + "s.connect(('::1', 9))",
    "cgroup/sendmsg4": _FOUR + "s.sendto(b'x', ('127.0.0.1', 9))",
    "cgroup/sendmsg6": _SIX + "s.sendto(b'x', ('::1', 9))",
    "cgroup/recvmsg4": _FOUR + "s.bind(('127.0.0.1', 0)); s.sendto(b'x', s.getsockname()); s.recvfrom(1)",
    "cgroup/recvmsg6": _SIX + "s.bind(('::1', 0)); s.sendto(b'x', s.getsockname()); s.recvfrom(1)",
    "cgroup/getpeername4": _FOUR + "s.connect(('127.0.0.1', 9)); s.getpeername()",
    "cgroup/getpeername6": _SIX + "s.connect(('::1', 9)); s.getpeername()",
    "cgroup/getsockname4": _FOUR + "s.getsockname()",
    "cgroup/getsockname6": _SIX + "s.getsockname()",
    "cgroup/connect_unix": _PAIR + "l.listen(); s.connect('\\0bpfimg-n')",
    "cgroup/getpeername_unix": _PAIR + "l.listen(); s.connect('\\0bpfimg-n'); s.getpeername()",
    "cgroup/getsockname_unix": _PAIR + "l.getsockname()",
    "cgroup/sendmsg_unix": _UNIX + "s.bind('\\0bpfimg-n'); s.sendto(b'x', '\\0bpfimg-n')",
    "cgroup/recvmsg_unix": _UNIX + "s.bind('\\0bpfimg-n'); s.sendto(b'x', '\\0bpfimg-n'); s.recvfrom(1)",
    "cgroup/dev": "open('/dev/null').close()",
    "cgroup/sysctl": "open('/proc/sys/kernel/ostype').read()",
    "cgroup/getsockopt": _FOUR + "s.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)",
    "cgroup/setsockopt": _FOUR + "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)",
    "sockops": "import socket; l = socket.create_server(('127.0.0.1', 0)); socket.create_connection(l.getsockname())",
}


def test_every_attach_type_is_tried_somewhere() -> None:
    from bpfimg import bytecode

    tried = {rule.attach_type for section in _DEEDS if (rule := bytecode.section_rule(section))}
    elsewhere = {"cgroup_inet_ingress", "cgroup_inet_egress", "lsm_cgroup"}
    assert tried | elsewhere == {word for words in ATTACH_TYPES.values() for word in words}


def test_each_runs_until_it_is_detached(host: Host, ns: Namespace, cgroup: Cgroup) -> None:
    """All in one process of the group: there are 26 of them, and guests are slow."""
    loads.sh("ip", "-n", ns.name, "link", "set", "lo", "up")
    ns.exec(["sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/lo/disable_ipv6"], check=False)
    connect = abi.ATTACH_TYPES.index("cgroup_unix_connect")
    unix = features.program_type(abi.PROGRAM_TYPES.index("cgroup_sock_addr"), connect)  # since 6.7
    running = {}
    names = {section: f"f{number}" for number, section in enumerate(_DEEDS)}
    data = loads.counting_each(names, 1)
    for section, name in names.items():
        chosen = (f"{loads.TAG}{name}",)
        if section.endswith("_unix") and not unix:
            with pytest.raises(NotSupported, match="this kernel takes no"):
                loads.run(host, data, Hook(cgroup.path), programs=chosen)
        else:
            running[section] = loads.run(host, data, Hook(cgroup.path), name, programs=chosen)
    _do(ns, cgroup)
    assert {section: loads.hits(load) > 0 for section, load in running.items()} == dict.fromkeys(running, True)
    seen = {}
    for section, load in running.items():
        loads.detach(host, load.links[0].id)
        seen[section] = loads.hits(load)
    _do(ns, cgroup)
    assert {section: loads.hits(load) for section, load in running.items()} == seen


def _do(ns: Namespace, cgroup: Cgroup) -> None:
    """Everything once, in the namespace, by a process of the group."""
    deeds = "\n".join(f"try:\n    exec({deed!r})\nexcept OSError: pass" for deed in _DEEDS.values())
    cgroup.exec(["nsenter", f"--net={ns.path}", "python3", "-I", "-S", "-c", deeds])


def test_the_guard_refuses_a_port_to_the_group_only(host: Host, ns: Namespace, cgroup: Cgroup) -> None:
    data = example("cgroup_connect_guard")
    loaded = loads.run(host, data, Hook(cgroup.path), globals={"refused_port": "7777"})
    code = "import socket, sys; s = socket.socket(); s.settimeout(5); print(s.connect_ex((sys.argv[1], 7777)))"
    argv = ["nsenter", f"--net={ns.path}", "python3", "-I", "-S", "-c", code, ns.peer_address]
    assert cgroup.exec(argv).stdout == "1\n", "EPERM, before a packet is sent"
    assert ns.exec(argv[2:]).stdout == "111\n", "refused by the other end"
    assert loads.counted(loaded) == 1
