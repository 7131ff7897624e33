"""Moving images between two places: what belongs to them, in which order, several parts at a time."""
