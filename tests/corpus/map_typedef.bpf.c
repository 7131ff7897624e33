// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A map whose definition is a named struct behind a typedef, used for two maps.
#include "prelude.h"

struct definition {
	__uint(type, 1);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
};
typedef struct definition definition_t;
struct definition one SEC(".maps");
definition_t two SEC(".maps");

SEC("xdp") int program(struct xdp_md *ctx)
{
	return !!bpf_map_lookup_elem(&one, &ctx->data) + !!bpf_map_lookup_elem(&two, &ctx->data);
}

LICENSE("GPL");
