"""Audio classification: one label, several labels, or a number for each recording.

    accelerate launch -m recipes.run RUN/plan.json        with "task": "audio-classification"

The way from the rows to the verdict is `recipes.parts.classification`; what is special about sounds is
`recipes.parts.sounds`: files decoded once, a window as long as the recordings, and statistics of their spectrum as the
method to beat. A row names its recording by a path from the run's folder.
"""

from __future__ import annotations

from recipes.events import Result
from recipes.parts import classification
from recipes.parts.context import RunContext
from recipes.parts.sounds import SoundKind
from recipes.plan import Plan

KIND = SoundKind()


def train(plan: Plan, run: RunContext) -> Result:
    """The whole run, from the rows to the result; the model lies in `model/` when it returns.

    Raises:
        RecipeError: something a person can mend. Stopped: somebody asked for it.
    """
    return classification.train(plan, run, KIND)
