"""The command line as ``python -m psfphot``."""

from psfphot.cli import main

if __name__ == "__main__":
    main()
