// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A long path through structs, unions and arrays.
#include "prelude.h"

struct inner {
	int other;
	int deep[2][3];
} __core;
struct outer {
	long pad;
	struct {
		union {
			int first;
			struct inner second[4];
		} both;
	} first[3];
} __core;

SEC("raw_tp/sched_switch") int program(struct outer *outer)
{
	return outer->first[1].both.second[2].deep[1][0];
}

LICENSE("GPL");
