// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Nothing but a type that BTF describes and a variable nobody reads.
#include "prelude.h"

struct shape {
	int sides;
	union {
		double radius;
		float edges[4];
	};
};
struct shape unit;
