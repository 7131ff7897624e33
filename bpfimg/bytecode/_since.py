"""The first mainline version with a feature, as information: nothing here is decided by it.

Distributions carry features into older kernels and leave others out of newer ones. What no source names is unknown.

Sources, unless a line says otherwise: the commits in isovalent/ebpf-docs (data/feature-versions.yaml,
docs/linux/timeline), which are dated by `git describe --contains`, and iovisor/bcc (docs/kernel-versions.md).
"""

from __future__ import annotations

from functools import cache

from bpfimg.bytecode._helpers import helper_since

_PROGRAM_TYPES = """
3.19 socket_filter
4.1 kprobe sched_cls sched_act
4.7 tracepoint
4.8 xdp
4.9 perf_event
4.10 cgroup_skb cgroup_sock lwt_in lwt_out lwt_xmit
4.13 sock_ops
4.14 sk_skb
4.15 cgroup_device
4.17 sk_msg raw_tracepoint cgroup_sock_addr
4.18 lwt_seg6local lirc_mode2
4.19 sk_reuseport
4.20 flow_dissector
5.2 cgroup_sysctl raw_tracepoint_writable
5.3 cgroup_sockopt
5.5 tracing
5.6 struct_ops ext
5.7 lsm
5.9 sk_lookup
5.14 syscall
6.4 netfilter
"""

# From 6.4 on: commits 68b04864ca42 (struct_ops), 84601d6ee68a (netfilter), e420bed02507 (tcx), 89ae89f53d20 (uprobe
# multi), 859051dd165e (cgroup_unix), 35dfaad7188c (netkit), 535a3692ba72 and d920179b3d48 (sessions).
_ATTACH_TYPES = """
4.10 cgroup_inet_ingress cgroup_inet_egress cgroup_inet_sock_create
4.13 cgroup_sock_ops
4.14 sk_skb_stream_parser sk_skb_stream_verdict
4.15 cgroup_device
4.17 sk_msg_verdict cgroup_inet4_bind cgroup_inet6_bind cgroup_inet4_connect cgroup_inet6_connect
    cgroup_inet4_post_bind cgroup_inet6_post_bind
4.18 cgroup_udp4_sendmsg cgroup_udp6_sendmsg lirc_mode2
4.20 flow_dissector
5.2 cgroup_sysctl cgroup_udp4_recvmsg cgroup_udp6_recvmsg
5.3 cgroup_getsockopt cgroup_setsockopt
5.5 trace_raw_tp trace_fentry trace_fexit
5.7 modify_return lsm_mac
5.8 trace_iter cgroup_inet4_getpeername cgroup_inet6_getpeername cgroup_inet4_getsockname cgroup_inet6_getsockname
    xdp_devmap
5.9 cgroup_inet_sock_release xdp_cpumap sk_lookup xdp
5.13 sk_skb_verdict
5.14 sk_reuseport_select sk_reuseport_select_or_migrate
5.15 perf_event
5.18 trace_kprobe_multi
6.0 lsm_cgroup
6.4 struct_ops netfilter
6.6 tcx_ingress tcx_egress trace_uprobe_multi
6.7 cgroup_unix_connect cgroup_unix_sendmsg cgroup_unix_recvmsg cgroup_unix_getpeername cgroup_unix_getsockname
    netkit_primary netkit_peer
6.10 trace_kprobe_session
6.13 trace_uprobe_session
"""

_MAP_TYPES = """
3.19 hash array
4.2 prog_array
4.3 perf_event_array
4.6 per_cpu_hash per_cpu_array stack_trace
4.8 cgroup_array
4.10 lru_hash lru_per_cpu_hash
4.11 lpm_trie
4.12 array_of_maps hash_of_maps
4.14 devmap sockmap
4.15 cpumap
4.18 xskmap sockhash
4.19 cgroup_storage reuseport_sockarray
4.20 per_cpu_cgroup_storage queue stack
5.2 sk_storage
5.4 devmap_hash
5.6 struct_ops
5.8 ringbuf
5.10 inode_storage
5.11 task_storage
5.16 bloom_filter
6.1 user_ringbuf
6.2 cgrp_storage
6.9 arena
6.19 insn_array
"""

