"""`python -m bpfimg` is the `bpfimg` command."""

from bpfimg.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
