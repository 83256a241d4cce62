"""``python -m aucli``."""

from aucli.cli import main

main()
