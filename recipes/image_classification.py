"""Image classification: one label, several labels, or a number for each picture.

    accelerate launch -m recipes.run RUN/plan.json        with "task": "image-classification"

The way from the rows to the verdict is `recipes.parts.classification`; what is special about pictures is
`recipes.parts.pictures`: files decoded once, variations while the body is trained, and colours and edges as the method
to beat. A row names its picture by a path from the run's folder.
"""

from __future__ import annotations

from recipes.events import Result
from recipes.parts import classification
from recipes.parts.context import RunContext
from recipes.parts.pictures import PictureKind
from recipes.plan import Plan

KIND = PictureKind()


def train(plan: Plan, run: RunContext) -> Result:
    """The whole run, from the rows to the result; the model lies in `model/` when it returns.

    Raises:
        RecipeError: something a person can mend. Stopped: somebody asked for it.
    """
    return classification.train(plan, run, KIND)
