// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A licence and a version, as objects for kernels before 5.0 have it.
#include "prelude.h"

SEC("xdp") int program(struct xdp_md *ctx)
{
	return 2;
}

LICENSE("GPL");
__u32 _version SEC("version") = 0x050000;
