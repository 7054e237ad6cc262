"""Whether the model hub can be reached: asked only when it matters, for three seconds at most, then remembered."""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from assistant.jobs.rundir import write_json

#: Seconds that the question may take, name lookup included.
LIMIT_SECONDS = 3.0
#: Seconds for which an answer holds: a network that is there stays; one that is not may come back.
GOOD_FOR = {True: 600.0, False: 60.0}


def endpoint() -> str:
    """The hub's address; `HF_ENDPOINT` names a mirror."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def remembered(cache: Path) -> bool | None:
    """The answer of a little while ago; None where there is none, so that an answer never waits for the network."""
    if os.environ.get("HF_HUB_OFFLINE", "").casefold() in ("1", "true", "yes", "on"):
        return False
    try:
        found = json.loads(cache.read_text(encoding="utf-8"))
        reachable, at = bool(found["reachable"]), float(found["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if found.get("endpoint") != endpoint():
        return None
    return reachable if 0 <= time.time() - at < GOOD_FOR[reachable] else None


def reachable(cache: Path, seconds: float = LIMIT_SECONDS) -> bool:
    """Whether the hub answers within `seconds`; asks the network only where nothing is remembered."""
    known = remembered(cache)
    if known is not None:
        return known
    answers: list[bool] = []
    # A thread, because a name lookup obeys no time limit.
    asking = threading.Thread(target=lambda: answers.append(_ask(seconds)), daemon=True)
    asking.start()
    asking.join(seconds)
    found = bool(answers and answers[0])
    write_json(cache, {"reachable": found, "at": time.time(), "endpoint": endpoint()})
    return found


def _ask(seconds: float) -> bool:
    request = urllib.request.Request(endpoint() + "/api/models?limit=1", method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=seconds):
            return True
    except urllib.error.HTTPError:
        return True  # it answered, if only to say no
    except (OSError, ValueError):
        return False


def in_local_cache(model: str) -> bool:
    """Whether a Hub model lies in the cache of this machine, so that it needs no network."""
    root = os.environ.get("HF_HUB_CACHE") or os.path.join(
        os.environ.get("HF_HOME", os.path.join(os.path.expanduser("~"), ".cache", "huggingface")), "hub"
    )
    snapshots = Path(root) / ("models--" + model.replace("/", "--")) / "snapshots"
    try:
        return any((one / "config.json").exists() for one in snapshots.iterdir())
    except OSError:
        return False
