// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counts the packets that pass a hook of netfilter, beside the rules of nftables, and lets each of them go on.
//
// What it shows
//   * a program of netfilter (kernel 6.4) gets no packet but where to find one, so this one only counts
//   * it says what a rule would: 1 (NF_ACCEPT) or 0 (NF_DROP), and nothing else is allowed
//
//         bpfimg run REF netfilter --hook input --priority filter

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

#define NF_ACCEPT 1

SEC("netfilter")
int netfilter_count(void *ctx)
{
	count();
	return NF_ACCEPT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
