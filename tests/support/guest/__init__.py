"""Debian's kernels under QEMU, for the kernel tests: what needs trampolines or kprobes, and what older kernels say.

`python -m tests.support.guest 6.12 tests/kernel/… [pytest's options]` runs those tests in the guest of that kernel,
which sees this machine's files read-only, and prints each result as it comes. docs/adr/0038 says why it is built so.
"""
