import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lab"))
from fixtures import chain, lab, make_chain  # noqa: E402,F401
