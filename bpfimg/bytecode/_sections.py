"""The table: from the name of a program's ELF section to its program type and attach type.

Names, types and the rules of matching are those of libbpf 1.x (`section_defs` in its `libbpf.c`), up to version
1.6. The table is ours because the libbpf of a host may be older than the object: libbpf 1.1 opens a program in
`tcx/ingress` as "unspecified", and loads it once it has been told the type.
"""

from __future__ import annotations

from bpfimg._value import value

# In the order of the kernel's enums (`include/uapi/linux/bpf.h`), in the words of libbpf and bpftool.
_PROGRAM_WORDS = (
    "unspec socket_filter kprobe sched_cls sched_act tracepoint xdp perf_event cgroup_skb cgroup_sock lwt_in lwt_out "
    "lwt_xmit sock_ops sk_skb cgroup_device sk_msg raw_tracepoint cgroup_sock_addr lwt_seg6local lirc_mode2 "
    "sk_reuseport flow_dissector cgroup_sysctl raw_tracepoint_writable cgroup_sockopt tracing struct_ops ext lsm "
    "sk_lookup syscall netfilter"
)
_ATTACH_WORDS = (
    "cgroup_inet_ingress cgroup_inet_egress cgroup_inet_sock_create cgroup_sock_ops sk_skb_stream_parser "
    "sk_skb_stream_verdict cgroup_device sk_msg_verdict cgroup_inet4_bind cgroup_inet6_bind cgroup_inet4_connect "
    "cgroup_inet6_connect cgroup_inet4_post_bind cgroup_inet6_post_bind cgroup_udp4_sendmsg cgroup_udp6_sendmsg "
    "lirc_mode2 flow_dissector cgroup_sysctl cgroup_udp4_recvmsg cgroup_udp6_recvmsg cgroup_getsockopt "
    "cgroup_setsockopt trace_raw_tp trace_fentry trace_fexit modify_return lsm_mac trace_iter "
    "cgroup_inet4_getpeername cgroup_inet6_getpeername cgroup_inet4_getsockname cgroup_inet6_getsockname xdp_devmap "
    "cgroup_inet_sock_release xdp_cpumap sk_lookup xdp sk_skb_verdict sk_reuseport_select "
    "sk_reuseport_select_or_migrate perf_event trace_kprobe_multi lsm_cgroup struct_ops netfilter tcx_ingress "
    "tcx_egress trace_uprobe_multi cgroup_unix_connect cgroup_unix_sendmsg cgroup_unix_recvmsg "
    "cgroup_unix_getpeername cgroup_unix_getsockname netkit_primary netkit_peer trace_kprobe_session "
    "trace_uprobe_session"
)
PROGRAM_TYPES = tuple(_PROGRAM_WORDS.split())
ATTACH_TYPES = tuple(_ATTACH_WORDS.split())

