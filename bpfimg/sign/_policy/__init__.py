"""The trust policy: its language, its files, and which rule is for which image."""
