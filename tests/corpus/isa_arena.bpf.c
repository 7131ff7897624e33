// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// An arena: memory that programs and user space share, and casts between the two address spaces.
// corpus: clang>=19 -mcpu=v4
#include "prelude.h"

#define __arena __attribute__((address_space(1)))
struct {
	__uint(type, 33);
	__uint(map_flags, 1 << 10);
	__uint(max_entries, 100);
} arena SEC(".maps");

struct node {
	struct node __arena *next;
	int value;
};
struct node __arena *head;
int __arena shared SEC(".addr_space.1") = 5;

SEC("syscall") int program(void *ctx)
{
	struct node __arena *node = head;
	if (node)
		node->value = shared;
	return (long)&arena & 1;
}

LICENSE("GPL");