# "name" matches that section only, "name+" also name/TARGET, "name/" only name/NAME. Then: program type, attach
# type ("-": none), and where it differs from the program type the word for the image label; s sleepable, f frags,
# m multi. An image label uses the eleven words of bpfman's builder, and the kernel's word where that has none.
_TABLE = """
socket                  socket_filter            -
sk_reuseport/migrate    sk_reuseport             sk_reuseport_select_or_migrate
sk_reuseport            sk_reuseport             sk_reuseport_select
kprobe+                 kprobe                   -
uprobe+                 kprobe                   -                        uprobe
uprobe.s+               kprobe                   -                        uprobe      s
kretprobe+              kprobe                   -                        kretprobe
uretprobe+              kprobe                   -                        uretprobe
uretprobe.s+            kprobe                   -                        uretprobe   s
kprobe.multi+           kprobe                   trace_kprobe_multi       kprobe      m
kretprobe.multi+        kprobe                   trace_kprobe_multi       kretprobe   m
kprobe.session+         kprobe                   trace_kprobe_session     kprobe      m
uprobe.multi+           kprobe                   trace_uprobe_multi       uprobe      m
uretprobe.multi+        kprobe                   trace_uprobe_multi       uretprobe   m
uprobe.session+         kprobe                   trace_uprobe_session     uprobe      m
uprobe.multi.s+         kprobe                   trace_uprobe_multi       uprobe      ms
uretprobe.multi.s+      kprobe                   trace_uprobe_multi       uretprobe   ms
uprobe.session.s+       kprobe                   trace_uprobe_session     uprobe      ms
ksyscall+               kprobe                   -                        kprobe
kretsyscall+            kprobe                   -                        kretprobe
usdt+                   kprobe                   -                        uprobe
usdt.s+                 kprobe                   -                        uprobe      s
tc/ingress              sched_cls                tcx_ingress              tc
tc/egress               sched_cls                tcx_egress               tc
tcx/ingress             sched_cls                tcx_ingress              tcx
tcx/egress              sched_cls                tcx_egress               tcx
tc                      sched_cls                -                        tc
classifier              sched_cls                -                        tc
action                  sched_act                -
netkit/primary          sched_cls                netkit_primary
netkit/peer             sched_cls                netkit_peer
tracepoint+             tracepoint               -
tp+                     tracepoint               -
raw_tracepoint+         raw_tracepoint           -
raw_tp+                 raw_tracepoint           -
raw_tracepoint.w+       raw_tracepoint_writable  -
raw_tp.w+               raw_tracepoint_writable  -
tp_btf+                 tracing                  trace_raw_tp
fentry+                 tracing                  trace_fentry             fentry
fmod_ret+               tracing                  modify_return
fexit+                  tracing                  trace_fexit              fexit
fentry.s+               tracing                  trace_fentry             fentry      s
fmod_ret.s+             tracing                  modify_return            tracing     s
fexit.s+                tracing                  trace_fexit              fexit       s
freplace+               ext                      -
lsm+                    lsm                      lsm_mac
lsm.s+                  lsm                      lsm_mac                  lsm         s
lsm_cgroup+             lsm                      lsm_cgroup
iter+                   tracing                  trace_iter
iter.s+                 tracing                  trace_iter               tracing     s
syscall                 syscall                  -                        syscall     s
xdp.frags/devmap        xdp                      xdp_devmap               xdp         f
xdp/devmap              xdp                      xdp_devmap
xdp.frags/cpumap        xdp                      xdp_cpumap               xdp         f
xdp/cpumap              xdp                      xdp_cpumap
xdp.frags               xdp                      xdp                      xdp         f
xdp                     xdp                      xdp
perf_event              perf_event               -
lwt_in                  lwt_in                   -
lwt_out                 lwt_out                  -
lwt_xmit                lwt_xmit                 -
lwt_seg6local           lwt_seg6local            -
sockops                 sock_ops                 cgroup_sock_ops
sk_skb/stream_parser    sk_skb                   sk_skb_stream_parser
sk_skb/stream_verdict   sk_skb                   sk_skb_stream_verdict
sk_skb/verdict          sk_skb                   sk_skb_verdict
sk_skb                  sk_skb                   -
sk_msg                  sk_msg                   sk_msg_verdict
lirc_mode2              lirc_mode2               lirc_mode2
flow_dissector          flow_dissector           flow_dissector
cgroup_skb/ingress      cgroup_skb               cgroup_inet_ingress
cgroup_skb/egress       cgroup_skb               cgroup_inet_egress
cgroup/skb              cgroup_skb               -
cgroup/sock_create      cgroup_sock              cgroup_inet_sock_create
cgroup/sock_release     cgroup_sock              cgroup_inet_sock_release
cgroup/sock             cgroup_sock              cgroup_inet_sock_create
cgroup/post_bind4       cgroup_sock              cgroup_inet4_post_bind
cgroup/post_bind6       cgroup_sock              cgroup_inet6_post_bind
cgroup/bind4            cgroup_sock_addr         cgroup_inet4_bind
cgroup/bind6            cgroup_sock_addr         cgroup_inet6_bind
cgroup/connect4         cgroup_sock_addr         cgroup_inet4_connect
cgroup/connect6         cgroup_sock_addr         cgroup_inet6_connect
cgroup/connect_unix     cgroup_sock_addr         cgroup_unix_connect
cgroup/sendmsg4         cgroup_sock_addr         cgroup_udp4_sendmsg
cgroup/sendmsg6         cgroup_sock_addr         cgroup_udp6_sendmsg
cgroup/sendmsg_unix     cgroup_sock_addr         cgroup_unix_sendmsg
cgroup/recvmsg4         cgroup_sock_addr         cgroup_udp4_recvmsg
cgroup/recvmsg6         cgroup_sock_addr         cgroup_udp6_recvmsg
cgroup/recvmsg_unix     cgroup_sock_addr         cgroup_unix_recvmsg
cgroup/getpeername4     cgroup_sock_addr         cgroup_inet4_getpeername
cgroup/getpeername6     cgroup_sock_addr         cgroup_inet6_getpeername
cgroup/getpeername_unix cgroup_sock_addr         cgroup_unix_getpeername
cgroup/getsockname4     cgroup_sock_addr         cgroup_inet4_getsockname
cgroup/getsockname6     cgroup_sock_addr         cgroup_inet6_getsockname
cgroup/getsockname_unix cgroup_sock_addr         cgroup_unix_getsockname
cgroup/sysctl           cgroup_sysctl            cgroup_sysctl
cgroup/getsockopt       cgroup_sockopt           cgroup_getsockopt
cgroup/setsockopt       cgroup_sockopt           cgroup_setsockopt
cgroup/dev              cgroup_device            cgroup_device
struct_ops+             struct_ops               -
struct_ops.s+           struct_ops               -                        struct_ops  s
sk_lookup               sk_lookup                sk_lookup
netfilter               netfilter                netfilter
"""

