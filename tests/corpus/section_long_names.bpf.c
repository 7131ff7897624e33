// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Names as long as the kernel still takes in a symbol, and sections with dots and dashes.
#include "prelude.h"

SEC("raw_tp.w/nbd-send.request_0") int pppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp(void *ctx)
{
	return 0;
}

int vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv SEC(".data.dddddddddddddddddddddddddddddddddddddddd") = 1;

SEC("uprobe//usr/lib/x86_64-linux-gnu/libc.so.6:malloc+0x10") int upro(void *ctx)
{
	return vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv;
}

LICENSE("GPL");
