// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A static map.
#include "prelude.h"

static struct {
	__uint(type, 2);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} mine SEC(".maps");

SEC("xdp") int program(struct xdp_md *ctx)
{
	return !!bpf_map_lookup_elem(&mine, &ctx->data);
}

LICENSE("GPL");
