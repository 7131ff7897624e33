// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counts the packets and bytes that an interface receives, and lets every packet pass.
//
// What it shows
//   * a map: memory that the program shares with user space (`bpftool map dump name counters`)
//   * a map that is declared with BTF, so that tools can print `packets` and `bytes` by name
//   * counting on several CPUs at the same time without losing anything
//   * a global that is set at load:  bpfimg run -g sample=100 REF xdp -i IFACE

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct counter {
	__u64 packets;
	__u64 bytes;
};

// One entry, at key 0. A per-CPU array would need no atomic operation, but then every reader has to add up
// the CPUs; for a first program one number is easier to look at.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counter);
} counters SEC(".maps");

// Count about one packet in `sample`; 0 and 1 count every packet.
volatile const __u32 sample = 1;

SEC("xdp")
int xdp_count(struct xdp_md *ctx)
{
	struct counter *counter;
	__u32 key = 0;

	if (sample > 1 && bpf_get_prandom_u32() % sample)
		return XDP_PASS;

	// The lookup cannot fail for key 0, but the verifier does not know that: without the check it refuses the
	// program, because a pointer that may be NULL must not be followed.
	counter = bpf_map_lookup_elem(&counters, &key);
	if (counter) {
		// Two CPUs may be here at once: `counter->packets++` would lose packets.
		__sync_fetch_and_add(&counter->packets, 1);
		__sync_fetch_and_add(&counter->bytes, (__u64)(ctx->data_end - ctx->data));
	}
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
