"""The plan in the dialogue: asked for, prepared, changed, taken back, started. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from assistant.advise import catalog, tool
from assistant.advise.draft import ASKED
from assistant.chat import buttons, data_replies, offers, plan_replies, replies, starter
from assistant.chat.intents import PSEUDO_PATHS, is_plan_path
from assistant.chat.mentions import next_size
from assistant.chat.turns import Effect, FileCard, Intent, Option, PlanPrepared, Reply, State, Turn
from assistant.chat.wording import RUNNABLE_TASKS, TASKS, value_at
from assistant.data.examples import example
from recipes.plan import Plan

#: A guess from this score on is taken without a question (as in `data.guesses`).
SURE = 0.6
#: Another reading is worth a question when its score is at least this.
POSSIBLE = 0.45
#: Earlier plans that "undo" can reach.
MAX_HISTORY = 20
#: Wishes that "faster", "smaller" and "more accurate" replace: those choices are open again.
_REOPENED = {
    "faster": ("base_model", "method.name", "method.layers", "method.rank", "training.epochs", "training.max_length"),
    "more accurate": ("method.name", "method.layers", "training.epochs", "training.max_minutes", "training.max_length"),
}


# ---------------------------------------------------------------- a request


def request(state: State, text: str, wanted: Intent, files_now: Sequence[FileCard], pending: str) -> Turn:
    """A wish for a plan: prepare it, or ask for what it lacks."""
    slots = wanted.slots
    if slots.get("example"):
        effect = Effect(kind="use_example", arguments={"name": slots["example"]})
        return Turn(state=state.model_copy(update={"pending": f"example:{slots['example']}"}), effects=[effect])
    anew = state.plan is not None and state.plan.base_model is not None and bool(slots.get("task") or files_now)
    wish = _merged({} if anew else state.wish, slots, state.plan)
    goal = text.strip()[:2000] if anew or not state.goal else state.goal
    train = next((file for file in reversed(files_now) if file.role == "train"), None) or _training_file(state)
    if slots.get("data.source") and not files_now:  # a data set of the Hub; it may have been read before
        train = next((file for file in reversed(state.files) if file.name == slots["data.source"]), None)
    test = next((file for file in files_now if file.role == "test"), None)
    if test is not None:
        wish = {"data.test_source": test.name} | wish
    state = state.model_copy(update={"wish": wish, "goal": goal})
    extra = _extra_replies(slots)
    if train is None:
        other = tool.by_words(text) if not slots.get("data.source") else None
        extra = [*extra, plan_replies.honest(other.text)] if other is not None else extra
        turn = _without_file(state, wish, extra, pending)
        if pending.startswith(offers.GUIDE) and state.plan is None:
            last = turn.replies[-1]
            asked = last.model_copy(update={"text": f"Question 3 of 3: your data. {last.text}"})
            turn = turn.model_copy(update={"replies": [*turn.replies[:-1], asked]})
        if pending.startswith(offers.GUIDE):
            return turn.model_copy(update={"state": turn.state.model_copy(update={"pending": f"{offers.GUIDE}:file"})})
        return turn
    return _with_file(
        state, train, wish, extra, "new+start" if slots.get("then") == "start" else "new", vague=_is_vague(slots)
    )


def example_read(state: State, file: FileCard, name: str) -> Turn:
    """The data of an example came: plan with them, whatever was talked about before."""
    fresh: dict[str, Any] = {"pending": None, "wish": {}, "plan": None, "goal": "", "problem": None, "nearest": {}}
    state = state.model_copy(update={"files": [*state.files, file][-10:], **fresh})
    turn = request(state, example(name).request, Intent(name="plan"), (file,), "")
    return turn.model_copy(update={"replies": [data_replies.data_card(file), *turn.replies]})


def hub_read(state: State, file: FileCard) -> Turn:
    """A data set of the Hub came: plan with it."""
    state = state.model_copy(update={"files": [*state.files, file][-10:], "pending": None})
    turn = _with_file(state, file, state.wish, [], "new", vague=True)
    return turn.model_copy(update={"replies": [data_replies.data_card(file), *turn.replies]})


def _is_vague(slots: dict[str, Any]) -> bool:
    return not any(path.startswith("data.columns.") for path in slots)


def _merged(wish: dict[str, Any], slots: dict[str, Any], plan: Plan | None) -> dict[str, Any]:
    """The wish with what was just said; a new method drops the old method's sizes, a preference reopens choices."""
    new = {path: value for path, value in slots.items() if is_plan_path(path)}
    kept = dict(wish)
    if new.get("method.name") and new["method.name"] != wish.get("method.name"):
        for path in ("method.layers", "method.rank", "method.alpha"):
            kept.pop(path, None)
    if "preference" in new:
        for path in _REOPENED.get(str(new["preference"]), ()):
            if path not in new:
                kept.pop(path, None)
    if new.get("task") and new["task"] != wish.get("task"):
        for path in ("problem", *[path for path in kept if path.startswith("data.columns.")]):
            kept.pop(path, None)
    if new.get("preference") == "smaller" and plan is not None and plan.base_model and "base_model" not in new:
        kept["base_model"] = plan.base_model  # smaller than the one at hand
    elif "base_model" in new and kept.get("preference") == "smaller":
        kept.pop("preference")
    named = " ".join(str(new.get(path, "")).casefold() for path in ("base_model", "method.name"))
    avoid = [*kept.get("avoid", []), *new.get("avoid", [])]
    avoid = list(dict.fromkeys(item for item in avoid if item not in named or item in new.get("avoid", [])))
    kept.pop("avoid", None)
    merged = kept | {path: value for path, value in new.items() if path != "avoid"}
    if (
        any(item in str(merged.get("base_model", "")).casefold() for item in new.get("avoid", []))
        and "base_model" not in new
    ):
        merged.pop("base_model", None)
    if merged.get("method.name") in new.get("avoid", []) and "method.name" not in new:
        merged.pop("method.name", None)
    return merged | ({"avoid": avoid} if avoid else {})


