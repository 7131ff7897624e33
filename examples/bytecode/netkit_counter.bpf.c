// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counts the packets and bytes that pass one end of a netkit pair, the network device for containers (kernel 6.7).
//
// What it shows
//   * netkit runs the program where the packet leaves the container, before the host's network stack sees it
//   * both ends are attached by way of the primary device, which is the host's; `--side peer` is the container's
//   * TCX_NEXT lets the next program of the chain be asked, as on TCX
//
//         bpfimg run REF netkit -i nk0 --side peer

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

// Not in the headers of older systems.
#define NEXT -1

SEC("netkit/primary")
int netkit_count(struct __sk_buff *skb)
{
	count(skb->len);
	return NEXT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
