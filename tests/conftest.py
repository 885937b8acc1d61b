"""What every test shares: the folder of the tests is importable (`from e2e.support...`)."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
