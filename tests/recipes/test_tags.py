"""Tag schemes, sub-tokens lined up with words, and figures: held to a library and to what is said of them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nervaluate import Evaluator

from recipes.parts import tag_metrics, tag_rivals, tagged, tags, words
from recipes.parts.tag_training import labels_of
from recipes.parts.tag_variation import Variation
from recipes.parts.tags import Span
from recipes.plan import Plan
from tests.recipes.tag_runs import as_marked_texts, make_sentences

KINDS = ("LOC", "ORG", "PER")


@st.composite
def sentences(draw: Any, touching: bool = True) -> tuple[list[Span], int]:
    """Spans of a sentence, and how many words it has."""
    spans: list[Span] = []
    place = 0
    for _ in range(draw(st.integers(0, 4))):
        start = place + draw(st.integers(0 if touching else 1, 2))
        place = start + draw(st.integers(1, 3))
        spans.append((start, place, draw(st.sampled_from(KINDS))))
    return spans, place + draw(st.integers(1, 2))


def in_scheme(spans: list[Span], count: int, scheme: str) -> list[str]:
    """Tags of a sentence as other programs write them."""
    found = ["O"] * count
    for start, end, kind in spans:
        letters = {
            "bio": ["B", *"I" * (end - start - 1)],
            "bioes": ["S"] if end - start == 1 else ["B", *"I" * (end - start - 2), "E"],
            "bilou": ["U"] if end - start == 1 else ["B", *"I" * (end - start - 2), "L"],
            "io": [""] * (end - start),
        }[scheme]
        found[start:end] = [f"{letter}-{kind}" if letter else kind for letter in letters]
    return found


@pytest.mark.parametrize("scheme", ["bio", "bioes", "bilou"])
@given(data=st.lists(sentences(), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_a_scheme_says_which_words_belong_together(scheme: str, data: list[tuple[list[Span], int]]) -> None:
    """Whatever scheme the same entities are written in, they are read alike, and nothing is taken for broken."""
    written = [in_scheme(spans, count, scheme) for spans, count in data]
    reading = tags.read(written)
    assert reading.spans == [spans for spans, _ in data]
    assert reading.repaired == {}


@given(data=st.lists(sentences(touching=False), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_tags_without_marks_join_words_of_one_type(data: list[tuple[list[Span], int]]) -> None:
    reading = tags.read([in_scheme(spans, count, "io") for spans, count in data])
    assert reading.spans == [spans for spans, _ in data]
    assert reading.repaired == {}


@given(sentences())
@settings(max_examples=60, deadline=None)
def test_bio_there_and_back(sentence: tuple[list[Span], int]) -> None:
    spans, count = sentence
    assert tags.spans_of(tags.bio(spans, count)) == spans


@given(st.lists(st.lists(st.sampled_from(["B-A", "I-A", "E-A", "S-B", "I-B", "L-B", "B", "A", "O", "", "junk"]),
                         min_size=1, max_size=8), min_size=1, max_size=4))  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_any_tags_give_spans_that_can_be_learned(data: list[list[str]]) -> None:
    """Broken tags never give spans that overlap or leave the sentence; written in BIO, they are read the same."""
    reading = tags.read(data)
    for row, spans in zip(data, reading.spans, strict=True):
        assert all(0 <= start < end <= len(row) for start, end, _ in spans)
        assert all(one[1] <= two[0] for one, two in itertools.pairwise(spans))
        plain = reading.scheme == "plain"
        assert tags.spans_of(tags.bio(spans, len(row), plain), plain) == spans


def test_broken_sequences_are_counted() -> None:
    reading = tags.read([["B-PER", "I-PER", "O"], ["O", "I-LOC", "O", "B-PER"]])
    assert (reading.scheme, reading.repaired) == ("bio", {1: 1})
    assert reading.spans[1] == [(1, 2, "LOC"), (3, 4, "PER")]
    assert tags.read([["I-A", "B-A", "O"], ["I-B", "I-B", "O"]]).scheme == "iob1"
    assert tags.read([["NOUN", "VERB"], ["NOUN", "NOUN"]]).spans == [[(0, 1, "NOUN"), (1, 2, "VERB")],
                                                                    [(0, 1, "NOUN"), (1, 2, "NOUN")]]  # fmt: skip


# Sub-tokens


@pytest.fixture(scope="module")
def letters() -> Any:
    """A tokenizer that cuts every word into its letters, with special tokens around."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = [chr(97 + place) for place in range(26)] + list(",.")
    every = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *alphabet, *(f"##{letter}" for letter in alphabet)]
    tokenizer = Tokenizer(models.WordPiece({word: place for place, word in enumerate(every)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
                                   sep_token="[SEP]", model_max_length=512)  # fmt: skip


@given(st.lists(st.lists(st.text("abcxyz,.", min_size=1, max_size=6), min_size=1, max_size=25), min_size=1, max_size=4),
       st.sampled_from([6, 9, 20, 64]))  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_each_word_has_one_label_on_its_first_sub_token(letters: Any, data: list[list[str]], longest: int) -> None:
    """Also where a text is read in windows: no word twice, none lost, and the token is the word's first letter."""
    laid = [tagged._laid_out(row) for row in data]
    found = words.encode(letters, [text for text, _ in laid], [places for _, places in laid], longest)
    flat = [word for row in data for word in row]
    assert sorted(found.numbers.tolist()) == list(range(len(flat)))
    assert max(found.lengths) <= longest
    for row in range(len(found)):
        batch = found.batch(np.array([row]))["input_ids"][0].tolist()
        assert (batch[0], batch[-1]) == (2, 3)
        _, places, numbers = found.picked(np.array([row]))
        first = [letters.convert_ids_to_tokens(batch[place]) for place in places]
        assert first == [flat[number][0] for number in numbers]


def test_a_word_in_two_windows_is_read_where_more_stands_around_it(letters: Any) -> None:
    text, places = tagged._laid_out(["ab"] * 40)
    found = words.encode(letters, [text], [places], longest=34)  # 32 letters a window, 8 of them shared
    assert len(found) == 3 and len(found.numbers) == 40
    owner = np.repeat(np.arange(3), np.diff(found.firsts))
    assert [int(found.numbers[owner == number].max()) for number in range(3)] == [13, 25, 39]


def test_tokens_of_two_words_belong_to_the_first() -> None:
    """Byte-level tokenizers join marks; a word that no token stands for alone has none."""
    assert words.first_tokens([(0, 3), (3, 5)], [(0, 3), (3, 4), (4, 5)]).tolist() == [0, 1, -1]
    assert words.first_tokens([(0, 0), (0, 4), (4, 8)], [(1, 4), (5, 8)]).tolist() == [1, 2]


# Rows


def read(rows: list[dict[str, Any]], **columns: str) -> tuple[tagged.Tagged, list[str]]:
    said: list[str] = []
    plan = Plan().changed({"task": "token-classification", "data.columns": columns})
    return tagged.tagged_rows(rows, plan, lambda _code, text: said.append(text), "file", said.append), said


def test_marked_texts_give_the_sentences_of_tagged_words() -> None:
    """Places in characters and tags of words are two ways to write one thing; spaCy's triples are a third."""
    rows = make_sentences(30, {"fruit": ["apple", "plum"], "metal": ["iron"]}, ["the", "a", "of"])
    marked = as_marked_texts(rows)
    triples = [{"text": row["text"], "entities": [list(each.values()) for each in row["entities"]]} for row in marked]
    first, _ = read(rows, tokens="tokens", tags="tags")
    for other in (marked, triples):
        second, said = read(other, text="text", tags="entities")
        assert (second.texts, second.words, second.spans, said) == (first.texts, first.words, first.spans, [])


def test_rows_that_cannot_be_used_are_counted_and_places_mended() -> None:
    rows = [
        {"text": "Maria lives in Oslo.", "entities": [{"start": 0, "end": 4, "label": "PER"},
                                                       {"start": 0, "end": 5, "label": "PER"},
                                                       {"start": 15, "end": 20, "label": "LOC"},
                                                       {"start": 90, "end": 95, "label": "LOC"}]},
        {"text": "", "entities": []}, {"text": "Nobody.", "entities": [{"begin": "x"}]},
    ]  # fmt: skip
    found, said = read(rows, text="text", tags="entities")
    assert found.spans == [[(0, 1, "PER"), (3, 5, "LOC")]]
    assert found.written(0) == ["Maria", "lives", "in", "Oslo", "."]
    assert "2 of 3 rows" in said[-1] and "2 entities overlap" in said[0]
    found, said = read(
        [{"w": ["a", "b"], "t": ["O"]}, {"w": ["New", "York"], "t": ["B-LOC", "I-LOC"]}], tokens="w", tags="t"
    )
    assert found.numbers == [2] and "more words than tags" in said[0]


def test_marks_that_stick_to_words_are_noticed() -> None:
    glued, _ = read(
        [{"w": ["Broadway,", "New", "York,", "NY"], "t": ["B-S", "B-C", "I-C", "B-Z"]}], tokens="w", tags="t"
    )
    apart, _ = read([{"w": ["York", ",", "NY", "."], "t": ["B-C", "O", "B-Z", "O"]}], tokens="w", tags="t")
    assert (glued.spaced, apart.spaced) == (True, False)
    assert [text for text in ("在北京", "ab-c") for _ in tagged.split_words(text, False)] == ["在北京"] * 3 + [
        "ab-c"
    ] * 3


# Figures


@given(st.lists(st.tuples(sentences(), sentences()), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_figures_are_those_of_a_library(data: list[tuple[tuple[list[Span], int], tuple[list[Span], int]]]) -> None:
    """Strict entity counts of nervaluate (SemEval 2013): type and both ends must be right."""
    lengths = [max(one[1], two[1]) for one, two in data]
    truth, found = ([pair[side][0] for pair in data] for side in (0, 1))
    ours = tag_metrics.count(truth, found, lengths)

    def listed(spans: list[list[Span]]) -> list[list[dict[str, Any]]]:
        return [[{"label": kind, "start": start, "end": end - 1} for start, end, kind in each] for each in spans]

    theirs = Evaluator(listed(truth), listed(found), tags=list(KINDS), loader="dict").evaluate()["overall"]["strict"]
    assert ours.right.sum() == theirs.correct
    assert ours.value("entity_precision") == pytest.approx(theirs.precision)
    assert ours.value("entity_recall") == pytest.approx(theirs.recall)
    assert ours.value("entity_f1") == pytest.approx(theirs.f1)
    for name, each in tag_metrics.figures(ours).items():
        assert each.low is not None and each.high is not None and each.low <= each.value <= each.high, name


def test_figures_by_type_and_mistakes() -> None:
    rows = [
        {"w": ["Maria", "saw", "Oslo"], "t": ["B-PER", "O", "B-LOC"]},
        {"w": ["New", "York"], "t": ["B-LOC", "I-LOC"]},
    ]
    read_rows, _ = read(rows, tokens="w", tags="t")
    found = [[(0, 1, "PER")], [(1, 2, "LOC")]]
    counts = tag_metrics.count(read_rows.spans, found, [3, 2])
    place, person = tag_metrics.per_type(counts)
    assert (place.label, place.rows, place.f1, person.f1) == ("LOC", 2, 0.0, 1.0)
    assert counts.words.tolist() == [[2, 3], [1, 2]]
    names = ["O", "B-LOC", "I-LOC", "B-PER"]
    sure = [np.array([[0, 0, 0, 1], [1, 0, 0, 0], [0.6, 0.4, 0, 0]]), np.array([[0.9, 0.1, 0, 0], [0.1, 0.9, 0, 0]])]
    wrong = tag_metrics.mistakes(read_rows, [0, 1], found, sure, names)
    assert [(each.row, each.expected, each.predicted) for each in wrong] == [
        (2, "LOC: New York", "LOC: York"), (1, "LOC: Oslo", "no entity")]  # fmt: skip
    assert wrong[0].confidence == pytest.approx(0.9)


# What a model must beat


def test_the_random_field_learns_what_stands_around_a_word() -> None:
    """A word that is a name only after "in" is beyond a list of words, and within reach of the field."""
    rows = [{"w": ["we", "met", *(["in"] if number % 2 else []), "may"], "t": []} for number in range(60)]
    for row in rows:
        row["t"] = ["O"] * (len(row["w"]) - 1) + ["B-LOC" if "in" in row["w"] else "O"]
    data, _ = read(rows, tokens="w", tags="t")
    asked = list(range(40, 60))
    right = [data.tags(row) for row in asked]
    assert tag_rivals.ask("crf", data, list(range(30)), list(range(30, 40)), asked) == right
    assert tag_rivals.ask("most_frequent_tag", data, list(range(40)), [], asked) != right


def test_each_pass_sees_other_words_with_the_same_tags(letters: Any) -> None:
    """Words give way to words of their tag and are hidden; labels stay with first sub-tokens; a pass comes again."""
    rows = make_sentences(60, {"fruit": ["apple", "plum", "pear"], "metal": ["iron", "zinc"]}, ["the", "of", "we"])
    data, _ = read(rows, tokens="tokens", tags="tags")
    names = ["O", "B-fruit", "I-fruit", "B-metal", "I-metal"]
    labels = labels_of(data, names)
    windows = words.encode(letters, data.texts, data.words, 64)
    vary = Variation(windows, labels, np.arange(60), 0, letters.unk_token_id, 7)
    right = {name: {word for row in rows for word, tag in zip(row["tokens"], row["tags"], strict=True) if tag == name}
             for name in names}  # fmt: skip
    changed = hidden = 0
    for row in range(60):
        ids, places = vary.window(row, epoch=1)
        again, _ = vary.window(row, epoch=1)
        assert ids.tolist() == again.tolist() and (ids[0], ids[-1]) == (2, 3)
        ends = [*places[1:].tolist(), len(ids) - 1]
        found = [
            letters.decode(ids[place:end]).replace(" ", "").replace("##", "")
            for place, end in zip(places, ends, strict=True)
        ]
        hidden += sum(word == "[UNK]" for word in found)
        changed += found != rows[row]["tokens"]
        for word, name in zip(found, rows[row]["tags"], strict=True):
            assert word == "[UNK]" or word in right[name], (word, name)
    assert changed > 20 and hidden > 10
    batch = vary.batch(np.arange(4), np.array([True, True, True, False]), 1, np.ones(len(labels), dtype=np.float32))
    assert [(line >= 0).sum().item() for line in batch["labels"]] == [*map(len, (r["tokens"] for r in rows[:3])), 0]
    assert (batch["weights"] > 0).eq(batch["labels"] >= 0).all()
