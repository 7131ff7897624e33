#!/usr/bin/python3 -I
"""bpfimg, with the libraries of its own package; nothing of the user's own Python comes between."""
import sys

sys.path.insert(0, "/usr/lib/bpfimg")

from bpfimg.cli import command

command()
