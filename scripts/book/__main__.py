"""`make book`."""

import sys
from pathlib import Path

from scripts.book import make

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/book")
make(folder)
print(f"{folder}/index.html")
