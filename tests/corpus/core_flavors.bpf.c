// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Several flavours of one type, for kernels that differ.
#include "prelude.h"

struct task_struct {
	long state;
} __core;
struct task_struct___new {
	unsigned int __state;
} __core;

SEC("raw_tp/sched_switch") int program(struct task_struct *task)
{
	return __builtin_preserve_field_info(task->state, 2) ? task->state : ((struct task_struct___new *)task)->__state;
}

LICENSE("GPL");