def _extra_replies(slots: dict[str, Any]) -> list[Reply]:
    said = [Reply(text=replies.refused_part(slots["refused"]))] if slots.get("refused") else []
    if slots.get("like"):
        said.append(replies.unknown_model(slots["like"], catalog.suggest(slots["like"])))
    return said


def _training_file(state: State) -> FileCard | None:
    """The file of the plan, else the newest one to learn from."""
    rows = [file for file in state.files if file.role == "train"]
    named = state.plan.data.name if state.plan is not None else None
    return next((file for file in reversed(rows) if file.name == named), None) or (rows[-1] if rows else None)


def _test_file(state: State, wish: dict[str, Any]) -> FileCard | None:
    named = wish.get("data.test_source")
    return next((file for file in reversed(state.files) if file.name == named), None) if named else None


def _without_file(state: State, wish: dict[str, Any], extra: list[Reply], pending: str) -> Turn:
    plan = draft(wish)
    state = state.model_copy(update={"plan": plan, "problem": None})
    dataset = wish.get("data.source")
    paths = [path for path in wish if path not in ("task", "problem", "data.source", *PSEUDO_PATHS)]
    kept = plan_replies.noted(plan, [path for path in paths if value_at(plan, path) is not None])
    if dataset:
        reply = data_replies.hub_dataset(str(dataset), plan.task, plan, kept)
        effect = Effect(kind="read_hub", arguments={"dataset": str(dataset)})
        return Turn(state=state.model_copy(update={"pending": "hub:"}), replies=[*extra, reply], effects=[effect])
    if plan.task is None:
        reply = data_replies.ask_what(None)
    else:
        reply = data_replies.ask_for_file(plan.task, plan, kept, refused=pending.startswith("refused"))
    return Turn(state=state, replies=[*extra, reply])


def draft(wish: dict[str, Any]) -> Plan:
    """A plan with gaps: only what the words said."""
    plan = Plan()
    for path, value in wish.items():
        if path in PSEUDO_PATHS:
            continue
        try:
            plan = plan.changed({path: value})
        except (ValidationError, TypeError, AttributeError):
            continue
    if wish.get("preference") == "smaller" and plan.base_model:
        smaller = next_size(plan.base_model, plan.task, -1)
        plan = plan.changed({"base_model": smaller}) if smaller else plan
    return plan


