// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Half of a program: calls what linked_callee has. (Linked to one object by libbpf's static linker.)
// corpus: el
#include "prelude.h"

extern int callee(int value);
extern int shared_number;
extern struct {
	__uint(type, 1);
	__uint(max_entries, 8);
	__type(key, int);
	__type(value, int);
} shared_map SEC(".maps");
static volatile int own = 1;

SEC("xdp") int caller(struct xdp_md *ctx)
{
	int key = ctx->data;
	return callee(own) + shared_number + !!bpf_map_lookup_elem(&shared_map, &key);
}

LICENSE("GPL");
