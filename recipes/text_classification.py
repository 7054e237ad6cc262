"""Text classification: one label, several labels, or a number for each text.

    accelerate launch -m recipes.run RUN/plan.json        with "task": "text-classification"

The way from the rows to the verdict is `recipes.parts.classification`; what is special about texts is
`recipes.parts.texts`: tokens, pooling over them, and counting words as the method to beat.
"""

from __future__ import annotations

from recipes.events import Result
from recipes.parts import classification
from recipes.parts.context import RunContext
from recipes.parts.texts import Texts
from recipes.plan import Plan

KIND = Texts()


def train(plan: Plan, run: RunContext) -> Result:
    """The whole run, from the rows to the result; the model lies in `model/` when it returns.

    Raises:
        RecipeError: something a person can mend. Stopped: somebody asked for it.
    """
    return classification.train(plan, run, KIND)
