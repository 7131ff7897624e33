"""Keys: public ones to believe with, private ones and those in hardware to sign with."""
