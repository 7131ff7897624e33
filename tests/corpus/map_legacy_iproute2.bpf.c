// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Maps as iproute2's own loader had them: nine numbers each, with an id and a pinning.
#include "prelude.h"

struct bpf_elf_map {
	__u32 type, size_key, size_value, max_elem, flags, id, pinning, inner_id, inner_idx;
};
struct bpf_elf_map SEC("maps") jumps = { .type = 3, .size_key = 4, .size_value = 4, .max_elem = 2, .id = 1, .pinning = 2 };

SEC("classifier") int program(struct __sk_buff *ctx)
{
	bpf_tail_call(ctx, &jumps, 0);
	return 0;
}

LICENSE("GPL");
