"""`python -m fillstream`, the same as the `fillstream` command."""

from fillstream.cli import main

main()
