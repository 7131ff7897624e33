"""Image layouts on disk: entries, locks, many writers, and what tidies up."""
