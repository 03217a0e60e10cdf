"""`python -m cellctl.cli`: the same as the console script."""

from cellctl.cli import main

main()
