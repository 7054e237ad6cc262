"""The chat as a Hugging Face Space, with the limits of a public demo:

python space/app.py
"""

from __future__ import annotations

import os

from assistant.ui.lean import without_pyarrow

if __name__ == "__main__":
    without_pyarrow()
    from assistant.chat.llm import from_environment  # only now: these import pandas
    from assistant.session import Session
    from assistant.ui.app import launch

    # FINETUNE_ASSISTANT_HOME says where the state lies; a Space forgets it at every restart.
    # FINETUNE_ASSISTANT_READER_URL, _MODEL and _KEY (a secret) may name a second reader for unclear requests.
    launch(
        Session(demo=True, reader=from_environment()), host=os.environ.get("GRADIO_SERVER_NAME", "0.0.0.0"), port=None
    )
