"""The modules of benchmarks/pictures are imported by their names, as when one of its programs is started."""

import sys

from benchmark import FOLDER

sys.path.append(str(FOLDER / "pictures"))
