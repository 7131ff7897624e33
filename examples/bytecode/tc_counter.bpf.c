// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counts the packets and bytes that pass a traffic control hook, in either direction.
//
// What it shows
//   * TC sees what XDP cannot: outgoing packets, and the kernel's own view of a packet (`struct __sk_buff`)
//   * the same object runs on both kinds of TC hook: TCX (kernel 6.6 or newer) and clsact (older)
//   * a return value that is polite to others
//
//         bpfimg run REF tc -i IFACE -d egress

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

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

// "classifier" and "tc" mean the same to libbpf. The older word is the one that every image tool knows.
SEC("classifier")
int tc_count(struct __sk_buff *skb)
{
	struct counter *counter;
	__u32 key = 0;

	counter = bpf_map_lookup_elem(&counters, &key);
	if (counter) {
		__sync_fetch_and_add(&counter->packets, 1);
		__sync_fetch_and_add(&counter->bytes, skb->len);
	}

	// TC_ACT_UNSPEC (-1) says "I have no opinion": the next program or filter on the hook is asked. It is also
	// TCX_NEXT, the only value after which TCX goes on. TC_ACT_OK would let the packet pass and end the chain,
	// so that programs behind this one would see nothing any more.
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
