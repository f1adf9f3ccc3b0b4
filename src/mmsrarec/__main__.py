"""`python -m mmsrarec`."""

from mmsrarec.cli import main

main()
