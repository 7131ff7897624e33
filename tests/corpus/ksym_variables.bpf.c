// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Variables of the kernel: with a type, without one, and a weak one.
#include "prelude.h"

struct rq;
extern const struct rq runqueues __ksym;
extern const int bpf_prog_active __ksym;
extern const void init_task __ksym;
extern const void perhaps_absent __ksym __weak;

SEC("raw_tp/sys_enter") int program(void *ctx)
{
	return (long)&runqueues + (long)&bpf_prog_active + (long)&init_task + !&perhaps_absent;
}

LICENSE("GPL");
