"""`python -m fillstream`, the same as the `fillstream` command."""

from fillstream.cli.main import main

main()