def _with_file(
    state: State, train: FileCard, wish: dict[str, Any], extra: list[Reply], why: str, *, vague: bool
) -> Turn:
    question = _question(train, wish, vague=vague)
    if question is not None:
        plan = draft(wish | ({"task": train.guesses[0]["task"]} if not wish.get("task") and _sure(train) else {}))
        return Turn(state=state.model_copy(update={"plan": plan}), replies=[*extra, question])
    return Turn(
        state=state.model_copy(update={"pending": f"prepared:{why}"}),
        replies=extra,
        effects=[prepare(state, train, wish)],
    )


def _sure(file: FileCard) -> bool:
    return bool(file.guesses) and bool(file.guesses[0].get("task")) and float(file.guesses[0].get("score", 0)) >= SURE


def prepare(state: State, train: FileCard, wish: dict[str, Any]) -> Effect:
    """Ask the adviser for a plan."""
    test = _test_file(state, wish)
    full = {path: value for path, value in wish.items() if path != "data.test_source"}
    full |= _problem_of(train, wish)
    arguments = {"wish": full, "file": train.id, "test_file": test.id if test else None, "goal": state.goal}
    return Effect(kind="prepare_plan", arguments=arguments)


def _problem_of(train: FileCard, wish: dict[str, Any]) -> dict[str, Any]:
    """The kind of answer that belongs to the label column that was asked for."""
    label = wish.get("data.columns.label")
    if not label or wish.get("problem"):
        return {}
    guess = next(
        (
            guess
            for guess in train.guesses
            if (guess.get("columns") or {}).get("label") == label and guess.get("problem")
        ),
        None,
    )
    return {"problem": guess["problem"]} if guess else {}


def _question(file: FileCard, wish: dict[str, Any], *, vague: bool) -> Reply | None:
    """The one short question that must be answered before a plan; None when the data and the words are clear."""
    task = wish.get("task")
    guesses = [guess for guess in file.guesses if guess.get("task")]
    if not guesses:
        return data_replies.does_not_fit(file, task) if task else replies.out_of_scope("tabular")
    fitting = [guess for guess in guesses if task in (None, guess["task"])]
    if not fitting:
        return None if _columns_named(wish) else data_replies.does_not_fit(file, str(task))
    best = fitting[0]
    columns = (best.get("columns") or {}) | {
        path.removeprefix("data.columns."): value for path, value in wish.items() if path.startswith("data.columns.")
    }
    if (
        str(best["task"]).endswith("classification")
        and best["task"] != "token-classification"
        and not columns.get("label")
    ):
        return data_replies.labels_missing(file, str(best["task"]), " ".join(best.get("evidence", [])[:1]))
    if task is None and float(best.get("score", 0)) < SURE:
        return data_replies.ask_what(file)
    rivals = _rivals(fitting, best)
    if vague and rivals and float(best.get("score", 0)) - max(float(guess["score"]) for guess in rivals) < 0.15:
        labels = [str(guess["columns"]["label"]) for guess in (best, *rivals)]
        return data_replies.ask_which_label(file, labels)
    if (
        task is None
        and len({guess["task"] for guess in guesses if float(guess.get("score", 0)) >= float(best["score"]) - 0.1}) > 1
    ):
        return data_replies.ask_what(file)
    return None


def _columns_named(wish: dict[str, Any]) -> bool:
    return any(path.startswith("data.columns.") for path in wish)


def _rivals(guesses: Sequence[dict[str, Any]], best: dict[str, Any]) -> list[dict[str, Any]]:
    """Other label columns for the same task."""
    label = (best.get("columns") or {}).get("label")
    if best["task"] != "text-classification" or not isinstance(label, str):
        return []
    found: dict[str, dict[str, Any]] = {}
    for guess in guesses:
        other = (guess.get("columns") or {}).get("label")
        if isinstance(other, str) and other != label and float(guess.get("score", 0)) >= POSSIBLE:
            found.setdefault(other, guess)
    return list(found.values())


