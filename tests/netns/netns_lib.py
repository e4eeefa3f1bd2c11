# SPDX-License-Identifier: BSD-2-Clause
"""lib.py beside this file, by a name that is nobody else's: bench/ has a lib, too."""
import importlib.util
import os
import sys

_spec = importlib.util.spec_from_file_location(
    __name__, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib.py"))
sys.modules[__name__] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sys.modules[__name__])
