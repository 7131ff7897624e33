// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The licence "Proprietary".
#include "prelude.h"

SEC("xdp") int program(struct xdp_md *ctx)
{
	return 2;
}

LICENSE("Proprietary");
