"""What is wrong with a table, what that does to the result, and how to mend it.

`check` runs every check; `fix` applies one mending to a copy. The file of the person is never changed.
"""

from __future__ import annotations

from collections.abc import Iterable

from assistant.data import (
    answer_checks,
    checks,
    group_checks,
    label_checks,
    media_checks,
    rule_check,
    suspects,
    tag_checks,
)
from assistant.data.findings import SUSPICIONS, Finding, Severity, make_view
from assistant.data.fixes import FIXES, fix
from assistant.data.guesses import TaskGuess
from assistant.data.profile import Profile
from assistant.data.table import Table

__all__ = ["FINDING_CODES", "FIXES", "Finding", "check", "fix"]

#: Every code of a finding; each has a page that explains it.
FINDING_CODES = (
    "answer-not-in-text", "broken-media", "broken-tags", "conflicting-labels", "duplicates", "file-repaired",
    "formulas", "group-leak", "html", "imbalance", "label-leak", "label-not-number", "label-spelling",
    "likely-wrong-labels", "long-audio", "long-texts", "many-classes", "missing-label", "missing-text", "mojibake",
    "near-duplicates", "no-answer-given", "no-label-column",
    "no-text-column", "odd-images", "one-class", "one-word-rule", "other-languages", "personal-data", "sample-rates",
    "silent-audio", "small-class", "tags-misaligned", "test-leak", "too-few-rows",
)  # fmt: skip

_CHECKS = (
    *checks.CHECKS, *label_checks.CHECKS, *group_checks.CHECKS, *suspects.CHECKS, *media_checks.CHECKS,
    *rule_check.CHECKS, *tag_checks.CHECKS, *answer_checks.CHECKS,
)  # fmt: skip
_ORDER: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}


def check(
    table: Table,
    profile: Profile,
    guess: TaskGuess | None = None,
    *,
    test: Table | None = None,
    settled: Iterable[str] = (),
) -> list[Finding]:
    """Everything that the checks find, the gravest first.

    Args:
        table: the rows to learn from.
        profile: its profile.
        guess: the task and columns that are meant; None: the best guess.
        test: the person's own test rows, if any: then rows that stand in both are found too.
        settled: codes that the person has dealt with: suspicions among them are not raised again.
    """
    done = SUSPICIONS & set(settled)
    view = make_view(table, profile, guess)
    wanted = [run for run in _CHECKS if not (done and run in suspects.CHECKS)]
    findings = [finding for run in wanted for finding in run(view)]
    if test is not None:
        findings += checks.test_leak(view, make_view(test, profile, view.guess))
    return sorted(findings, key=lambda finding: _ORDER[finding.severity])
