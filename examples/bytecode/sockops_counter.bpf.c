// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counts the TCP connections that the processes of a control group open or accept.
//
// What it shows
//   * sock_ops: the kernel calls the program at events in the life of a TCP socket, with a number for each
//   * it is the place to set options early, or to put sockets into a sockmap (see sk_msg_counter.bpf.c)
//
//         bpfimg run REF cgroup /sys/fs/cgroup/user.slice

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct counter {
	__u64 events;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counter);
} counters SEC(".maps");

static __always_inline void count(void)
{
	__u32 key = 0;
	struct counter *counter = bpf_map_lookup_elem(&counters, &key);

	if (counter)
		__sync_fetch_and_add(&counter->events, 1);
}

SEC("sockops")
int sockops_count(struct bpf_sock_ops *ctx)
{
	if (ctx->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB || ctx->op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		count();
	return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
