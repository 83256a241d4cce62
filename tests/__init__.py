"""The tests, in the rooms of the package.

What they compute is small: with one thread it is done before several have been woken, and two workers of pytest (or two
processes of a test) do not wait for each other. Read when numpy and torch are first imported, which is after this, and
by every process that a test starts.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
