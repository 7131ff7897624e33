// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// CO-RE relocation 8: whether a type is there, of several kinds.
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
enum state { IDLE, BUSY };
union both {
	int a;
	long b;
};
typedef __u32 number;

SEC("raw_tp/sched_switch") int program(struct task_struct *task)
{
	return __builtin_preserve_type_info(*(struct task_struct *)0, 0) + __builtin_preserve_type_info(*(enum state *)0, 0) + __builtin_preserve_type_info(*(union both *)0, 0) + __builtin_preserve_type_info(*(number *)0, 0);
}

LICENSE("GPL");
