"""`python -m riverhouse` is the command line."""

from riverhouse.cli import main

main()
