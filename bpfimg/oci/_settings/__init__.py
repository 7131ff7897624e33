"""What the caller decides, and what the user's environment and registries.conf(5) say."""
