// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// Counts the packets and bytes that the processes of a control group receive, or send.
//
// What it shows
//   * a control group (v2) in place of an interface: the packets of these processes, wherever they go
//   * two programs in one object that share a map; the hook says which of them it wants
//
//         bpfimg run REF cgroup system.slice/nginx.service --attach-type ingress
//         bpfimg run --program cgroup_egress_count REF cgroup system.slice/nginx.service

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

SEC("cgroup_skb/ingress")
int cgroup_ingress_count(struct __sk_buff *skb)
{
	count(skb->len);
	return 1; // 0 would drop the packet
}

SEC("cgroup_skb/egress")
int cgroup_egress_count(struct __sk_buff *skb)
{
	count(skb->len);
	return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