# Not libbpf's any more (it took any suffix before 1.0), but the custom of aya and cilium/ebpf, and what the oldest
# bytecode images in circulation have: SEC("xdp/pass"), SEC("classifier/pass"). The suffix is a name, not a target.
_HISTORIC = """
xdp/                    xdp                      xdp
classifier/             sched_cls                -                        tc
tc/                     sched_cls                -                        tc
action/                 sched_act                -
socket/                 socket_filter            -
"""

_ROWS = tuple(tuple(line.split()) for line in (_TABLE + _HISTORIC).splitlines() if line)


@value(frozen=True, slots=True)
class SectionRule:
    """What the name of a section says about the program in it.

    `section` is the name without a target. `attach_type` is the expected attach type at load, None where libbpf
    sets none (the id is then 0, which is also that of "cgroup_inet_ingress"). `target` says whether the section may
    go on with `/TARGET`: "none" or "optional"; since libbpf 1.0 no section must. `label` is the word for the image
    label `io.ebpf.programs`. `multi`: one attachment covers many functions.
    """

    section: str
    program_type: str
    program_type_id: int
    attach_type: str | None
    attach_type_id: int
    target: str
    label: str
    sleepable: bool
    frags: bool
    multi: bool


def section_rule(section: str) -> SectionRule | None:
    """The rule for a section such as "xdp" or "?tracepoint/syscalls/sys_enter_getpid"; None if there is none.

    A leading `?` (libbpf: do not load this program unless asked) is no part of the name.
    """
    section = section.removeprefix("?")
    for row in _ROWS:
        if _matches(row[0], section):
            return _rule(*row)
    return None


def _matches(pattern: str, section: str) -> bool:
    if pattern.endswith("/"):
        name = section.removeprefix(pattern)
        return name not in (section, "") and "/" not in name
    if pattern.endswith("+"):
        return section == pattern[:-1] or section.startswith(pattern[:-1] + "/")
    return section == pattern


def _rule(pattern: str, program_type: str, attach: str, label: str = "", flags: str = "") -> SectionRule:
    return SectionRule(
        section=pattern.rstrip("+/"),
        program_type=program_type,
        program_type_id=PROGRAM_TYPES.index(program_type),
        attach_type=None if attach == "-" else attach,
        attach_type_id=0 if attach == "-" else ATTACH_TYPES.index(attach),
        target="optional" if pattern.endswith("+") else "none",
        label=label or program_type,
        sleepable="s" in flags,
        frags="f" in flags,
        multi="m" in flags,
    )
