"""The buttons that stand under many answers: a label, and the words that a click says."""

from __future__ import annotations

from assistant.chat.turns import Option

START = Option(label="Start", say="start")
FASTER = Option(label="Faster", say="faster")
ACCURATE = Option(label="More accurate", say="more accurate")
EXPLAIN = Option(label="Explain", say="explain the plan")
STATUS = Option(label="How is it going?", say="how is it going?")
REPORT = Option(label="Show the report", say="show the report")
TRY = Option(label="Try it", say="try it")
DOWNLOAD = Option(label="Download", say="download the model")
IMPROVE = Option(label="Improve", say="improve the result")
RESUME = Option(label="Resume", say="resume")
CHECK = Option(label="Check my data", say="check my data")
EXAMPLE = Option(label="Spam or not", say="try the spam example")
UNDO = Option(label="Undo", say="undo")
MEASURE = Option(label="Measure first", say="measure first")
NEAREST = Option(label="Take the plan that works", say="take the plan that works")
HELP = Option(label="What can you do?", say="what can you do?")
YES_DELETE = Option(label="Yes, delete it", say="yes, delete it")
NO = Option(label="No", say="no")
