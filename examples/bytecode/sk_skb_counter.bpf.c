// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counts what arrives on the sockets in a map, and lets it be read.
//
// What it shows
//   * a verdict for each piece of a stream or each datagram, before a process reads it (kernel 5.13)
//   * the program hangs on the map:  bpfimg run REF sk_skb --map sockets
//   * "sk_skb/stream_verdict" is the older kind, which can have a parser; a map takes one or the other

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

struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} sockets SEC(".maps");

SEC("sk_skb/verdict")
int sk_skb_count(struct __sk_buff *skb)
{
	count(skb->len);
	return SK_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
