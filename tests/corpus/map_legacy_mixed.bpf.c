// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// An old map and one declared with BTF in the same object.
#include "prelude.h"

struct bpf_map_def {
	unsigned int type, key_size, value_size, max_entries, map_flags;
};
struct bpf_map_def SEC("maps") old = { .type = 1, .key_size = 4, .value_size = 8, .max_entries = 100 };
struct {
	__uint(type, 1);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} new SEC(".maps");

SEC("xdp") int program(struct xdp_md *ctx)
{
	return !!bpf_map_lookup_elem(&old, &ctx->data) + !!bpf_map_lookup_elem(&new, &ctx->data);
}

LICENSE("GPL");
