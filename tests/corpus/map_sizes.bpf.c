// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Keys and values given by size only, and by both.
#include "prelude.h"

struct {
	__uint(type, 1);
	__uint(max_entries, 8);
	__uint(key_size, 12);
	__uint(value_size, 64);
} bare SEC(".maps");

struct {
	__uint(type, 2);
	__uint(max_entries, 8);
	__uint(key_size, 4);
	__type(key, __u32);
	__type(value, __u64);
	__uint(value_size, sizeof(__u64));
} both SEC(".maps");

struct {
	__uint(type, 4);
	__uint(key_size, sizeof(int));
	__uint(value_size, sizeof(int));
} events SEC(".maps");

SEC("xdp") int program(struct xdp_md *ctx)
{
	__u64 key[2] = { ctx->data };
	bpf_perf_event_output(ctx, &events, 0xffffffff, key, sizeof(key));
	return !!bpf_map_lookup_elem(&bare, key);
}

LICENSE("GPL");
