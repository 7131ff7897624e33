"""What signatures and attestations look like where they are kept: bytes in, candidates out, and the other way."""