# ---------------------------------------------------------------- the adviser's answer


def prepared(state: State, event: PlanPrepared) -> Turn:
    """The plan came: show it, what changed, and why it cannot run where it cannot."""
    why = (state.pending or "").removeprefix("prepared:") if (state.pending or "").startswith("prepared:") else "new"
    state = state.model_copy(update={"pending": None})
    if event.file is not None:
        files = [event.file if file.id == event.file.id else file for file in state.files]
        state = state.model_copy(update={"files": files})
    if event.problem is not None and event.plan.base_model is None:
        return _no_plan(state, event)
    before, after = state.plan, _attributed(event.plan, state.guessed)
    said: list[Reply] = []
    if why.startswith("improve:"):
        after = _proposed(after, before, why.removeprefix("improve:"))
    if before is not None and before.base_model is not None and why.startswith(("change", "fix", "improve")):
        state = _remember(state, before, mended=why.startswith("fix"))
        if why.startswith(("change", "improve")):
            said.append(Reply(text=_what_changed(state, before, after)))
    state = state.model_copy(
        update={"plan": after, "problem": event.problem, "nearest": event.nearest, "starter": event.starter}
    )
    if event.problem is not None:
        options = [*_way_out(event.nearest), *([buttons.UNDO] if why.startswith("change") else [])]
        said.append(plan_replies.cannot_run(after, event.problem, options, event.nearest))
        return Turn(state=state, replies=said)
    card = plan_replies.plan_card(after, event.estimate, event.advice, runnable=after.task in RUNNABLE_TASKS)
    if event.starter is not None:
        card = starter.offered(card, event.starter)
    said.append(card)
    other = _other_labels(state, after) if why.startswith("new") else []
    if other:
        said.append(_keeping_options(plan_replies.other_reading(other), card))
    if why.endswith("+start"):
        return _start_at_once(state, said, event)
    return Turn(state=state, replies=said)


def _what_changed(state: State, before: Plan, after: Plan) -> str:
    paths = changed_paths(before, after)
    text = plan_replies.changes(before, after, paths)
    file = _training_file(state)
    if file is not None and state.wish.get("preference") == "more accurate" and set(paths) <= {"training.max_minutes"}:
        text += " " + plan_replies.only_more_time(file.profile["rows"])
    return text


def _way_out(nearest: dict[str, Any]) -> list[Option]:
    return [buttons.NEAREST] if nearest else []


def _keeping_options(reply: Reply, card: Reply) -> Reply:
    """Only the newest message has buttons: the card's come first."""
    return reply.model_copy(update={"options": [*card.options[:1], *reply.options, *card.options[1:]]})


def _other_labels(state: State, plan: Plan) -> list[str]:
    """Label columns that could also have been meant, when the words did not name one."""
    file = _training_file(state)
    label = plan.data.columns.get("label")
    if file is None or not isinstance(label, str) or "data.columns.label" in state.wish or _names_it(state.goal, label):
        return []
    best = next((guess for guess in file.guesses if (guess.get("columns") or {}).get("label") == label), None)
    others = [str(guess["columns"]["label"]) for guess in _rivals(file.guesses, best)] if best else []
    return [name for name in others if name not in plan.data.columns.values()]


def _names_it(goal: str, label: str) -> bool:
    words = goal.casefold()
    return any(part in words for part in label.casefold().replace("_", " ").split() if len(part) > 3)


def _no_plan(state: State, event: PlanPrepared) -> Turn:
    update: dict[str, Any] = {}
    if state.plan is None or state.plan.base_model is None:
        update["plan"] = event.plan if event.plan.task else draft(state.wish)
    return Turn(state=state.model_copy(update=update), replies=[replies.error(event.problem or {})])


