// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Pointers: to data, to functions, to themselves.
#include "prelude.h"

int target = 5;
int *to_target = &target;
void *nothing;
struct list {
	struct list *next;
	int value;
} list = { &list, 3 };
int (*callback)(int, char *);
void (**deep)(void);
const void *const volatile qualified;

SEC("xdp") int program(struct xdp_md *ctx)
{
	return *to_target + (long)nothing + list.next->value + (long)callback + (long)deep + (long)qualified;
}

LICENSE("GPL");
