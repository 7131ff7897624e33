// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// CO-RE relocations 4 and 5: the shifts that cut out a bit field.
#include "prelude.h"

struct task_struct {
	int pid;
	int tgid;
	unsigned int flags : 5;
	int sign : 3;
	char comm[16];
	struct {
		long inside;
	};
	struct task_struct *parent;
} __core;

SEC("raw_tp/sched_switch") int program(struct task_struct *task)
{
	return ((*(__u64 *)((void *)task + __builtin_preserve_field_info(task->flags, 0)) << __builtin_preserve_field_info(task->flags, 4)) >> __builtin_preserve_field_info(task->flags, 5)) + __builtin_preserve_field_info(task->sign, 5);
}

LICENSE("GPL");
