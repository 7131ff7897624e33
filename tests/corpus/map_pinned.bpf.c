// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Pinning by name, and none said aloud.
#include "prelude.h"

struct {
	__uint(type, 1);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, 1);
} shared SEC(".maps");

struct {
	__uint(type, 1);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, 0);
} own SEC(".maps");

SEC("xdp") int program(struct xdp_md *ctx)
{
	return !!bpf_map_lookup_elem(&shared, &ctx->data) + !!bpf_map_lookup_elem(&own, &ctx->data);
}

LICENSE("GPL");
