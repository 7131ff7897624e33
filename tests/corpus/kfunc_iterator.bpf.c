// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// An open-coded iterator: kernel functions that keep state on the stack.
#include "prelude.h"

struct bpf_iter_num {
	__u64 opaque[1];
} __attribute__((aligned(8)));
extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;

SEC("socket") int program(struct __sk_buff *ctx)
{
	struct bpf_iter_num it;
	int sum = 0, *value;
	bpf_iter_num_new(&it, 0, 10);
	while ((value = bpf_iter_num_next(&it)))
		sum += *value;
	bpf_iter_num_destroy(&it);
	return sum;
}

LICENSE("GPL");
