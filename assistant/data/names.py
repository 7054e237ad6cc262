"""The names that people give to columns, by what the column is for; compared in lower case, words joined by _."""

from __future__ import annotations

import re


def words(text: str) -> tuple[str, ...]:
    """The words of a text, in order."""
    return tuple(text.split())


def key_of(name: str) -> str:
    """A column's name for comparison: lower case, words joined by underscores."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")


TEXT = words(
    "text review comment message body content sentence tweet post description feedback question article document email "
    "mail sms utterance query headline title subject abstract complaint note reviewtext review_text complaint_text"
)
TITLE = words("subject title headline summary betreff titel")
BODY = words("body text content message review description abstract article selftext inhalt")
LABEL = words(
    "label labels class classes category categories sentiment topic topics tag tags target intent emotion department "
    "genre y output gold mood polarity language lang is_spam spam toxic type product_category"
)
RATING = words("score rating stars star grade points overall rate mark")
#: Columns that could be predicted but are more often said about a row in passing.
LESSER = words("status priority urgency severity level split source author user name gender country city region")
SPEECH = words("transcription transcript sentence text normalized_text caption utterance")
SHORT = words("summary summaries highlights headline title abstract_short tldr target")
LONG = words("article document text description body content dialogue source story report")
PROMPT = words("instruction prompt question query input user request problem")
ANSWER = words("output completion response answer reply answers assistant target solution")
LANGUAGE = words(
    "en de fr es it pt nl sv da no fi pl cs hu ro tr ru uk zh ja ko ar he hi id vi english german french spanish "
    "italian portuguese dutch swedish danish norwegian finnish polish czech hungarian romanian turkish russian "
    "ukrainian chinese japanese korean arabic hebrew hindi"
)
PAIRS = (
    ("sentence1", "sentence2"), ("sentence_a", "sentence_b"), ("text1", "text2"), ("text_a", "text_b"),
    ("question1", "question2"), ("premise", "hypothesis"), ("s1", "s2"), ("sent1", "sent2"), ("query", "passage"),
)  # fmt: skip

#: What a column is called that says where a row comes from: of whom, of what.
_ORIGIN = frozenset(
    words(
        "user username author patient subject participant respondent speaker voice singer customer client reviewer "
        "person people student teacher employee member account session conversation thread dialog dialogue document "
        "doc article book file filename source site website domain device camera hospital clinic recording interview "
        "household family group animal plant slide scan case poster sender writer annotator"
    )
)
_NUMBERING = frozenset(words("id ids no nr number num key code hash name uid uuid index handle of the"))


def is_origin(name: str) -> bool:
    """Whether a column is called like a person or a source that rows come from: speaker, patient_id, FileName."""
    parts = set(re.split(r"_+|(?<=[a-z])(?=\d)", key_of(name)))
    return bool(parts & _ORIGIN) and parts <= _ORIGIN | _NUMBERING


#: Any of these in a first row tells that it is a header.
IN_HEADERS = frozenset(
    (
        *(*TEXT, *LABEL, *RATING, *SPEECH, *SHORT, *PROMPT, *ANSWER, *sum(PAIRS, ())),
        *words("id tokens ner_tags context chosen rejected file file_name filename path image audio date name"),
    )
) - {"y", "no", "mark", "spam", "toxic", "rate", "user", "problem"}
