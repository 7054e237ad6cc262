"""The public requests, said to a whole session: at least 95 % must be read right, and every tag at least 85 %."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from assistant.session import Session


def scorer(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("request_scorer", folder / "score.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def converse(session: Session, case: dict[str, Any], files: Path, box: Path) -> dict[str, Any]:
    conversation, answer = None, None
    for turn in case["turns"]:
        uploads = [Path(shutil.copy(files / name, box)) for name in turn.get("files", [])]
        answer = session.say(conversation, turn["say"][:20_000], uploads, dry_run=True)
        conversation = answer.conversation
    assert answer is not None
    return answer.as_json()


def test_public_requests(shared_requests: Path, tmp_path: Path) -> None:
    score = scorer(shared_requests)
    lines = (shared_requests / "public.jsonl").read_text(encoding="utf-8").split("\n")
    cases = [json.loads(line) for line in lines if line.strip()]
    marks: dict[str, list[bool]] = defaultdict(list)
    wrong: dict[str, list[str]] = {}
    session = Session(tmp_path / "home")
    try:
        for case in cases:
            found = score.problems(case["expect"], converse(session, case, shared_requests / "files", tmp_path))
            if found:
                wrong[case["id"]] = found
            for tag in {"all", *case["tags"]}:
                marks[tag].append(not found)
    finally:
        session.close()
    shares = {tag: sum(right) / len(right) for tag, right in marks.items()}
    assert shares["all"] >= 0.95, wrong
    low = {tag: share for tag, share in shares.items() if share < 0.85 and len(marks[tag]) >= 5}
    assert low == {}, wrong


@pytest.mark.parametrize("name", ["public.jsonl", "score.py"])
def test_the_requests_are_there(shared_requests: Path, name: str) -> None:
    assert (shared_requests / name).is_file()
