// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counts the new connections and datagrams of a network namespace that look for a socket, and lets the kernel choose.
//
// What it shows
//   * the program sees the addresses before any listening socket is looked up, and only then: packets of an
//     established connection do not come here
//   * a filter that is set at load:  bpfimg run -g port=443 REF sk_lookup
//   * bpf_sk_assign() would give the packet to a socket of a sockmap; that is how one socket serves all ports

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

// Count only what comes to this port; 0 counts everything.
volatile const __u32 port = 0;

SEC("sk_lookup")
int sk_lookup_count(struct bpf_sk_lookup *ctx)
{
	if (!port || ctx->local_port == port)
		count();
	return SK_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
