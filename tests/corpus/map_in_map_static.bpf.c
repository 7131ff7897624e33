// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A map of maps that is filled when it is created.
#include "prelude.h"

struct inner {
	__uint(type, 2);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u64);
} inner_a SEC(".maps"), inner_b SEC(".maps");

struct {
	__uint(type, 12);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps") = {
	.values = { &inner_a, NULL, &inner_b },
};

SEC("xdp") int program(struct xdp_md *ctx)
{
	return !!bpf_map_lookup_elem(&outer, &ctx->data);
}

LICENSE("GPL");
