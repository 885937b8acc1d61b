"""The parts of `make bench` are importable here: `from sidebyside.table import …`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
