// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Flags, a NUMA node and map_extra.
#include "prelude.h"

struct {
	__uint(type, 1);
	__uint(max_entries, 8);
	__uint(map_flags, 1 | 4); // BPF_F_NO_PREALLOC, BPF_F_NUMA_NODE
	__uint(numa_node, 1);
	__type(key, __u32);
	__type(value, __u64);
} sparse SEC(".maps");

struct {
	__uint(type, 30); // bloom_filter
	__uint(max_entries, 1000);
	__uint(map_extra, 5);
	__type(value, __u32);
} bloom SEC(".maps");

struct {
	__uint(type, 2);
	__uint(max_entries, 3);
	__uint(map_flags, 1 << 10 | 1 << 7); // BPF_F_MMAPABLE, BPF_F_RDONLY_PROG
	__type(key, __u32);
	__type(value, __u64);
} mapped SEC(".maps");

SEC("xdp") int program(struct xdp_md *ctx)
{
	return !!bpf_map_lookup_elem(&sparse, &ctx->data);
}

LICENSE("GPL");
