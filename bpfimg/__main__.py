"""`python -m bpfimg` is the `bpfimg` command."""

from bpfimg.cli import command

if __name__ == "__main__":
    command()
