// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counts the messages and bytes that are sent on the sockets in a map, and lets them go.
//
// What it shows
//   * a sockmap: a process, or a sock_ops program, puts sockets into `sockets`; the program runs for those only
//   * the program hangs on the map, not on an interface:  bpfimg run REF sk_msg --map sockets
//   * bpf_msg_redirect_map() would send the bytes to another socket of this host, past the whole network stack

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

SEC("sk_msg")
int sk_msg_count(struct sk_msg_md *msg)
{
	count(msg->size);
	return SK_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
