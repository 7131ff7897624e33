"""Fuzzing of what strangers write in the room of trust: signatures, evidence, keys; and of what root writes there.

`world` has a private Sigstore and what honest signers made in it, `mutate` (with `der`) breaks that by its structure,
`read` and `rooted` hand it to bpfimg, and `book` compares what is believed with what was signed, without bpfimg's code.
"""
