// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// CO-RE relocation 11: the value of an enumerator, also of 64 bits.
#include "prelude.h"

enum state { IDLE, BUSY = 7, GONE = -1 };
enum big { HUGE_ONE = 0x1234567890 };

SEC("raw_tp/sched_switch") int program(void *ctx)
{
	return __builtin_preserve_enum_value(*(enum state *)BUSY, 1) + __builtin_preserve_enum_value(*(enum state *)GONE, 1);
}

LICENSE("GPL");
