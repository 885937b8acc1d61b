"""`python -m lineman`: the same as the command `lineman`."""

import sys

from lineman.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
