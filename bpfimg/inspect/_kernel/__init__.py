"""The host: what runs in this kernel, where it is attached, who holds it."""
