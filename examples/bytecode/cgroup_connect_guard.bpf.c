// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Refuses the processes of a control group to connect to one port, and counts how often they tried.
//
// What it shows
//   * a program that is asked before connect(2) does anything: 0 makes it fail with EPERM, 1 lets it go on
//   * it could as well write another address into `ctx`: that is how a service's address becomes that of a server
//   * a global that is set at load:  bpfimg run -g refused_port=25 REF cgroup /sys/fs/cgroup/user.slice

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

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

volatile const __u32 refused_port = 0;

SEC("cgroup/connect4")
int connect_guard(struct bpf_sock_addr *ctx)
{
	if (!refused_port || bpf_ntohs(ctx->user_port) != refused_port)
		return 1;
	count();
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
