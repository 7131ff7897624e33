// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// CO-RE relocation 6: a type's id in the object.
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
	return __builtin_btf_type_id(*(struct task_struct *)0, 0);
}

LICENSE("GPL");
