"""`python -m mmsrarec`."""

from mmsrarec.cli.commands import main

main()