def _start_at_once(state: State, said: list[Reply], event: PlanPrepared) -> Turn:
    """A yes was given together with the wish; it holds unless something speaks against the plan."""
    if event.advice:
        said.append(
            Reply(
                text="You asked me to start at once, but please read the note above first: say “start” if it is all "
                "right.",
                options=[buttons.START, buttons.EXPLAIN],
            )
        )
        return Turn(state=state, replies=said)
    turn = start(state)
    return turn.model_copy(update={"replies": [*said, *turn.replies]})


def _attributed(plan: Plan, guessed: Sequence[str]) -> Plan:
    """The plan with the truth about the choices that a second reader took from unclear words."""
    said = "A second reader took your words for this."
    reasons = {path: said for path in guessed if plan.reasons.get(path) == ASKED}
    return plan.changed({"reasons": {**plan.reasons, **reasons}}) if reasons else plan


def _proposed(after: Plan, before: Plan | None, run: str) -> Plan:
    """The plan whose changes were proposed, not asked for."""
    if before is None:
        return after
    changed, asked = changed_paths(before, after), ASKED
    reasons = {
        path: f"My proposal after run {run}." if path in changed else before.reasons.get(path, asked)
        for path, reason in after.reasons.items()
        if reason == asked and before.reasons.get(path) != asked
    }
    return after.changed({"reasons": {**after.reasons, **reasons}}) if reasons else after


def changed_paths(before: Plan, after: Plan) -> list[str]:
    """Dotted paths whose values differ, reasons and what follows from the file left aside."""
    silent = (
        "reasons",
        "version",
        "data.source",
        "data.test_source",
        "training.micro_batch_size",
        "compute.expected_seconds",
    )
    left, right = _flat(before.model_dump()), _flat(after.model_dump())
    return [
        path
        for path in right | left
        if left.get(path) != right.get(path) and path not in silent and not path.startswith("reasons.")
    ]


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in tree.items():
        path = f"{prefix}{key}"
        found |= _flat(value, path + ".") if isinstance(value, dict) else {path: value}
    return found


def _remember(state: State, before: Plan, *, mended: bool = False) -> State:
    """Put the plan at hand into the history; its wish was put there when the change was asked for.

    Args:
        mended: the newest file is a mended copy of the one that the plan was made for.
    """
    wishes = state.wishes if len(state.wishes) > len(state.history) else [*state.wishes, state.wish]
    train = _training_file(state)
    known = [*state.learned_from, *[""] * len(state.history)][: len(state.history)]
    files = [*known, "" if train is None else train.mends if mended else train.id]
    return state.model_copy(
        update={
            "history": [*state.history, before][-MAX_HISTORY:],
            "wishes": wishes[-MAX_HISTORY:],
            "learned_from": files[-MAX_HISTORY:],
        }
    )


# ---------------------------------------------------------------- changes


def change(state: State, text: str, wanted: Intent, files_now: Sequence[FileCard]) -> Turn:
    """A change of the plan at hand."""
    slots = wanted.slots
    paths = {path: value for path, value in slots.items() if is_plan_path(path)}
    extra = _extra_replies(slots)
    starts = slots.get("then") == "start"
    if not paths:
        if starts:
            return start(state)
        return Turn(state=state, replies=extra or [plan_replies.waiting(state.plan)])
    if state.plan is None:
        return request(state, text, wanted, files_now, "")
    state = _as_test_file(state, paths)
    wish = _merged(state.wish, slots, state.plan)
    train = _training_file(state)
    if train is None:
        return _change_draft(state, wish, extra)
    complete = state.plan is not None and state.plan.base_model is not None
    wishes = [*state.wishes[: len(state.history)], state.wish] if complete else state.wishes
    state = state.model_copy(update={"wish": wish, "wishes": wishes})
    why = ("change" if complete else "new") + ("+start" if starts else "")
    return _with_file(state, train, wish, extra, why, vague=False)


def _as_test_file(state: State, paths: dict[str, Any]) -> State:
    """A file that is named as the test file is no longer one to learn from."""
    name = paths.get("data.test_source")
    if not name:
        return state
    files = [file.model_copy(update={"role": "test"}) if file.name == name else file for file in state.files]
    if not any(file.role == "train" for file in files):
        return state
    return state.model_copy(update={"files": files})


