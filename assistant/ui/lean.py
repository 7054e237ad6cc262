"""The server's memory: what it need not load. Called before anything imports Gradio.

without_pyarrow()
"""

from __future__ import annotations

import sys


def without_pyarrow() -> None:
    """Keep pyarrow out of this process: pandas, which Gradio imports, loads it wherever it is installed.

    Measured: 34 of the 171 MB of the first page. The server reads no file itself (`assistant.data.apart`), so it never
    needs it; pandas then works as it does where pyarrow is not installed.
    """
    sys.modules.setdefault("pyarrow", None)  # type: ignore[arg-type]  # None: an import of it fails as if it were absent
