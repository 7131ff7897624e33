// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// No program at all: a map, a global variable and a licence.
#include "prelude.h"

struct {
	__uint(type, 1);
	__uint(max_entries, 4);
	__type(key, int);
	__type(value, int);
} alone SEC(".maps");
int number = 4;

LICENSE("GPL");