_MAP_FLAGS = """
4.6 no_prealloc
4.10 no_common_lru
4.14 numa_node
4.15 rdonly wronly
4.17 stack_build_id
5.0 zero_seed
5.2 rdonly_prog wronly_prog
5.4 clone
5.5 mmapable
5.10 preserve_elems inner_map
6.4 link
6.5 path_fd
6.9 vtype_btf_obj_fd token_fd segv_on_fault no_user_conv
"""

# Commits 092ed0968bb6 (jmp32), 5ffa25502b5a (atomics), 1f9a1ea821ff and its series (cpu v4), 011832b97b31 (may_goto),
# 6082b6c328b5 (address spaces), 880442305a39 (load-acquire); jumps through a register came with the map insn_array.
_ISA = """
3.18 atomic-add
5.1 jmp32
5.12 atomics
6.6 cpu-v4
6.9 may-goto addr-space-cast
6.15 load-acquire
6.19 indirect-jump
"""

# Commits cc8b0b92a169, 69c087ba6225, e411901c0b77 (functions; the last is that of x86-64, other machines came later),
# d8eca5bbb2be (global data), c04c0d2b968a (more than 4,096 instructions), fec56f5890d9 (trampoline), 341dfcf8d78e
# (/sys/kernel/btf/vmlinux), f56a653c1fd1 (BPF_BTF_LOAD), 1e6c62a88215, b77fb25dcb34, 8c7dcb84e3b7,
# 1e12d3ef47d2 (sleepable programs), c2f2cdbeffda (frags), 04a22fae4cbc (uprobes).
_FEATURES = """
4.1 kprobes
4.3 uprobes
4.16 bpf-to-bpf-calls
4.18 object-btf
5.2 global-data large-programs
5.4 kernel-btf
5.5 trampoline
5.10 sleepable tail-calls-with-subprograms
5.13 callbacks
5.18 xdp-frags kprobe-multi sleepable-iterators
6.0 sleepable-uprobes
6.3 sleepable-struct-ops
6.6 uprobe-multi
6.10 kprobe-session
6.13 uprobe-session
"""

# Structures of the kernel that a struct_ops map can implement: the first version in which it could.
_BTF = """
5.6 struct:tcp_congestion_ops
6.12 struct:sched_ext_ops
6.16 struct:Qdisc_ops
"""

