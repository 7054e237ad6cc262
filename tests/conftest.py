"""What all tests share: where the project and the optional real data lie, and quiet, offline processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Before anything imports a library that would look for a hub or a telemetry server.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real labelled data beside the checkout; tests that need it are skipped where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the folder shared/data with real labelled data is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def shared_requests() -> Path:
    """The folder of sample requests beside the checkout."""
    folder = ROOT.parent / "shared" / "requests"
    if not folder.is_dir():
        pytest.skip("the folder shared/requests with sample requests is not beside this checkout")
    return folder
