// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Refused for the object's licence.
#include "../corpus/prelude.h"

SEC("tracepoint/syscalls/sys_enter_getpid") int gpl_only(void *ctx)
{
	char text[8] = "";

	return bpf_trace_printk(text, sizeof(text));
}

LICENSE("Proprietary");
