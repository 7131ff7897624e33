"""Figures against `python3 -c pass` and peers, taken in one run: see `python -m bench`."""
