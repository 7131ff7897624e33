// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Maps of the old kind, in section "maps": libbpf 1.0 and newer refuse them.
// corpus: nobtf -O2
#include "prelude.h"

struct bpf_map_def {
	unsigned int type, key_size, value_size, max_entries, map_flags;
};
struct bpf_map_def SEC("maps") counters = { .type = 1, .key_size = 4, .value_size = 8, .max_entries = 100 };
struct bpf_map_def SEC("maps") flagged = { .type = 2, .key_size = 4, .value_size = 16, .max_entries = 3, .map_flags = 1 << 10 };

SEC("xdp") int program(struct xdp_md *ctx)
{
	return !!bpf_map_lookup_elem(&counters, &ctx->data) + !!bpf_map_lookup_elem(&flagged, &ctx->data);
}

LICENSE("GPL");
