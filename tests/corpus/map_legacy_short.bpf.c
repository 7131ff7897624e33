// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// An old map whose definition has only the four numbers of the first kernels.
#include "prelude.h"

struct bpf_map_def {
	unsigned int type, key_size, value_size, max_entries;
};
struct bpf_map_def SEC("maps") counters = { .type = 1, .key_size = 4, .value_size = 8, .max_entries = 100 };

SEC("xdp") int program(struct xdp_md *ctx)
{
	return !!bpf_map_lookup_elem(&counters, &ctx->data);
}

LICENSE("GPL");