def _change_draft(state: State, wish: dict[str, Any], extra: list[Reply]) -> Turn:
    before = state.plan or Plan()
    after = draft(wish)
    state = _remember(state.model_copy(update={"wishes": [*state.wishes[: len(state.history)], state.wish]}), before)
    state = state.model_copy(update={"wish": wish, "plan": after})
    line = plan_replies.changes(before, after, changed_paths(before, after))
    if wish.get("preference") and not changed_paths(before, after):
        line = f"Noted: {wish['preference']}. It shapes the plan as soon as I see your data."
    ask = (
        f" Please upload the data: {data_replies._WANTED[after.task]}."
        if after.task in TASKS
        else " What should the model learn?"
    )
    return Turn(state=state, replies=[*extra, Reply(text=line + ask)])


def undo(state: State) -> Turn:
    """Take the last change back: of the plan, or of the data where there is no plan yet."""
    last = _training_file(state)
    if not state.history and last is not None and last.mends:
        files = [file for file in state.files if file is not last]
        state = state.model_copy(update={"files": files})
        whole = _training_file(state)
        if whole is not None:
            said = [data_replies.unmended(whole)]
            if state.plan is None or state.plan.base_model is None:
                return Turn(state=state, replies=said)
            state = state.model_copy(update={"pending": "prepared:new"})
            return Turn(state=state, replies=said, effects=[prepare(state, whole, state.wish)])
    if not state.history and last is not None and "data.columns.group" in state.wish:
        wish = {path: value for path, value in state.wish.items() if path != "data.columns.group"}
        state = state.model_copy(update={"wish": wish, "pending": "prepared:new"})
        return Turn(state=state, effects=[prepare(state, last, wish)])
    if not state.history or state.plan is None:
        return Turn(state=state, replies=[plan_replies.nothing_to_undo()])
    before, after = state.plan, state.history[-1]
    wish = state.wishes[-1] if len(state.wishes) >= len(state.history) else state.wish
    files = _files_without_mended(state)
    state = state.model_copy(
        update={
            "plan": after,
            "problem": None,
            "nearest": {},
            "history": state.history[:-1],
            "wishes": state.wishes[:-1],
            "learned_from": state.learned_from[: len(state.history) - 1],
            "wish": wish,
            "files": files,
        }
    )
    line = plan_replies.undone(before, after, changed_paths(before, after))
    whole = _training_file(state)
    if whole is not None and whole is not last:
        line = data_replies.unmended(whole).text + line.removeprefix("Taken back.")
    options = [buttons.START, buttons.EXPLAIN] if after.base_model else []
    return Turn(state=state, replies=[Reply(text=line, options=options)])


def _files_without_mended(state: State) -> list[FileCard]:
    """When the last change was a mended copy of the data, the file before it is the one to learn from again."""
    last = _training_file(state)
    before = state.learned_from[-1] if len(state.learned_from) == len(state.history) else ""
    undone = last is not None and before and last.mends == before
    return [file for file in state.files if file is not last] if undone else state.files


def starter_came(turn: Turn) -> Turn:
    """The base model that the plan waited for is here: the plan once more, now to be started."""
    state = turn.state
    train = _training_file(state)
    if train is None or state.plan is None or state.plan.base_model is None:
        return turn
    state = state.model_copy(update={"pending": "prepared:starter"})
    return turn.model_copy(update={"state": state, "effects": [prepare(state, train, state.wish)]})


def data_fixed(state: State, file: FileCard, code: str) -> Turn:
    """A mended copy of the data came: plan again where there was a plan."""
    old = _training_file(state)
    before = int(old.profile.get("rows") or 0) if old else 0
    state = state.model_copy(update={"files": [*state.files, file][-10:], "pending": None})
    said = [data_replies.fixed(file, before, code)]
    if state.plan is None or state.plan.base_model is None:
        return Turn(state=state, replies=said)
    state = state.model_copy(update={"pending": f"prepared:fix:{code}"})
    return Turn(state=state, replies=said, effects=[prepare(state, file, state.wish)])


# ---------------------------------------------------------------- after a run


