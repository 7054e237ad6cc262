"""What is wrong with a table, what that does to the result, and how to mend it.

`check` runs every check; `fix` applies one mending to a copy. The file of the person is never changed.
"""

from __future__ import annotations

from assistant.data import checks, label_checks
from assistant.data.findings import Finding, Severity, make_view
from assistant.data.fixes import FIXES, fix
from assistant.data.guesses import TaskGuess
from assistant.data.profile import Profile
from assistant.data.table import Table

__all__ = ["FINDING_CODES", "FIXES", "Finding", "check", "fix"]

#: Every code of a finding; each has a page that explains it.
FINDING_CODES = (
    "conflicting-labels", "duplicates", "file-repaired", "formulas", "html", "imbalance", "label-leak",
    "label-not-number", "label-spelling", "long-texts", "many-classes", "missing-label", "missing-text", "mojibake",
    "near-duplicates", "no-label-column", "no-text-column", "one-class", "personal-data", "small-class", "test-leak",
    "too-few-rows",
)  # fmt: skip

_ORDER: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}


def check(
    table: Table, profile: Profile, guess: TaskGuess | None = None, *, test: Table | None = None
) -> list[Finding]:
    """Everything that the checks find, the gravest first.

    Args:
        table: the rows to learn from.
        profile: its profile.
        guess: the task and columns that are meant; None: the best guess.
        test: the person's own test rows, if any: then rows that stand in both are found too.
    """
    view = make_view(table, profile, guess)
    findings = [finding for run in (*checks.CHECKS, *label_checks.CHECKS) for finding in run(view)]
    if test is not None:
        findings += checks.test_leak(view, make_view(test, profile, view.guess))
    return sorted(findings, key=lambda finding: _ORDER[finding.severity])
