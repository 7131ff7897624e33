"""Numbers and layouts of the kernel's ABI, as `include/uapi/linux/bpf.h` has them.

Pure data. A layout maps the kernel's own field names to `(offset, size)`; `tests/kernel/kernel/test_abi.py` checks
every entry, and every word below, against the BTF of the running kernel.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    Layout = Mapping[str, tuple[int, int]]

# Commands of bpf(2).
(MAP_CREATE, MAP_LOOKUP_ELEM, MAP_UPDATE_ELEM, MAP_DELETE_ELEM, MAP_GET_NEXT_KEY, PROG_LOAD, OBJ_PIN, OBJ_GET) = range(
    8
)
PROG_ATTACH, PROG_DETACH = 8, 9
(PROG_TEST_RUN, PROG_GET_NEXT_ID, MAP_GET_NEXT_ID, PROG_GET_FD_BY_ID, MAP_GET_FD_BY_ID) = range(10, 15)
(OBJ_GET_INFO_BY_FD, PROG_QUERY, RAW_TRACEPOINT_OPEN, BTF_LOAD, BTF_GET_FD_BY_ID) = range(15, 20)
(TASK_FD_QUERY, MAP_FREEZE, BTF_GET_NEXT_ID) = 20, 22, 23
MAP_LOOKUP_AND_DELETE_ELEM, MAP_LOOKUP_BATCH = 21, 24
(LINK_CREATE, LINK_UPDATE, LINK_GET_FD_BY_ID, LINK_GET_NEXT_ID) = range(28, 32)
(ENABLE_STATS, ITER_CREATE, LINK_DETACH, PROG_BIND_MAP) = range(32, 36)

# The words of each enumeration, indexed by number: BPF_PROG_TYPE_XDP is 6 and its word "xdp".
PROGRAM_TYPES = (  # noqa: SIM905  # words, not 140 lines
    "unspec socket_filter kprobe sched_cls sched_act tracepoint xdp perf_event cgroup_skb cgroup_sock lwt_in lwt_out "
    "lwt_xmit sock_ops sk_skb cgroup_device sk_msg raw_tracepoint cgroup_sock_addr lwt_seg6local lirc_mode2 "
    "sk_reuseport flow_dissector cgroup_sysctl raw_tracepoint_writable cgroup_sockopt tracing struct_ops ext lsm "
    "sk_lookup syscall netfilter"
).split()
MAP_TYPES = (  # noqa: SIM905  # words, not 140 lines
    "unspec hash array prog_array perf_event_array percpu_hash percpu_array stack_trace cgroup_array lru_hash "
    "lru_percpu_hash lpm_trie array_of_maps hash_of_maps devmap sockmap cpumap xskmap sockhash cgroup_storage "
    "reuseport_sockarray percpu_cgroup_storage queue stack sk_storage devmap_hash struct_ops ringbuf inode_storage "
    "task_storage bloom_filter user_ringbuf cgrp_storage arena"
).split()
LINK_TYPES = (  # noqa: SIM905  # words, not 140 lines
    "unspec raw_tracepoint tracing cgroup iter netns xdp perf_event kprobe_multi struct_ops netfilter tcx uprobe_multi "
    "netkit sockmap"
).split()
ATTACH_TYPES = (  # noqa: SIM905  # words, not 140 lines
    "cgroup_inet_ingress cgroup_inet_egress cgroup_inet_sock_create cgroup_sock_ops sk_skb_stream_parser "
    "sk_skb_stream_verdict cgroup_device sk_msg_verdict cgroup_inet4_bind cgroup_inet6_bind cgroup_inet4_connect "
    "cgroup_inet6_connect cgroup_inet4_post_bind cgroup_inet6_post_bind cgroup_udp4_sendmsg cgroup_udp6_sendmsg "
    "lirc_mode2 flow_dissector cgroup_sysctl cgroup_udp4_recvmsg cgroup_udp6_recvmsg cgroup_getsockopt "
    "cgroup_setsockopt trace_raw_tp trace_fentry trace_fexit modify_return lsm_mac trace_iter cgroup_inet4_getpeername "
    "cgroup_inet6_getpeername cgroup_inet4_getsockname cgroup_inet6_getsockname xdp_devmap cgroup_inet_sock_release "
    "xdp_cpumap sk_lookup xdp sk_skb_verdict sk_reuseport_select sk_reuseport_select_or_migrate perf_event "
    "trace_kprobe_multi lsm_cgroup struct_ops netfilter tcx_ingress tcx_egress trace_uprobe_multi cgroup_unix_connect "
    "cgroup_unix_sendmsg cgroup_unix_recvmsg cgroup_unix_getpeername cgroup_unix_getsockname netkit_primary "
    "netkit_peer trace_kprobe_session trace_uprobe_session"
).split()

PROG_TYPE_SCHED_CLS, PROG_TYPE_TRACEPOINT, PROG_TYPE_XDP = 3, 5, 6
PROG_TYPE_TRACING, PROG_TYPE_EXT, PROG_TYPE_LSM, PROG_TYPE_NETFILTER = 26, 28, 29, 32
MAP_TYPE_ARRAY = 2
ATTACH_TRACE_FENTRY, ATTACH_LSM_MAC, ATTACH_XDP, ATTACH_PERF_EVENT = 24, 27, 37, 41
ATTACH_NETFILTER, ATTACH_TCX_INGRESS, ATTACH_TCX_EGRESS = 45, 46, 47
(LINK_RAW_TRACEPOINT, LINK_TRACING, LINK_CGROUP, LINK_ITER, LINK_NETNS, LINK_XDP, LINK_PERF_EVENT) = range(1, 8)
(LINK_KPROBE_MULTI, LINK_STRUCT_OPS, LINK_NETFILTER, LINK_TCX, LINK_UPROBE_MULTI, LINK_NETKIT, LINK_SOCKMAP) = range(
    8, 15
)

WITH_LINK_IDS = (46, 47, 54, 55)  # attach types whose PROG_QUERY tells links, too: tcx and netkit

# Flags: of element updates, of OBJ_GET, of LINK_UPDATE, of tcx LINK_CREATE, of XDP attaches.
ANY, NOEXIST, EXIST = 0, 1, 2
F_RDONLY = 8
F_REPLACE, F_BEFORE, F_AFTER, F_ID, F_LINK = 4, 8, 16, 32, 1 << 13
XDP_NOEXIST, XDP_SKB, XDP_NATIVE, XDP_OFFLOAD, XDP_REPLACE = 1, 2, 4, 8, 16

OBJ_NAME_LENGTH = 16  # BPF_OBJ_NAME_LEN, with the final NUL

# Arguments: the parts of `union bpf_attr`.
ATTR_MAP_CREATE: Layout = {
    "map_type": (0, 4),
    "key_size": (4, 4),
    "value_size": (8, 4),
    "max_entries": (12, 4),
    "map_flags": (16, 4),
    "map_name": (28, 16),
    "btf_fd": (48, 4),
    "btf_key_type_id": (52, 4),
    "btf_value_type_id": (56, 4),
}
ATTR_ELEM: Layout = {"map_fd": (0, 4), "key": (8, 8), "value": (16, 8), "next_key": (16, 8), "flags": (24, 8)}
ATTR_BATCH: Layout = {
    "in_batch": (0, 8),
    "out_batch": (8, 8),
    "keys": (16, 8),
    "values": (24, 8),
    "count": (32, 4),
    "map_fd": (36, 4),
    "elem_flags": (40, 8),
    "flags": (48, 8),
}
ATTR_PROG_LOAD: Layout = {
    "prog_type": (0, 4),
    "insn_cnt": (4, 4),
    "insns": (8, 8),
    "license": (16, 8),
    "log_level": (24, 4),
    "log_size": (28, 4),
    "log_buf": (32, 8),
    "prog_flags": (44, 4),
    "prog_name": (48, 16),
    "expected_attach_type": (68, 4),
    "prog_btf_fd": (72, 4),
    "func_info_rec_size": (76, 4),
    "func_info": (80, 8),
    "func_info_cnt": (88, 4),
    "line_info_rec_size": (92, 4),
    "line_info": (96, 8),
    "line_info_cnt": (104, 4),
    "attach_btf_id": (108, 4),
    "attach_prog_fd": (112, 4),
}
ATTR_OBJ: Layout = {"pathname": (0, 8), "bpf_fd": (8, 4), "file_flags": (12, 4)}
ATTR_ID: Layout = {"start_id": (0, 4), "next_id": (4, 4)}
ATTR_INFO: Layout = {"bpf_fd": (0, 4), "info_len": (4, 4), "info": (8, 8)}
ATTR_TEST: Layout = {
    "prog_fd": (0, 4),
    "retval": (4, 4),
    "data_size_in": (8, 4),
    "data_size_out": (12, 4),
    "data_in": (16, 8),
    "data_out": (24, 8),
    "repeat": (32, 4),
    "duration": (36, 4),
    "ctx_size_in": (40, 4),
    "ctx_in": (48, 8),
}
ATTR_QUERY: Layout = {
    "target_fd": (0, 4),
    "attach_type": (4, 4),
    "query_flags": (8, 4),
    "attach_flags": (12, 4),
    "prog_ids": (16, 8),
    "count": (24, 4),
    "link_ids": (40, 8),
    "revision": (56, 8),
}
ATTR_TASK_FD_QUERY: Layout = {
    "pid": (0, 4),
    "fd": (4, 4),
    "buf_len": (12, 4),
    "buf": (16, 8),
    "prog_id": (24, 4),
    "fd_type": (28, 4),
    "probe_offset": (32, 8),
    "probe_addr": (40, 8),
}
ATTR_ENABLE_STATS: Layout = {"type": (0, 4)}
ATTR_RAW_TRACEPOINT: Layout = {"name": (0, 8), "prog_fd": (8, 4)}
ATTR_PROG_ATTACH: Layout = {
    "target_fd": (0, 4),
    "attach_bpf_fd": (4, 4),
    "attach_type": (8, 4),
    "attach_flags": (12, 4),
}
ATTR_BTF_LOAD: Layout = {"btf": (0, 8), "btf_size": (16, 4)}
ATTR_LINK_CREATE: Layout = {"prog_fd": (0, 4), "target_fd": (4, 4), "attach_type": (8, 4), "flags": (12, 4)}
LINK_CREATE_UNION = 16  # where the part of LINK_CREATE begins that depends on the attach type
ATTR_LINK_UPDATE: Layout = {"link_fd": (0, 4), "new_prog_fd": (4, 4), "flags": (8, 4), "old_prog_fd": (12, 4)}
ATTR_LINK_DETACH: Layout = {"link_fd": (0, 4)}
ATTR_ITER_CREATE: Layout = {"link_fd": (0, 4), "flags": (4, 4)}
ATTR_BIND_MAP: Layout = {"prog_fd": (0, 4), "map_fd": (4, 4)}

# Answers of OBJ_GET_INFO_BY_FD.
PROG_INFO: Layout = {
    "type": (0, 4),
    "id": (4, 4),
    "tag": (8, 8),
    "jited_prog_len": (16, 4),
    "xlated_prog_len": (20, 4),
    "xlated_prog_insns": (32, 8),
    "load_time": (40, 8),
    "created_by_uid": (48, 4),
    "nr_map_ids": (52, 4),
    "map_ids": (56, 8),
    "name": (64, 16),
    "gpl_compatible": (84, 4),
    "btf_id": (128, 4),
    "func_info_rec_size": (132, 4),
    "func_info": (136, 8),
    "nr_func_info": (144, 4),
    "nr_line_info": (148, 4),
    "line_info": (152, 8),
    "line_info_rec_size": (172, 4),
    "run_time_ns": (192, 8),
    "run_cnt": (200, 8),
    "recursion_misses": (208, 8),
    "verified_insns": (216, 4),
    "attach_btf_obj_id": (220, 4),
    "attach_btf_id": (224, 4),
}
MAP_INFO: Layout = {
    "type": (0, 4),
    "id": (4, 4),
    "key_size": (8, 4),
    "value_size": (12, 4),
    "max_entries": (16, 4),
    "map_flags": (20, 4),
    "name": (24, 16),
    "btf_vmlinux_value_type_id": (44, 4),
    "btf_id": (64, 4),
    "btf_key_type_id": (68, 4),
    "btf_value_type_id": (72, 4),
    "map_extra": (80, 8),
}
BTF_INFO: Layout = {
    "btf": (0, 8),
    "btf_size": (8, 4),
    "id": (12, 4),
    "name": (16, 8),
    "name_len": (24, 4),
    "kernel_btf": (28, 4),
}
LINK_INFO: Layout = {
    "type": (0, 4),
    "id": (4, 4),
    "prog_id": (8, 4),
    "raw_tracepoint.tp_name": (16, 8),
    "raw_tracepoint.tp_name_len": (24, 4),
    "raw_tracepoint.cookie": (32, 8),
    "tracing.attach_type": (16, 4),
    "tracing.target_obj_id": (20, 4),
    "tracing.target_btf_id": (24, 4),
    "tracing.cookie": (32, 8),
    "cgroup.cgroup_id": (16, 8),
    "cgroup.attach_type": (24, 4),
    "iter.target_name": (16, 8),
    "iter.target_name_len": (24, 4),
    "iter.map.map_id": (28, 4),
    "iter.cgroup.cgroup_id": (32, 8),
    "iter.cgroup.order": (40, 4),
    "iter.task.tid": (32, 4),
    "iter.task.pid": (36, 4),
    "netns.netns_ino": (16, 4),
    "netns.attach_type": (20, 4),
    "xdp.ifindex": (16, 4),
    "perf_event.type": (16, 4),
    "perf_event.uprobe.file_name": (24, 8),
    "perf_event.uprobe.name_len": (32, 4),
    "perf_event.uprobe.offset": (36, 4),
    "perf_event.uprobe.cookie": (40, 8),
    "perf_event.uprobe.ref_ctr_offset": (48, 8),
    "perf_event.kprobe.func_name": (24, 8),
    "perf_event.kprobe.name_len": (32, 4),
    "perf_event.kprobe.offset": (36, 4),
    "perf_event.kprobe.addr": (40, 8),
    "perf_event.kprobe.missed": (48, 8),
    "perf_event.kprobe.cookie": (56, 8),
    "perf_event.tracepoint.tp_name": (24, 8),
    "perf_event.tracepoint.name_len": (32, 4),
    "perf_event.tracepoint.cookie": (40, 8),
    "perf_event.event.config": (24, 8),
    "perf_event.event.type": (32, 4),
    "perf_event.event.cookie": (40, 8),
    "kprobe_multi.addrs": (16, 8),
    "kprobe_multi.count": (24, 4),
    "kprobe_multi.flags": (28, 4),
    "kprobe_multi.missed": (32, 8),
    "struct_ops.map_id": (16, 4),
    "netfilter.pf": (16, 4),
    "netfilter.hooknum": (20, 4),
    "netfilter.priority": (24, 4),
    "netfilter.flags": (28, 4),
    "tcx.ifindex": (16, 4),
    "tcx.attach_type": (20, 4),
    "uprobe_multi.path": (16, 8),
    "uprobe_multi.offsets": (24, 8),
    "uprobe_multi.path_size": (48, 4),
    "uprobe_multi.count": (52, 4),
    "uprobe_multi.flags": (56, 4),
    "uprobe_multi.pid": (60, 4),
    "netkit.ifindex": (16, 4),
    "netkit.attach_type": (20, 4),
    "sockmap.map_id": (16, 4),
    "sockmap.attach_type": (20, 4),
}
PERF_ATTR: Layout = {
    "type": (0, 4),
    "size": (4, 4),
    "config": (8, 8),
    "sample_period": (16, 8),
    "disabled": (40, 8),  # the first of the bits
    "wakeup_events": (48, 4),
    "config1": (56, 8),
    "config2": (64, 8),
}
PERF_TYPE_HARDWARE, PERF_TYPE_SOFTWARE, PERF_TYPE_TRACEPOINT, PERF_TYPE_RAW = 0, 1, 2, 4
PERF_FLAG_FD_CLOEXEC = 8
PERF_EVENT_TRACEPOINT = 5  # BPF_PERF_EVENT_TRACEPOINT in `perf_event.type`; on 6.1 the field is not there

BPFFS_MAGIC = 0xCAFE4A11
CLONE_NEWNET = 0x40000000
RENAME_NOREPLACE = 1

# Numbers of the system calls that libc has no function for; i686 and armv*l are 32-bit.
SYSCALLS: Mapping[str, tuple[int, int, int]] = {  # machine -> bpf, perf_event_open, renameat2
    "x86_64": (321, 298, 316),
    "aarch64": (280, 241, 276),
    "riscv64": (280, 241, 276),
    "loongarch64": (280, 241, 276),
    "s390x": (351, 331, 347),
    "ppc64le": (361, 319, 357),
    "ppc64": (361, 319, 357),
    "armv7l": (386, 364, 382),
    "armv6l": (386, 364, 382),
    "i686": (357, 336, 353),
}
