// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// CO-RE relocation 1: the size of a field.
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
	return __builtin_preserve_field_info(task->comm, 1) + __builtin_preserve_field_info(task->pid, 1);
}

LICENSE("GPL");
