// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counts the packets and bytes that an interface with large frames receives, and lets every packet pass.
//
// What it shows
//   * the section "xdp.frags": a frame that is larger than a page comes in fragments, and a driver hands such
//     frames only to a program that says it knows. Without it an interface with a jumbo MTU refuses the program
//     in native mode, and bpfimg falls back to generic mode
//   * `data_end - data` is then only the first part: bpf_xdp_get_buff_len() counts them all (kernel 5.18)
//
//         bpfimg run REF xdp -i IFACE --mode native

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

struct counter {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counter);
} counters SEC(".maps");

static __always_inline void count(__u64 bytes)
{
	__u32 key = 0;
	struct counter *counter = bpf_map_lookup_elem(&counters, &key);

	if (counter) {
		__sync_fetch_and_add(&counter->packets, 1);
		__sync_fetch_and_add(&counter->bytes, bytes);
	}
}

SEC("xdp.frags")
int xdp_frags_count(struct xdp_md *ctx)
{
	count(bpf_xdp_get_buff_len(ctx));
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