#: What makes a run's plan its own, when another plan is at hand by now.
_OF_A_RUN = (
    "task", "problem", "base_model", "method.name", "method.layers", "method.rank", "training.epochs",
    "training.max_length", "training.batch_size", "training.learning_rate", "training.class_weights",
)  # fmt: skip


def improved(state: State, plan: Plan | None, changes: dict[str, Any]) -> Effect | None:
    """Ask for the plan of a run with a few changes; None where its file is not here to plan with."""
    train = _training_file(state)
    if plan is None or train is None or train.name != plan.data.name or state.plan is None:
        return None
    wish = dict(state.wish)
    if any(value_at(state.plan, path) != value_at(plan, path) for path in _OF_A_RUN):
        wish = {path: value_at(plan, path) for path in _OF_A_RUN if value_at(plan, path) is not None}
        wish |= {f"data.columns.{role}": names for role, names in plan.data.columns.items()}
    if plan.data.test_name:
        wish["data.test_source"] = plan.data.test_name
    dropped = set(_REOPENED["more accurate"]) if "method.name" in changes or "base_model" in changes else set()
    if dropped and plan.training.max_length:
        changes = {"training.max_length": plan.training.max_length} | changes  # as much of each text as before
    wish = {path: value for path, value in wish.items() if path not in (*dropped, "preference")}
    return prepare(state, train, wish | changes)


# ---------------------------------------------------------------- measure first


def measure(state: State) -> Turn:
    """A few real steps before the start, to correct the estimate."""
    plan, train = state.plan, _training_file(state)
    if plan is None or train is None or plan.gaps() or plan.task not in RUNNABLE_TASKS:
        return Turn(state=state, replies=[plan_replies.gaps(plan.gaps() if plan is not None else ["data.source"])])
    if state.problem is not None:
        options = _way_out(state.nearest)
        return Turn(state=state, replies=[plan_replies.cannot_run(plan, state.problem, options, state.nearest)])
    arguments = {"plan": plan.model_dump(mode="json"), "file": train.id}
    return Turn(state=state, replies=[plan_replies.measuring()], effects=[Effect(kind="measure", arguments=arguments)])


def was_measured(state: State, data: dict[str, Any]) -> Turn:
    """The trial is over: the plan with the corrected estimate."""
    plan = state.plan
    if plan is None or plan.fingerprint() != data.get("plan"):
        return Turn(state=state, replies=[Reply(text=str(data.get("text") or ""))])
    plan = plan.changed({"compute.expected_seconds": data.get("expected_seconds")})
    said = plan_replies.measured(plan, str(data.get("text") or ""), data.get("estimate") or {})
    return Turn(state=state.model_copy(update={"plan": plan}), replies=[said])


# ---------------------------------------------------------------- start


def start(state: State) -> Turn:
    """A yes to the plan at hand."""
    plan = state.plan
    if plan is None or (plan.task is None and not state.files):
        if plan is not None and plan.data.source:
            return Turn(state=state, replies=[plan_replies.gaps(["task", "data.source"])])
        return Turn(state=state, replies=[plan_replies.plan_first()])
    if plan.task is not None and plan.task not in RUNNABLE_TASKS:
        return Turn(state=state, replies=[Reply(text=plan_replies.not_runnable(plan.task), options=[buttons.EXPLAIN])])
    if state.problem is not None:
        options = [*_way_out(state.nearest), *([buttons.UNDO] if state.history else [])]
        return Turn(state=state, replies=[plan_replies.cannot_run(plan, state.problem, options, state.nearest)])
    if state.starter is not None:
        return starter.needed_first(state)
    missing = plan.gaps()
    if missing or _training_file(state) is None:
        return Turn(state=state, replies=[plan_replies.gaps(missing or ["data.source"])])
    before = sum(run.status in ("queued", "running") for run in state.runs)
    effect = Effect(kind="start_run", arguments={"plan": plan.model_dump(mode="json")})
    return Turn(
        state=state.model_copy(update={"pending": "run:start"}),
        replies=[plan_replies.starting(before)],
        effects=[effect],
    )
