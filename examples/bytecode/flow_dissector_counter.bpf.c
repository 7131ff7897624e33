// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counts the packets that the kernel tells apart into flows in a network namespace, and leaves that to the kernel.
//
// What it shows
//   * the flow dissector finds addresses and ports for hashing; a program can teach it a new encapsulation
//   * 129 (BPF_FLOW_DISSECTOR_CONTINUE, kernel 6.0) says "do it yourself"; BPF_OK would say that the keys are filled in
//   * there is one for each network namespace, and one in the first namespace is for all
//
//         bpfimg run REF flow_dissector --netns blue

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

#define CONTINUE 129

SEC("flow_dissector")
int flow_dissector_count(struct __sk_buff *skb)
{
	count();
	return CONTINUE;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
