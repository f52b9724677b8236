"""`python -m pi_agent`, and the program `pi-agent`."""

import sys

from pi_agent.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
