"""Tar archives of images, read in place and written whole."""
