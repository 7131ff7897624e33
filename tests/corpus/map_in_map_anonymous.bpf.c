// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Maps of maps whose inner map is described where it stands.
#include "prelude.h"

struct {
	__uint(type, 13);
	__uint(max_entries, 4);
	__type(key, char[8]);
	__array(values, struct {
		__uint(type, 1);
		__uint(max_entries, 99);
		__uint(map_flags, 1);
		__type(key, __u64);
		__type(value, struct { __u32 a; __u32 b; });
	});
} outer SEC(".maps");

struct {
	__uint(type, 12);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__uint(value_size, 4);
	__array(values, struct {
		__uint(type, 27);
		__uint(max_entries, 4096);
	});
} rings SEC(".maps");

SEC("xdp") int program(struct xdp_md *ctx)
{
	return !!bpf_map_lookup_elem(&outer, &ctx->data) + !!bpf_map_lookup_elem(&rings, &ctx->data);
}

LICENSE("GPL");
