"""The fuzzer: `python -m tests.fuzz`, a million broken objects, signatures and policies in two processes.

`targets` says what is done with an input and what must hold, `mutate` makes inputs that look like objects; `trust` has
both for signatures, evidence, keys and policies. `inputs` mixes them, `worker` guards time and memory and keeps what
fails below `regressions/`, `coverage` is the same driven by atheris.
"""
