"""`python -m simworld`, the same as the `simworld` command."""

from simworld.cli import main

main()