# A kfunc may go again: scx_bpf_dispatch became scx_bpf_dsq_insert. Corrected against the sources: bpf_dynptr_is_rdonly
# came with bpf_dynptr_is_null (540ccf96ddbc).
_KFUNCS = """
5.13 bbr_init bbr_main bbr_sndbuf_expand bbr_undo_cwnd bbr_cwnd_event bbr_ssthresh bbr_min_tso_segs bbr_set_state
    cubictcp_init cubictcp_recalc_ssthresh cubictcp_cong_avoid cubictcp_state cubictcp_cwnd_event cubictcp_acked
    dctcp_init dctcp_update_alpha dctcp_cwnd_event dctcp_ssthresh dctcp_cwnd_undo dctcp_state tcp_reno_ssthresh
    tcp_reno_cong_avoid tcp_reno_undo_cwnd tcp_slow_start tcp_cong_avoid_ai
5.18 bpf_xdp_ct_lookup bpf_skb_ct_lookup bpf_ct_release
6.0 bpf_xdp_ct_alloc bpf_skb_ct_alloc bpf_ct_insert_entry bpf_ct_set_timeout bpf_ct_change_timeout bpf_ct_set_status
    bpf_ct_change_status
6.1 cgroup_rstat_updated cgroup_rstat_flush bpf_lookup_user_key bpf_lookup_system_key bpf_key_put
    bpf_verify_pkcs7_signature crash_kexec bpf_ct_set_nat_info
6.2 bpf_obj_new_impl bpf_obj_drop_impl bpf_list_pop_front bpf_list_pop_back bpf_task_acquire bpf_task_release
    bpf_cgroup_acquire bpf_cgroup_release bpf_cgroup_ancestor bpf_task_from_pid bpf_cast_to_kern_ctx bpf_rdonly_cast
    bpf_rcu_read_lock bpf_rcu_read_unlock bpf_skb_get_xfrm_info bpf_skb_set_xfrm_info
6.3 bpf_cpumask_create bpf_cpumask_release bpf_cpumask_acquire bpf_cpumask_first bpf_cpumask_first_zero
    bpf_cpumask_set_cpu bpf_cpumask_clear_cpu bpf_cpumask_test_cpu bpf_cpumask_test_and_set_cpu
    bpf_cpumask_test_and_clear_cpu bpf_cpumask_setall bpf_cpumask_clear bpf_cpumask_and bpf_cpumask_or bpf_cpumask_xor
    bpf_cpumask_equal bpf_cpumask_intersects bpf_cpumask_subset bpf_cpumask_empty bpf_cpumask_full bpf_cpumask_copy
    bpf_rbtree_remove bpf_rbtree_first bpf_xdp_metadata_rx_timestamp bpf_xdp_metadata_rx_hash hid_bpf_get_data
    hid_bpf_attach_prog hid_bpf_allocate_context hid_bpf_release_context hid_bpf_hw_request
6.4 bpf_refcount_acquire_impl bpf_list_push_front_impl bpf_list_push_back_impl bpf_rbtree_add_impl bpf_cgroup_from_id
    bpf_dynptr_slice bpf_dynptr_slice_rdwr bpf_iter_num_new bpf_iter_num_next bpf_iter_num_destroy bpf_dynptr_from_skb
    bpf_dynptr_from_xdp bpf_skb_set_fou_encap bpf_skb_get_fou_encap
6.5 bpf_cpumask_first_and bpf_cpumask_any_distribute bpf_cpumask_any_and_distribute bpf_task_under_cgroup
    bpf_dynptr_adjust bpf_dynptr_is_null bpf_dynptr_is_rdonly bpf_dynptr_size bpf_dynptr_clone bpf_sock_destroy
6.6 bpf_map_sum_elem_count
6.7 bpf_percpu_obj_new_impl bpf_percpu_obj_drop_impl bpf_throw bpf_iter_task_vma_new bpf_iter_task_vma_next
    bpf_iter_task_vma_destroy bpf_iter_css_task_new bpf_iter_css_task_next bpf_iter_css_task_destroy bpf_iter_css_new
    bpf_iter_css_next bpf_iter_css_destroy bpf_iter_task_new bpf_iter_task_next bpf_iter_task_destroy
    bpf_sock_addr_set_sun_path
6.8 bpf_get_file_xattr bpf_cpumask_weight bpf_task_get_cgroup1 bpf_get_fsverity_digest bpf_xdp_metadata_rx_vlan_tag
    bpf_xdp_get_xfrm_state bpf_xdp_xfrm_state_release
6.9 bpf_arena_alloc_pages bpf_arena_free_pages
6.10 bpf_wq_init bpf_wq_set_callback_impl bpf_wq_start bpf_preempt_disable bpf_preempt_enable bpf_crypto_ctx_create
    bpf_crypto_ctx_release bpf_crypto_ctx_acquire bpf_crypto_decrypt bpf_crypto_encrypt bpf_session_is_return
    bpf_session_cookie
6.11 bpf_iter_bits_new bpf_iter_bits_next bpf_iter_bits_destroy bpf_xdp_flow_lookup hid_bpf_try_input_report
6.12 bpf_copy_from_user_str scx_bpf_select_cpu_dfl scx_bpf_dispatch scx_bpf_dispatch_vtime scx_bpf_dispatch_nr_slots
    scx_bpf_dispatch_cancel scx_bpf_consume scx_bpf_dispatch_from_dsq scx_bpf_dispatch_vtime_from_dsq
    scx_bpf_dispatch_from_dsq_set_slice scx_bpf_dispatch_from_dsq_set_vtime scx_bpf_reenqueue_local scx_bpf_create_dsq
    scx_bpf_kick_cpu scx_bpf_dsq_nr_queued scx_bpf_destroy_dsq bpf_iter_scx_dsq_new bpf_iter_scx_dsq_next
    bpf_iter_scx_dsq_destroy scx_bpf_exit_bstr scx_bpf_error_bstr scx_bpf_dump_bstr scx_bpf_cpuperf_cap
    scx_bpf_cpuperf_cur scx_bpf_cpuperf_set scx_bpf_nr_cpu_ids scx_bpf_get_possible_cpumask scx_bpf_get_online_cpumask
    scx_bpf_put_cpumask scx_bpf_get_idle_cpumask scx_bpf_get_idle_smtmask scx_bpf_put_idle_cpumask
    scx_bpf_test_and_clear_cpu_idle scx_bpf_pick_idle_cpu scx_bpf_pick_any_cpu scx_bpf_task_running scx_bpf_task_cpu
    scx_bpf_cpu_rq scx_bpf_task_cgroup bpf_get_task_exe_file bpf_put_file bpf_path_d_path bpf_get_dentry_xattr
6.13 bpf_task_from_vpid bpf_send_signal_task bpf_get_kmem_cache bpf_iter_kmem_cache_new bpf_iter_kmem_cache_next
    bpf_iter_kmem_cache_destroy scx_bpf_dsq_insert scx_bpf_dsq_insert_vtime scx_bpf_dsq_move_to_local
    scx_bpf_dsq_move_set_slice scx_bpf_dsq_move_set_vtime scx_bpf_dsq_move scx_bpf_dsq_move_vtime
6.14 bpf_local_irq_save bpf_local_irq_restore scx_bpf_now
6.15 bpf_copy_from_user_task_str bpf_sock_ops_enable_tx_tstamp scx_bpf_pick_idle_cpu_node scx_bpf_pick_any_cpu_node
    scx_bpf_get_idle_smtmask_node scx_bpf_nr_node_ids
6.16 bpf_iter_dmabuf_new bpf_iter_dmabuf_next bpf_iter_dmabuf_destroy bpf_probe_read_user_dynptr
    bpf_probe_read_kernel_dynptr bpf_probe_read_user_str_dynptr bpf_probe_read_kernel_str_dynptr
    bpf_copy_from_user_dynptr bpf_copy_from_user_str_dynptr bpf_copy_from_user_task_dynptr
    bpf_copy_from_user_task_str_dynptr bpf_list_front bpf_list_back bpf_rbtree_root bpf_rbtree_left bpf_rbtree_right
    bpf_qdisc_bstats_update bpf_qdisc_watchdog_schedule bpf_qdisc_init_prologue bpf_qdisc_reset_destroy_epilogue
    bpf_skb_get_hash bpf_kfree_skb bpf_qdisc_skb_drop scx_bpf_select_cpu_and
6.17 bpf_arena_reserve_pages bpf_stream_vprintk bpf_dynptr_memset bpf_cgroup_read_xattr bpf_strcmp bpf_strnchr
    bpf_strchr bpf_strchrnul bpf_strrchr bpf_strlen bpf_strspn bpf_strcspn bpf_strnstr bpf_strstr
6.18 bpf_stream_vprintk_impl bpf_task_work_schedule_resume_impl scx_bpf_cpu_curr scx_bpf_locked_rq
6.19 bpf_dynptr_from_file scx_bpf_dsq_peek
"""

_TEXTS = {
    "program_type": _PROGRAM_TYPES,
    "attach_type": _ATTACH_TYPES,
    "map_type": _MAP_TYPES,
    "map_flag": _MAP_FLAGS,
    "kfunc": _KFUNCS,
    "btf": _BTF,
    "isa": _ISA,
    "feature": _FEATURES,
}


def since(kind: str, name: str) -> str | None:
    """The first mainline version with `name`, as in "5.8"; None where it is not known. `kind` as in `Requirement`."""
    return helper_since(name) if kind == "helper" else _table(kind).get(name.replace(" ", ":"))


@cache
def _table(kind: str) -> dict[str, str]:
    """Name -> version; each text is read when its kind is first asked for."""
    found, version = {}, ""
    for word in _TEXTS.get(kind, "").split():
        if word[0].isdigit():
            version = word
        else:
            found[word] = version
    return found
