"""What words say about the task: concepts of many domains as patterns with weights, known Hub data sets, hostile text.

A task is found in two steps: what the input is (text, image, audio), and what should come out (a class, a box, a text
…).
Adding a way of saying something is adding a word to one of these tables.
"""

from __future__ import annotations

import re
from functools import cache

from assistant.chat.words import words_of

# ---------------------------------------------------------------- what goes in

IMAGE = re.compile(
    r"\b(?:photo\w*|picture\w*|pics?|scanned|from (?:above|the air|space)|bird'?s[- ]eye|image\w*|imagery|x-?rays?"
    r"|scans?|mri|ct scans?|mammograms?|ultrasounds?"
    r"|microscop\w*|camera\w*|webcam|cctv|satellite|aerial|drone|tiles?"
    r"|pixel\w*|screenshots?|selfies?|portraits?|paintings?|drawings?|sketch\w*|thumbnails?|jpe?gs?|pngs?"
    r"|slides? of tissue|histolog\w*|endoscop\w*|retina\w*|fundus|dermoscop\w*"
    r"|moles?|leaf|leaves|handwrit\w*|signatures?|logos?|visual\w*|vision|snapshots?|footage|frames?|on sight"
    r"|looks like|looks? at|spectrogram images?|charts?|diagrams?|receipts?|x ?rayed|radiograph\w*)\b"
)
AUDIO = re.compile(
    r"\b(?:audio|(?<!they )(?<!it )(?<!should )(?<!must )(?<!to )(?<!which )sounds?(?! (?:like|as|friendl|polite|formal"
    r"|profession|natural|better|more|less|nice|good|human|right))|recordings?|recorded|voices?|spoken"
    r"|(?<!of )(?<!of-)(?<!hate )(?<!toxic )speech"
    r"|(?<!native )(?<!english )speak\w*"
    r"|acoustic\w*|noises?|clips?|wavs?|mp3s?|flac|podcasts?|dictat\w*|microphone|mic|songs?|music|melod\w*"
    r"|genres? of (?:music|songs?)|bird ?songs?|chirp\w*|cough\w*|heartbeats?|engine sounds?|hum|humming|barks?"
    r"|barking|wake ?words?|hot ?words?|keyword spotting|(?:voice|spoken|speech) commands?|bird ?calls?|stutter\w*"
    r"|stammer\w*"
    r"|lisps?|pronounc\w*|listen\w*|hear(?:s|d|ing)?|phone calls?|voicemails?|voice messages?|memos?|interviews?"
    r"|transcrib\w*|transcript\w*|pronunciation|accent\w*|said aloud|sung|singing|instruments?"
    r"|(?:frogs?|birds?|bats?|whales?|wol(?:f|ves)|insects?|animals?|crickets?|owls?|dolphins?|monkeys?|elephants?"
    r"|cows?)"
    r"(?:'s?)? (?:calls?|songs?|cries|noises?)"
    r"|(?:writ|typ)\w* (?:[\w'-]+ ){0,3}down (?:what|everything|all) (?:[\w'-]+ )?(?:say|says|said|tell|tells)"
    r"|(?:by|from) (?:its|their|the|his|her) (?:\w+ )?(?:calls?|cr(?:y|ies)|buzz(?:ing)?|howls?|roars?|croaks?)"
    r"|howl\w*|buzzing|croak\w*|roar(?:s|ing)?|purr\w*|meow\w*|moo(?:s|ing)?|chirr\w*|squeak\w*|rattl\w*"
    r"|snor(?:e|es|ing)|wheez\w*|footsteps|gunshots?|sirens?|whistl(?:e|es|ing)|loudspeakers?)\b"
)
TEXT = re.compile(
    r"\b(?:texts?|reviews?|e-?mails?|mails?|tickets?|messages?|tweets?|posts?|comments?|headlines?|news|articles?"
    r"|documents?|sentences?|paragraphs?|letters?|notes?|descriptions?|titles?|complaints?"
    r"|feedback|chats?|sms|abstracts?|papers?|contracts?|clauses?|reports?|answers?|questions?|queries|requests?"
    r"|inquir\w*|enquir\w*|essays?|poems?|lyrics|transcripts?|cv|cvs|resumes?|job ads?|products? names?"
    r"|words?|phrases?|statements?|claims?|summar\w*|invoices?|survey|surveys|forum|blog\w*|stories|story|books?"
    r"|jokes?|quotes?|logs?|snippets?|code|recipes?|symptoms|diagnos\w+ notes|subject lines?|utterances?)\b"
)

#: Kinds of models that write text, whatever else the words name.
LANGUAGE_MODEL = re.compile(r"\b(?:llms?|language models?|chat ?bots?|gpt[\w.-]*)\b")

#: What one photographs: with nothing else said, a model that tells these apart looks at pictures.
SEEN = re.compile(
    r"\b(?:breeds?|species|dogs?|cats?|birds?|animals?|insects?|butterfl\w+|fish(?:es)?|plants?|flowers?|trees?|leaves"
    r"|mushrooms?|fruits?|vegetables?|tomato(?:es)?|cars?|vehicles?|ships?|planes?|traffic signs?|(?<!hugging )faces?"
    r"|digits?|coins?"
    r"|stamps?|clothes|shoes|dishes|clouds?|rocks?|minerals?|buildings?|landmarks?|cracks?|welds?|bottles?)\b"
)

#: Words that come from a text, though they tell of sounds or pictures: "the genre of a song from its lyrics".
FROM_TEXT = re.compile(
    r"\b(?:(?:from|by|using|given|based on) (?:its|the|their|his|her|my|our|an?)? ?(?:\w+ )?(?:words|wording|texts?)"
    r"|(?:from|by|in|using|given|based on) (?:its|the|their|his|her|my|our|an?)? ?(?:\w+ )?(?:lyrics"
    r"|transcripts?|titles?|descriptions?|subtitles?|captions?|plots?|blurbs?|reviews?|comments?))\b"
)

# ---------------------------------------------------------------- what comes out

#: Concept -> (pattern, weight) rows; weights add up. `tasks` turns the concepts into tasks.
_CONCEPTS: dict[str, tuple[tuple[str, float], ...]] = {
    "classify": (
        (r"classif\w*|categori[sz]\w*|categor(?:y|ies)|sort(?:s|ed|ing)?\b|class(?:es)?\b", 1.5),
        (r"(?:tell|know|see|learn|show|spot|find)\w*(?: me)? (?:[\w'-]+ ){0,6}(?:apart|from|difference between"
         r"|the difference)", 1.2),
        (r"distinguish\w*|differentiat\w*|discriminat\w*|separat\w*|tell apart", 1.4),
        (r"recogni[sz]\w*|identif\w*|detect\w*|spot\w*|flag\w*|filter\w*|screen(?:s|ing)? (?:for|out)", 0.9),
        (r"which (?:kind|type|sort|class|category|department|team|topic|species|breed|language|author|person|one|of"
         r"|brand|model|style|genre|mood)", 1.1),
        (r"(?:what|which) (?:[\w'-]+ ){1,3}(?:is|are|does|belong\w*|it is|this is|was|gets?|goes)", 0.8),
        (r"what (?:kind|type|sort|species|breed|topic|language|emotion|genre|mood)", 1.1),
        (r"(?:which|what) (?:[\w'-]+ ){1,3}(?:wrote|said|made|sent|posted|painted|took|sang|composed)", 1.0),
        (r"whether|if (?:it|they|this|that|each|an?|the|one|someone|somebody) (?:[\w'-]+ ){0,4}(?:is|are|was|has|have"
         r"|shows?|contains?|will|says?|sounds?)", 0.9),
        (r"(?:is|are) (?:[\w'-]+ ){1,7}(?:for |from |by )?\w+ or \w+$", 0.9),
        (r"[\w'-]+ or (?:[\w'-]+ ){1,3}[\w'-]+ ?\?", 0.9),
        (r"\w+ or (?:an? |the )\w+\?|\w+ (?:or|vs\.?|versus|or not) \w+\?|\w+ or not\b|(?:^|, "
         r"|: )\w+ or \w+ ?(?:\w+)?(?:,|$|\?| please)", 0.9),
        (r"sentiment\w*|polarity|opinions?|mood\b|emotions?|happy ones|angry|toxic\w*|hate(?:ful)? speech|abusive"
         r"|sarcas\w*|tone of", 1.5),
        (r"(?:good|bad|positive|negative|great|poor) (?:and|or|from|versus|vs|ones)", 1.2),
        (r"(?:as|into|either|say|answers?|says|with) (?:an? )?[\w'-]+(?:, (?:an? )?[\w'-]+)*,? (?:or|vs\.?) (?:an? "
         r"|not )?[\w'-]+", 1.0),
        (r"who (?:is|was|are|were) (?:[\w'-]+ )?(?:speak|talk|sing|writ|call)\w*|which (?:speaker|person|voice|writer)",
         1.0),
        (r"spam|phishing|fraud\w*|fake|clickbait|junk|scam\w*", 1.5),
        (r"intents?\b|topics?|subjects?|genres?|departments?|urgency|urgent|priority|priorities|severity level", 1.0),
        (r"rout(?:e|es|ed|ing)|assign\w*|forward\w*|dispatch\w*|triage\w*|goes? to the right|to the (?:right|correct"
         r"|proper) \w+|belongs? to", 1.3),
        (r"label(?:s|led|ling|ing)?\b|tag(?:s|ged|ging)?\b|mark(?:s|ed|ing)? (?:each|every|them|it)|bucket\w*"
         r"|group(?:s|ed|ing)? (?:them|my|the|these|our|into|by)", 0.7),
        (r"predict\w*|guess\w*|decid\w*|determin\w*|figure out", 0.5),
        (r"(?:predict|guess|tell|know|decide|determine|say|learn|find out|figure out|see|estimate"
         r"|recogni[sz]e)\w* (?:[\w'-]+ ){0,6}?(?:which|who|whether|what kind|what type)\b", 0.9),
        (r"healthy|sick|disease\w*|defect\w*|broken|damaged|scratch\w*|ripe|normal|abnormal|pneumonia|cancer\w*"
         r"|tumou?rs?|benign|malignant|faulty|cracks?", 0.7),
        (r"species|breeds?|kinds? of|types? of|varieties|brand|churn|complaint\w* or|language (?:it is|is it"
         r"|detection|identification)", 0.7),
    ),
    "several_labels": (
        (r"multi-?label\w*|(?:several|multiple|many|more than one|different|2 or more"
         r"|any number of) (?:[\w'-]+ )?(?:labels?|tags?|topics?|categor\w*|classes|genres?|themes|emotions|keywords)",
          2.0),
        (r"(?:all|every|any) (?:of )?(?:the )?(?:[\w'-]+ )?(?:labels?|tags?|topics?|categor\w*|that (?:apply|fit"
         r"|match))",
         1.2),
        (r"(?:can|may|might|could|often|sometimes) (?:carry|have|belong to|be|get|fall into|fit|cover|touch"
         r"|match) (?:several|multiple|many|more than one|both|two or more|2 or more|a few|any)", 2.0),
        (r"more than one (?:at once|at the same time|each)|not mutually exclusive|at (?:once|the same time)|tag(?:s"
         r"|ging)? with all", 0.8),
    ),
    "number": (
        (r"(?<!logistic )regress\w*|(?:a|as a|real|continuous|decimal|exact|any|predict the"
        r"|the) (?:[\w'-]+ )?number\b(?! of (?!stars|points))"
         r"|numeric(?:al)?(?: value)?|not (?:a )?class(?:es)?|not categor\w*|no class(?:es)?", 2.0),
        (r"on a scale|from (?:0|1|zero|one) to (?:\d+)|between (?:0|1) and \d+|(?:score|rating|grade|points?"
         r"|percentage|value|price|degree|strength|intensity|severity|difficulty) (?:of|for|from|between|as a|like"
         r"|that)", 1.0),
        (r"how (?:strong|strongly|severe|difficult|hard|angry|happy|good|positive|much|many|likely|readable|complex"
         r"|expensive|helpful|old)", 0.9),
        (r"\b(?:like|such as|say|eg|e\.g\.) \d+\.\d+|decimals?\b|half stars?|in between", 1.5),
        (r"(?:marks?|grades?|points?|scores?) (?:from|between|of) \d|give (?:\w+ )?(?:marks|grades)", 2.0),
        (r"estimat\w*|number of stars|star rating|stars\b", 0.7),
    ),
    "boxes": (
        (r"bounding|box(?:es)?\b|object detection|detect(?:or|ion)? (?:of )?objects|rectangles?", 2.5),
        (r"where (?:[\w'-]+ ){0,4}(?:is|are|they|it)\b|locat\w*|position\w*|localis\w*|localiz\w*|draw (?:a )?(?:frame"
         r"|square)|coordinates", 1.6),
        (r"count(?:s|ed|ing)?\b|how many", 1.6),
        (r"(?:find|detect|spot|point out|mark|show|circle|locate) (?:[\w'-]+ ){0,1}(?:every|all|each|any|where|people"
         r"|cars|faces|persons|objects|vehicles|animals|helmets|pedestrians|plates)", 1.6),
    ),
    "pixels": (
        (r"pixel\w*|segment\w*|masks?\b|outlin\w*|silhouett\w*|contours?|cut(?:s|ting)? out|exact shape|shape of"
         r"|background remov\w*|remov\w* (?:the )?background|trace (?:the|around)|foreground|(?:from|off"
         r"|against) (?:the|its|their|any) background"
         r"|along (?:its|the|their) (?:exact )?(?:shape|outline|edges?|border)", 2.6),
        (r"(?:which|every) (?:part|area|region)s? of|area (?:that is |which is )?(?:covered|of)|colou?r(?:s"
         r"|ing)? in (?:the|every)|boundar(?:y|ies)|delineat\w*", 1.6),
    ),
    "look_and_talk": (
        (r"(?:photo|picture|image|screenshot|scan|chart)s?\b.{0,80}\b(?:ask\w*|questions?)\b.{0,60}\b(?:repl(?:y|ies)"
         r"|answers?|responses?)\b|(?:written|spoken) (?:repl(?:y|ies)|answers?) (?:about|on"
         r"|to) (?:[\w'-]+ ){0,4}(?:photo"
         r"|picture|image)s?", 3.0),
        (r"(?:photo|picture|image|chart|diagram|screenshot|scan|receipt|invoice|map|page)s? (?:[\w'-]+ ){0,4}(?:and"
        r"|plus"
         r"|with|together with) (?:an? |one |the |my |its )?(?:[\w'-]+ )?questions?|questions? (?:[\w'-]+ )?(?:and|plus"
         r"|with|together with) (?:an? |one |the )?(?:[\w'-]+ )?(?:photo|picture|image|chart|diagram|screenshot"
         r"|scan)s?|"
         r"answers? (?:[\w'-]+ ){0,3}questions? (?:[\w'-]+ ){0,2}(?:about|on)|questions? (?:about"
         r"|on) (?:[\w'-]+ ){0,4}(?:photo"
         r"|picture|image|chart|diagram|screenshot|scan|page|it)"
         r"|ask\w* (?:[\w'-]+ ){0,3}about (?:[\w'-]+ ){0,2}(?:photo"
         r"|picture|image|chart|diagram)", 3.0),
        (r"caption\w*|describ\w*|descriptions? (?:of|for|from)|alt[- ]texts?|explains? what|say what is (?:on|in)"
         r"|put into words|vqa|visual question"
         r"|(?:charts?|pictures?|images?|photos?|figures?|diagrams?|screenshots?) (?:question[- ]answering|q ?& ?a"
         r"|qa)\b", 2.4),
        (r"(?:what|which) (?:words? )?(?:is|are|stands?) (?:written|printed|shown|depicted|going on|happening"
         r"|to be seen) (?:on|in)|what (?:happens|goes on|there is to see|(?:one|you|we) can see|can be seen) (?:on|in)"
         r"|in (?:an?|one|1|few|some|its own|full|whole) (?:short |simple |full |whole )?(?:sentences?|words)", 2.2),
        (r"(?:photo|picture|image|scan|screenshot|receipt|invoice|form|chart)s? (?:[\w'-]+ ){0,3}(?:to|into) (?:json"
         r"|text"
         r"|a table|markdown|latex|html|code|fields|words|sentences?|csv)", 2.6),
        (r"read (?:[\w'-]+ ){0,4}(?:receipts?|invoices?|charts?|handwriting|forms?|meters?|screenshots?|tables?)|ocr\b"
         r"|vision[- ]language|vlm\b|multimodal|looks? at (?:[\w'-]+ ){1,4}and (?:answer|write|describe|explain|read"
         r"|(?:tell|say|give|return|output)s?\b(?![^.]* or )(?! (?:\w+ )?(?:if|whether|which|apart|the difference"
         r"|healthy|normal"
         r"|yes))"
         r"|extract|list)|(?:receipts?|forms?|labels|menus?|tables?|meters?"
         r"|screenshots?)"
         r" (?:[\w'-]+ ){1,10}(?:as|in) (?:json|csv|a table|fields|text|markdown)",
          2.4),
    ),
    "write_down": (
        (r"transcri\w*|speech[- ](?:to[- ]text|recognition)|asr\b|stt\b|voice[- ]to[- ]text|audio[- ]to[- ]text"
         r"|subtitl\w*|captions? for|dictat\w*", 3.0),
        (r"(?:writ|typ)\w* (?:[\w'-]+ ){0,3}down|(?:make|get|creat|produc|want|need|turn)\w* (?:[\w'-]+ ){0,2}(?:text"
        r"|words"
         r"|writing) (?:out of|from)|(?:in)?to (?:written )?(?:text|words|writing|letters)|what (?:is|was"
         r"|they|she|he|people|someone|i|we) (?:[\w'-]+ )?(?:says?|said|saying|spoken|speak\w*)|as text|written form"
         r"|in writing", 2.2),
        (r"understand\w* (?:[\w'-]+ ){0,5}(?:voice|accent|speech|dialect|speaks?|says?|her|him|me|us|them|people"
         r"|customers|callers|doctors|speakers)|minutes of (?:the |our )?meetings?", 1.8),
        (r"accents?\b|dialects?\b|mumbl\w*|voice assistant|voice (?:memos?|messages?)|voicemails?", 1.0),
    ),
    "entities": (
        (r"named entit\w*|entit(?:y|ies)\b|\bner\b|token classification|part[- ]of[- ]speech|pos[- ]tag\w*|iob\b"
         r"|bio tags?|slot filling|chunking", 3.0),
        (r"(?:find|extract|pull|pick|highlight|mark|underline|detect|locate|get|spot|recogni[sz]e|identify|label|tag"
         r"|collect)\w* (?:out )?(?:[\w'-]+ ){0,4}(?:names?|people|persons?|compan\w*|organi[sz]ations?|places"
         r"|locations"
         r"|cities|countries"
         r"|addresses|dates|amounts|prices|phone numbers|products?|drugs?|medicines?|genes?|proteins?|diseases|skills"
         r"|ingredients|quantities|job titles|brands|parts|spans|terms|entities|keywords|mentions|fields|values"
         r"|citations|chemicals|dosages?|streets?)\b", 2.0),
        (r"(?:find|extract|pull|pick|highlight|mark|underline|spot|recogni[sz]e|identify|label|tag|list|collect)\w* "
         r"(?:out )?(?:[\w'-]+ ){1,6}(?:named|mentioned|listed|stated|cited|occurring|appearing|that occur|that appear)"
         r" (?:in|inside|within)", 2.4),
        (r"names? (?:of|in) |names (?:and|or) |mentions? of|every (?:name|date|address|amount|drug|product|company)"
         r"|(?:people|persons), |who is (?:named|mentioned)|which words|each word|every word|word by word|(?:verbs?"
         r"|nouns?|adjectives?)\b|word (?:classes|types)"
         r"|grammatical (?:roles?|functions?)", 1.4),
        (r"(?:picked|pulled|taken|extracted|fished|filtered|got|marked|highlighted|tagged|found) (?:out )?(?:of|from"
         r"|in|inside) (?:[\w'-]+ ){0,3}(?:texts?|lines?|sentences?|documents?|letters?|e-?mails?|reports?|contracts?"
         r"|articles?|notes?|messages?|ads?|invoices?|records?|descriptions?)\b", 1.8),
        (r"redact\w*|anonymi[sz]\w*|pseudonymi[sz]\w*|black(?:en)? out|personal (?:data|information) in|mask (?:names"
         r"|personal)|pii\b", 2.0),
        (r"(?:split|break|parse|parsing|cut)\w* (?:[\w'-]+ ){0,3}(?:addresses|address|names|references|citations"
         r"|ingredients|lines|text) into (?:their |its )?\w+|(?:address|name|citation|resume|cv) pars\w+", 2.2),
        (r"(?:out of|from|in|inside|within) (?:[\w'-]+ ){0,2}(?:text|sentences?|documents?|contracts?|reports?|letters?"
         r"|e-?mails?|articles?|notes)\b", 0.4),
    ),
    "point_to_answer": (
        (r"question[- ]answering|extractive|reading comprehension|squad\b", 3.0),
        (r"(?:point|find|mark|show|extract|locate|highlight|return|give)\w* (?:[\w'-]+ ){0,4}(?:the )?(?:answers?"
         r"|passage"
         r"|sentence|span|place)(?: \w+){0,4} (?:in|from|inside|within|out of) (?:[\w'-]+ ){0,3}(?:paragraph|passage"
         r"|text"
         r"|context|document|page|manual|article|contract|handbook|wiki\w*)", 2.8),
        (r"(?:paragraph|passage|context|page|text|article|document)s? and (?:a |the |one )?questions?"
         r"|questions? and (?:a |the |one |its )?(?:paragraph|passage|context|page)"
         r"|question (?:[\w'-]+ ){0,6}(?:paragraph|passage|context)|answers? (?:[\w'-]+ ){0,3}(?:inside|in|from"
         r"|within) (?:a "
         r"|the |that |our |my |each )?(?:[\w'-]+ )?(?:paragraph|passage|context|manual|handbook|document|contract)s?",
          2.4),
        (r"(?:sentence|passage|place|part|line|words|span|section) (?:[\w'-]+ ){0,6}(?:that|which) answers?\b", 2.4),
        (r"answer spans?|(?:mark|highlight|point (?:at|to|out)) (?:[\w'-]+ ){0,3}answers?", 2.4),
        (r"where (?:in|inside) the (?:text|paragraph|passage|document|page)|word for word|start and end of the answer"
         r"|verbatim", 1.6),
    ),
    "rewrite": (
        (r"summar\w*|tl;?dr|shorten\w*|condens\w*|abstract(?:s|ive)? (?:of|from|for)|digests?\b|boil\w* down|(?:short"
         r"|brief|one[- ]line|1[- ]line|shorter) (?:version|abstract|overview|gist)s?|gist\b|key points|in (?:one|1"
         r"|two|2|a few) sentences?", 3.0),
        (r"translat\w*|from (?:english|german|french|spanish|italian|dutch|polish|portuguese|russian|chinese|japanese"
         r"|turkish|arabic|swedish|danish|norwegian|czech|greek|hindi|korean|\w+ish) (?:in)?to \w+"
         r"|machine translation|\bmt\b|into (?:english|german|french|spanish|italian|dutch|polish|swedish|portuguese"
         r"|russian|japanese|chinese)", 3.0),
        (r"paraphras\w*(?! (?:detect|pairs?|mining|identif))|rephras\w*|rewrit\w*|reword\w*|simplif\w*"
         r"|plain(?:er)? (?:language|english)|easy (?:language|english)|easier (?:language|words)"
         r"|understandable|comprehensible|easier to (?:read|understand|follow)|(?:make|turn|put|explain|say|write)\w* "
         r"(?:[\w'-]+ ){1,6}(?:in|into|to) (?:simple|simpler|plain|easy|everyday|normal|clear) (?:\w+ )?(?:words|terms"
         r"|language|english|sentences)|(?<!how )formal\w*"
         r"|politely"
         r"|politer|modern english", 2.4),
        (r"correct\w* (?:[\w'-]+ ){0,3}(?:grammar|spelling|typos|mistakes|errors|text|sentences|punctuation)|(?:grammar"
         r"|spelling|spell|typo) (?:correct\w*|check\w*|fix\w*)|fix\w* (?:[\w'-]+ ){0,3}(?:grammar|spelling|typos"
         r"|punctuation)|post-?edit\w*|(?:clean\w* up|polish\w*|improv\w*|check\w*|repair\w*|better) (?:the |my "
         r"|their |our )?(?:grammar"
         r"|spelling|style|punctuation|wording)|clean(?:s|ing)? up (?:[\w'-]+ ){0,2}(?:text|ocr|sentences)", 2.6),
        (r"(?:turn|convert|transform|chang|mak)\w* (?:[\w'-]+ ){0,7}(?:in)?to (?:[\w'-]+ ){0,2}(?:headlines?|titles?"
         r"|sql"
         r"|sentences?|questions?|code|emails?|bullet points|subject lines?|tweets?|formulas?|english|a query|queries"
         r"|json|paragraphs?)", 1.8),
        (r"(?:generat|writ|suggest|creat|propos|invent|give|find|add)\w* (?:[\w'-]+ ){0,5}(?:headlines?|titles?"
         r"|subject lines?|slogans?"
         r"|keywords|abstracts?|questions? (?:from|for|about))", 2.0),
        (r"goes in,? (?:[\w'-]+ ){1,4}comes out|seq(?:uence)?[- ]?(?:2|to)[- ]?seq(?:uence)?|text[- ]?(?:2|to)[- ]?text"
         r"|input (?:[\w'-]+ )?output pairs|transliterat\w*|normali[sz]\w* (?:[\w'-]+ ){0,2}(?:text|names|addresses)",
         2.0),
    ),
    "talk": (
        (r"chat ?-?bots?|(?<!detect )(?<!spot )(?<!find )(?<!recognise )(?<!recognize )\bbots?\b"
        r"|assistants?\b(?! professor)|virtual agent|conversational|dialog(?:ue)?s?\b"
         r"|language models?|\bllms?\b|\bslm\b|gpt\w*|generative"
         r"|continu\w* (?:[\w'-]+ ){0,2}(?:conversations?|chats?|dialogues?|stor(?:y|ies))", 2.4),
        (r"(?<!\bin )instruct(?:ion)?s?\b|instruction[- ]?(?:tun|follow)\w*"
        r"|follow\w* (?:[\w'-]+ ){0,2}(?:instructions?|orders"
         r"|commands|prompts)|sft\b|supervised fine", 2.4),
        (r"(?:answer|repl|respond|react|talk|speak|chat)\w* (?:[\w'-]+ ){0,4}(?:like|the same way|the way"
         r"|in the (?:same"
         r"|style)|as (?:we|i|our|in)|customers?|users?|clients|guests|students|patients|visitors|people|emails?"
         r"|mails|messages|requests|faqs?|by (?:him|it)self)", 2.2),
        (r"(?:customer|faq|frequently asked|common|typical|support) (?:[\w'-]+ )?(?:questions?|answers?"
         r"|service)(?! (?:ticket|depart|sort))|questions? (?:[\w'-]+ ){0,4}and (?:[\w'-]+ ){0,5}answers?|q ?(?:&|and"
         r"|n) ?a\b"
         r"|good answers?|give answers?|suggest (?:[\w'-]+ )?(?:repl(?:y|ies)|answers?)"
         r"|draft\w* (?:[\w'-]+ ){0,2}(?:repl(?:y"
         r"|ies)|answers?|responses?)", 1.8),
        (r"(?:in the|the|my|our|his|her|their|this|same|author'?s?) (?:[\w'-]+ ){0,2}(?:style|voice|tone"
         r"|manner)(?: of)?"
         r"|writ\w* (?:[\w'-]+ ){0,3}(?:like|as|in the (?:style|voice))|sounds? (?:just )?(?:like|as) (?:me|us|him|her"
         r"|our|my|his|the|a human|they)|imitat\w*|mimic\w*|ghost ?writ\w*", 2.0),
        (r"(?:generat|writ|compos|continu|creat|invent|produc|complet)\w* (?:[\w'-]+ ){0,4}(?:texts?|poems?|poetry"
         r"|stor(?:y|ies)|tales?|chapters?|manuscripts?|lyrics|product descriptions?|essays?|novels?|jokes?|recipes?"
         r"|code|definitions?|dialogues?"
         r"|e-?mails|blog posts|letters|verses|haikus?|fiction|sentences)", 2.0),
        (r"autocomplet\w*|auto-?complet\w*|code completion|next[- ](?:word|token)|causal l\w+|language modell?ing"
        r"|continu\w* pre-?train\w*"
         r"|pre-?train\w* (?:further|more|on (?:our|my|raw))|domain adapt\w*|persona\b|role-?play\w*"
         r"|knows? our (?:domain|jargon)|tutor\b|teacher bot|raw text|definitions?", 1.6),
    ),
    "prefer": (
        (r"preference|preferred|prefer(?:s|red|ring)?\b (?=the (?:good|better|first|chosen|polite|nice)|good|answers"
         r"|better|repl)|\bdpo\b|\borpo\b|\bkto\b|rlhf|reward model|alignment|\balign(?:ed|ing)?\b|chosen|rejected",
          3.0),
        (r"(?:one|1|an?) (?:[\w'-]+ )?(?:answer|reply|response|version|text|completion)?s? ?(?:[\w'-]+ ){0,4}(?:like"
         r"|liked"
         r"|better|good|preferred|best) (?:[\w'-]+ ){0,3}(?:and|but) (?:[\w'-]+ ){0,2}(?:one|1|another"
         r"|an?) (?:[\w'-]+ ){0,6}(?:not|worse|bad|dislike|do not|rejected|poor)", 2.6),
        (r"(?:good|better|best|liked|winning) (?:and|vs|versus|or|over) (?:an? |the )?(?:bad|worse|worst|disliked"
         r"|losing) (?:answers?|repl\w*|responses?|ones?|versions?|completions?)|better of (?:the )?(?:two|2)\b"
         r"|thumbs[- ]?(?:up|down)|up-?vot\w*"
         r"|voted? for"
         r"|(?:people|users|customers|readers|testers|raters|annotators|humans|we|they|everyone) (?:\w+ )?(?:like|liked"
         r"|chose|picked|favou?r(?:ed)?|ranked|rated) (?:\w+ )?(?:best|most|better|more|higher)|favou?rite answers?"
         r"|which (?:of (?:the )?)?(?:two|2) (?:[\w'-]+ ){0,3}(?:answers?|repl\w*|responses?|better|prefer\w*|best)"
         r"|pairs? of (?:answers|responses"
         r"|replies)|ranked (?:answers|responses)|(?:two|2) (?:answers|responses|replies)|better (?:answer|reply"
         r"|response)s?|human feedback|likes? and dislikes?|liked and disliked|reward\w* (?:the )?(?:good|better|nice)"
         r"|punish\w*|(?:over|rather than|instead of) (?:rude|bad|impolite|wrong|long) (?:ones?|answers?"
         r"|repl\w+)", 2.2),
    ),
    "similar": (
        (r"(?:most|more|much|very) like (?:an?|the|this|my|each)|resembl\w*|looks? like (?:an?|the|this|my) (?:new"
        r"|given"
         r"|old|earlier)|(?:closest|nearest) to (?:an?|the|this|my|each)", 2.4),
        (r"similar\w*|semantic\w*|embedding\w*|sentence[- ]?transformers?|sbert\b|vector (?:search|database)"
         r"|bi-?encoder|cross-?encoder|sts\b", 2.6),
        (r"how (?:close|near|alike|related)(?! (?:is|are|it|to|we) (?:it|we|the|done|being))"
         r"|clos(?:e|er|est|eness) in (?:meaning|sense|content)|alike\b|same (?:thing|meaning|question"
         r"|intent|product|content|idea)|mean(?:s|ing)? the same|paraphrase (?:detect\w*|pairs?|mining|identif\w*)"
         r"|duplicates? detect\w*|(?:detect|find|spot)\w* duplicates? (?:in|among|between|of)"
         r"|duplicate(?:d)? (?:questions|tickets|posts|products|records|entries|listings|bug)|near[- ]duplicates?"
         r"|in other words|asked before|already asked"
         r"|entailment", 2.4),
        (r"search(?:es|ing)? (?:[\w'-]+ ){0,3}(?:engine|by meaning|through|over|for (?:the )?(?:right|best|matching"
         r"|fitting|relevant))|retriev\w*|find(?:s|ing)? (?:the |me )*(?:[\w'-]+ )?(?:most )?(?:similar|related"
         r"|relevant"
         r"|matching|fitting|closest|nearest|best match\w*)|by (?:their |the |its )?meaning|match(?:es"
         r"|ing)? (?:[\w'-]+ ){1,6}(?:with|and|against)"
         r"|rerank\w*|recommend\w* (?:[\w'-]+ ){0,2}(?:articles|similar|products|papers)|link\w* (?:[\w'-]+ ){0,4}(?:to"
         r"|with) the (?:right|matching)", 2.2),
        (r"(?:fits?|match(?:es)?|suits?|belongs?) (?:[\w'-]+ ){0,2}best|best (?:fit(?:s|ting)?|match\w*|suited)", 2.2),
        (r"sentence pairs?|pairs of (?:sentences|texts|questions|products)|scored pairs|two (?:sentences|texts"
         r"|questions)|2 (?:sentences|texts|questions)|triplets?|anchors?|hard negatives?", 1.6),
    ),
}  # fmt: skip


@cache
def concepts() -> dict[str, tuple[tuple[re.Pattern[str], float], ...]]:
    """The concepts, compiled once."""
    return {
        name: tuple((re.compile(rf"\b(?:{pattern})"), weight) for pattern, weight in rows)
        for name, rows in _CONCEPTS.items()
    }


#: Hub data sets that people name without an organisation, and the task that they are for.
DATASETS: dict[str, str] = {
    **dict.fromkeys(
        ("imdb", "sst2", "sst-2", "ag_news", "ag news", "agnews", "yelp", "yelp_polarity", "yelp_review_full",
            "rotten_tomatoes", "rotten tomatoes",
         "amazon_polarity", "amazon_reviews_multi", "emotion", "go_emotions", "goemotions", "tweet_eval", "banking77",
             "dbpedia", "dbpedia_14", "trec", "cola", "sms_spam",
         "20newsgroups", "20_newsgroups", "newsgroup", "financial_phrasebank", "financial phrasebank", "clinc150",
             "clinc_oos", "mnli", "snli", "anli", "rte", "hate_speech18",
         "toxic_conversations", "jigsaw", "massive", "enron_spam", "reuters", "civil_comments", "poem_sentiment",
             "sst5", "app_reviews", "liar", "hatexplain"),
        "text-classification"),
    **dict.fromkeys(
        ("conll2003", "conll 2003", "conll-2003", "conll03", "wnut_17", "wnut17", "wnut", "ontonotes", "wikiann",
            "multinerd", "few-nerd", "ncbi_disease", "bc5cdr", "germeval", "germeval_14",
         "fewnerd", "wikineural", "universal_dependencies", "jnlpba", "bc2gm_corpus"),
        "token-classification"),
    **dict.fromkeys(
        ("squad", "squad_v2", "squad v2", "squad2", "natural_questions", "natural questions", "hotpotqa", "hotpot_qa",
            "newsqa", "triviaqa", "germanquad", "covidqa", "cuad", "xquad", "duorc", "quac", "tydiqa"),
        "question-answering"),
    **dict.fromkeys(
        ("xsum", "cnn_dailymail", "cnn dailymail", "cnn/dailymail", "samsum", "dialogsum", "billsum", "multi_news",
            "multinews", "opus_books", "opus100", "opus-100", "wmt14", "wmt16", "wmt19", "kde4",
         "gigaword", "reddit_tifu", "booksum", "pubmed-summarization", "wikilarge", "jfleg", "flores", "iwslt2017",
             "tatoeba", "europarl", "mlsum"),
        "text2text-generation"),
    **dict.fromkeys(
        ("alpaca", "dolly", "databricks-dolly-15k", "dolly-15k", "oasst1", "openassistant", "ultrachat",
            "ultrachat_200k", "openhermes", "gsm8k", "wikitext", "wikitext-2", "tinystories", "tiny_stories",
                "tiny stories", "tiny_shakespeare",
         "tiny shakespeare", "sharegpt", "capybara", "no_robots", "no robots", "guanaco", "openassistant-guanaco",
             "slimorca", "openorca", "metamathqa", "codealpaca", "code_alpaca", "lima", "smoltalk", "eli5",
                 "openwebtext", "the_stack"),
        "text-generation"),
    **dict.fromkeys(
        ("ultrafeedback", "ultrafeedback_binarized", "hh-rlhf", "hh_rlhf", "hh rlhf", "orca_dpo_pairs",
            "orca dpo pairs", "helpsteer", "helpsteer2", "shp", "intel orca dpo"),
        "preference-tuning"),
    **dict.fromkeys(
        ("stsb", "sts-b", "stsbenchmark", "sts benchmark", "all-nli", "allnli", "quora", "quora question pairs", "qqp",
            "mrpc", "msmarco", "ms_marco", "ms marco", "paws", "natural-questions pairs", "sick", "gooaq"),
        "sentence-similarity"),
    **dict.fromkeys(
        ("cifar10", "cifar-10", "cifar 10", "cifar100", "cifar-100", "mnist", "fashion_mnist", "fashion-mnist",
            "fashion mnist", "beans", "food101", "food-101", "food 101", "cats_vs_dogs", "cats vs dogs",
                "cats-vs-dogs", "imagenet", "imagenette",
         "oxford_pets", "oxford pets", "oxford-iiit-pet", "oxford flowers", "oxford_flowers102", "flowers102",
             "eurosat", "stanford_cars", "stanford cars", "svhn", "plantvillage", "plant village", "caltech101",
                 "tiny_imagenet", "tiny imagenet", "sun397", "dtd", "resisc45", "ham10000", "cub200"),
        "image-classification"),
    **dict.fromkeys(("coco", "ms coco", "cppe-5", "cppe5", "pascal voc", "voc2012", "voc", "wider_face", "wider face",
        "open images", "fashionpedia", "visdrone"), "object-detection"),
    **dict.fromkeys(("ade20k", "scene_parse_150", "cityscapes", "sidewalk-semantic", "camvid", "foodseg103", "carvana"),
        "image-segmentation"),
    **dict.fromkeys(("chartqa", "docvqa", "vqav2", "vqa_v2", "textvqa", "scienceqa", "flickr30k", "coco captions",
        "cord", "cord-v2", "sroie", "ai2d", "the_cauldron", "llava-instruct", "infographicvqa",
        "pokemon-blip-captions"), "image-text-to-text"),
    **dict.fromkeys(("speech_commands", "speech commands", "gtzan", "esc50", "esc-50", "urbansound8k", "urbansound",
        "ravdess", "minds14", "audioset", "superb", "fsd50k", "iemocap", "voxlingua107", "crema-d", "fma"),
            "audio-classification"),
    **dict.fromkeys(("common_voice", "common voice", "librispeech", "librispeech_asr", "fleurs", "tedlium",
        "voxpopuli", "timit", "gigaspeech", "ami", "ljspeech", "lj speech", "multilingual_librispeech", "spgispeech",
            "atco2", "l2-arctic"), "automatic-speech-recognition"),
}  # fmt: skip
#: Data sets whose names are ordinary words: named only together with "data set", "on", "hub" or an organisation.
PLAIN_WORD_DATASETS = words_of(
    """emotion yelp beans massive quora sick coco voc lima trec rte cola dolly alpaca capybara liar tatoeba
        shp reuters ami cord superb fma paws jigsaw imdb squad imagenet mnist
        """
) - {"imdb", "squad", "imagenet", "mnist"}  # fmt: skip

#: Well-known models without a row in the catalog: how they are said -> their Hub id and what they are for. A plan may
#: name any Hub id; these spare a person to know it.
OTHER_MODELS: dict[str, tuple[str, str]] = {
    "xlnet": ("xlnet/xlnet-base-cased", "text-classification"),
    "tinybert": ("huawei-noah/TinyBERT_General_4L_312D", "text-classification"),
    "scibert": ("allenai/scibert_scivocab_uncased", "text-classification"),
    "finbert": ("ProsusAI/finbert", "text-classification"),
    "biobert": ("dmis-lab/biobert-v1.1", "token-classification"),
    "clinicalbert": ("emilyalsentzer/Bio_ClinicalBERT", "text-classification"),
    "legalbert": ("nlpaueb/legal-bert-base-uncased", "text-classification"),
    "legal bert": ("nlpaueb/legal-bert-base-uncased", "text-classification"),
    "bertweet": ("vinai/bertweet-base", "text-classification"),
    "codebert": ("microsoft/codebert-base", "text-classification"),
    "squeezebert": ("squeezebert/squeezebert-uncased", "text-classification"),
    "flaubert": ("flaubert/flaubert_base_cased", "text-classification"),
    "gbert": ("deepset/gbert-base", "text-classification"),
    "bigbird": ("google/bigbird-roberta-base", "text-classification"),
    "big bird": ("google/bigbird-roberta-base", "text-classification"),
    "funnel transformer": ("funnel-transformer/small", "text-classification"),
    "ernie": ("nghuyong/ernie-2.0-base-en", "text-classification"),
    "pegasus": ("google/pegasus-xsum", "text2text-generation"),
    "mbart": ("facebook/mbart-large-50", "text2text-generation"),
    "byt5": ("google/byt5-small", "text2text-generation"),
    "m2m100": ("facebook/m2m100_418M", "text2text-generation"),
    "bloom": ("bigscience/bloom-560m", "text-generation"),
    "bloomz": ("bigscience/bloomz-560m", "text-generation"),
    "falcon": ("tiiuae/falcon-rw-1b", "text-generation"),
    "gpt-neo": ("EleutherAI/gpt-neo-125m", "text-generation"),
    "gpt neo": ("EleutherAI/gpt-neo-125m", "text-generation"),
    "beit": ("microsoft/beit-base-patch16-224", "image-classification"),
    "mobilevit": ("apple/mobilevit-small", "image-classification"),
    "levit": ("facebook/levit-128S", "image-classification"),
    "poolformer": ("sail/poolformer_s12", "image-classification"),
    "regnet": ("facebook/regnet-y-040", "image-classification"),
    "convnextv2": ("facebook/convnextv2-tiny-1k-224", "image-classification"),
    "convnext v2": ("facebook/convnextv2-tiny-1k-224", "image-classification"),
    "swinv2": ("microsoft/swinv2-tiny-patch4-window8-256", "image-classification"),
    "swin v2": ("microsoft/swinv2-tiny-patch4-window8-256", "image-classification"),
    "mask2former": ("facebook/mask2former-swin-tiny-ade-semantic", "image-segmentation"),
    "blip": ("Salesforce/blip-image-captioning-base", "image-text-to-text"),
    "paligemma": ("google/paligemma-3b-pt-224", "image-text-to-text"),
    "donut": ("naver-clova-ix/donut-base", "image-text-to-text"),
    "data2vec": ("facebook/data2vec-audio-base", "automatic-speech-recognition"),
}  # fmt: skip

# ---------------------------------------------------------------- what it does not do

OUT_OF_SCOPE: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("image-generation",
         r"\b(?:stable ?diffusion|sdxl|midjourney|dall-?e|flux\b|dreambooth|diffusion models?|text[- ]to[- ]image"
         r"|imagen|gans?\b|style ?gan|deep ?fakes?|style transfer|inpaint\w*|upscal\w*|super[- ]resolution"
         r"|colou?ri[sz]e)"
         r"|\b(?:generat(?:e|es|ing)|creat(?:e|es|ing)|mak(?:e|es|ing)|draw(?:s|ing)?|paint(?:s|ing)?|produc(?:e|es"
         r"|ing)|render(?:s|ing)?|design(?:s|ing)?|invent(?:s|ing)?|imagin(?:e|es|ing)) (?:me |new |some |more |nice "
         r"|my |own |an? |the |fake |realistic |similar |beautiful |funny )*(?:\w+ )?"
         r"(?:3-?d models?|meshes|cad (?:models?|files?)|floor ?plans?|sculptures?|fonts?"
         r"|images?|pictures?|photos?|drawings?|paintings?|portraits?|logos?|art(?:work)?s?|illustrations?"
         r"|wallpapers?|avatars?|cartoons?|comics?|manga|tattoos?|posters?|icons?|anime|faces)\b(?! (?:class|recogn"
         r"|detect|captions?"
         r"|descriptions?|labels?|tags?|model|data|sort|and|into|in(?:to)? groups|search))"
         r"|\b(?:paint|draw)s? (?:him|her|it|them|me|us|my|in|like|as)\b"
         r"|\b(?:that|which|to|can|could|should|will|ai|me) (?:draw|paint|illustrate|sketch)s?\b(?! (?:\w+ ){0,3}(?:box"
         r"|boxes|frames?|rectangles?|outlines?|contours?|masks?|lines?|borders?|circles?|polygons?|around|round|up"
         r"|conclusions?|attention)\b)"
         r"|\b(?:swap|replac|morph|exchang)\w* (?:the |my |his |her |our )*(?:\w+ )?(?:faces?|heads?|hair|sky|people"
         r"|colou?rs?) (?:in|of|on|from|with)\b"
         r"|\b(?:restor|enhanc|sharpen|denois|retouch|beautif|deblur|enlarg|animat)\w* (?:\w+ ){0,5}(?:photos?"
         r"|pictures?|images?|portraits?|selfies?)\b"),
        ("video", r"\b(?:generat|creat|mak|produc|edit|classif|understand|analys|caption"
                  r"|summari[sz])\w* (?:\w+ ){0,3}(?:videos?|movies?|films?|animations?|clips of video)\b"
                  r"|\btext[- ]to[- ]video\b|\baction recognition\b|\bvideo (?:classif|generat|caption)\w*"),
        ("speech-generation", r"\b(?:text[- ](?:in)?to[- ]speech|(?:texts?|words|writing) (?:in)?to (?:speech|spoken"
                              r"|audio|voice)|tts\b|voice clon\w*|clon\w* (?:my|a|the|his|her) voice"
                              r"|read\w* (?:\w+ ){0,4}(?:aloud|out loud)|speech synthesis|synthesi[sz]e? (?:speech"
                              r"|voice|a voice)|(?:speak|talk)s? (?:with|in) (?:my|his|her) voice|sing(?:s)? (?:like"
                              r"|in))"),
        ("music-generation", r"\b(?:turn|convert|transform|chang|mak|remix)\w* (?:[\w'-]+ ){1,6}into (?:[\w'-]+ ){0,4}"
                             r"(?:music|songs?|melod\w*|orchestra\w*|symphon\w*|recordings?|singing|beats?|tracks?"
                             r"|remix\w*|tunes?)\b|\b(?:compos|generat|writ|creat|mak|produc)\w* (?:me |new |some |a "
                             r"|my |own "
                             r"|an )*(?:\w+ )?(?:music|songs?|melod\w*|beats?|tunes?|symphon\w*|tracks?|techno|jazz"
                             r"|hip[- ]?hop|rock|remix\w*|soundtracks?|jingles?)\b|\bcompos(?:e|es|ing|er)\b"
                             r"(?! (?:\w+ ){0,3}(?:texts?|e-?mails?|letters?|poems?|poetry|repl\w+|answers?|messages?"
                             r"|tweets?|posts?|headlines?|sentences?|stor(?:y|ies)|summar\w+))"),
        ("tabular", r"\b(?:tabular|(?:in|of|from|detect|the) (?:\w+ ){0,2}sensors? (?:data|values|readings)"
        r"|spreadsheet (?:model|prediction)"
        "|(?:from|using|based on|with|out of) (?:the |its "
                    r"|their |my )*(?:\w+ )?(?:transactions?|amounts?|area"
                    r"|number of rooms|rooms|square met\w*|age|income|salary|mileage"
                    r"|weight|height|temperature|humidity|sensor (?:values|readings|data)|measurements"
                    r"|numeric\w* columns|numbers|age and|blood (?:values|pressure)|features like)\b"
         r"|(?:house|car|flat|apartment|home|real estate|property|stock|share|bitcoin|crypto|gold|oil|energy"
         r"|electricity) prices?\b|credit (?:risk|scor\w*|default)|(?:customer )?churn (?:from|rate|prediction)"
         r"|xgboost|random forest|gradient boosting|lightgbm|catboost)"),
        ("forecasting", r"\bwho (?:will|is going to) win\b|\b(?:trad(?:e|es|ing) (?:\w+ )?(?:bitcoins?|stocks?"
        r"|crypto\w*|shares|forex|options|for me)"
         r"|forecast\w*|time[- ]?series|predict\w* (?:\w+ ){0,4}(?:next (?:week|month|year|quarter"
                        r"|day)|tomorrow|in the future|sales|demand|weather|the stock|stock market|revenue|turnover"
                        r"|lottery|(?:who|which team|which party) (?:will )?wins?)|(?:sales|demand|weather"
                        r"|stock) (?:prediction|forecast)\w*|lottery)"),
        ("reinforcement-learning", r"\b(?:reinforcement learning|(?:win|beat)\w* (?:\w+ ){0,2}(?:at|in|against)"
                                   r"|play(?:s|ing)? (?:chess|go|atari|mario|poker"
                                   r"|video games?|minecraft|the game|a game|games)|drive (?:a|my|the) (?:car|robot)"
                                   r"|robot arm|self[- ]driving|(?:cars?|robots?|drones?"
                                   r"|vehicles?) (?:\w+ )?to (?:drive|walk|fly|navigate|balance))\b|\b(?:ai|agent|bot"
                                   r"|model|computer|network|program"
                                   r"|robot)\b(?: \w+){0,3} "
         r"(?:play|plays|playing)\b (?!with|around|it|a role|the role|music|back|audio|sounds?|songs?|out)\w"),
        ("clustering", r"\b(?:(?:find|discover|form|build|make) (?:\w+ )?(?:groups|segments) (?:of|in|among)"
        r"|clustering\b|cluster(?:ed|s)?\b(?<!ray cluster)(?<!gpu cluster)(?<!slurm cluster)"
                       r"(?<!our cluster)(?<!my cluster)(?<!compute cluster)(?<!hpc cluster)(?<!a cluster)"
                       r"(?<!the cluster)(?<!university cluster)|unsupervised|without (?:any )?labels|topic model\w*"
                       r"|lda\b)"),
        ("recommender", r"\b(?:recommender|recommendation (?:system|engine)|collaborative filtering"
         r"|recommend\w* (?:products?|movies?|films?|songs?|items?|books?) to|(?:users?"
                        r"|customers?) (?:who )?(?:also )?(?:bought|liked|watched))\b"),
        ("errand", r"\b(?:book|order|reserve|buy|purchase|schedule|call|phone|cook|remind|wake|play|sing)(?: me| us"
                   r"| my)? (?:an? |the |some |my )*(?:\w+ )?(?:flights?|hotels?|tables?|taxi|uber|pizza|food"
                   r"|tickets? to|meeting|appointment|doctor|alarm|restaurant|train to|room|groceries|mum|mom|dad"
                   r"|boss|dinner|lunch|song)\b"
         r"|\b(?:what is|how is|tell me|will it be|is it going to) (?:the )?(?:weather|time is it|news today|rain"
         r"|sunny|stock price)|\bwhat time is it\b|\bwho (?:won|wrote|invented|discovered|founded|directed)\b"
         r"|\bwho (?:is|was|are) the \w+ (?:of|in|from)\b|\bcapital of\b|\btell me a (?:joke|story)|\b(?:write"
         r"|draft|compose|finish) (?:my|our|the|this) (?:\w+ )?(?:letter|cv|resume|application|thesis|homework|essay"
         r"|speech|paper|novel|blog|invitation|report)\b(?! (?:class|sort|like))|\b(?:write"
         r"|compose) (?:me )?an? (?:\w+ )?(?:poem|song|essay|e-?mail|letter|story|python|script|code|program|function"
         r"|sql)"
         r"|\b(?:marry me|love you|are you (?:human|alive|conscious|real|single|a robot|sentient|an ai)"
         r"|how old are you|meaning of life|recipe for|how do i (?:cook|bake|lose weight|get rich)|solve (?:this"
         r"|the) (?:equation|puzzle|homework)|do my homework|(?:translate|summari[sz]e|rewrite|correct"
         r"|read) this (?:\w+ ){0,4}for me"
         r"|write (?:me )?(?:some |\w+ )?code (?:to|that|for))\b|\b(?:news"
         r"|weather|horoscope|headlines) (?:of|from|for) (?:today|this morning|tomorrow|this week)|\b(?:translate"
         r"|summari[sz]e|rewrite|correct|say) ['\"]\w|\bweather (?:in|for|today|tomorrow|forecast)\b|\bset an alarm\b"
         r"|\bsend (?:an? )?(?:e-?mail|sms|message) to\b"),
    )
)  # fmt: skip

HOSTILE = re.compile(
    r"<\s*/?\s*(?:script|iframe|img|svg|object|embed|style|link|meta|body|html|form|input|a|div)\b|javascript:"
    r"|\bon(?:error|load|click)\s*="
    r"|\b(?:ignore|disregard|forget|override|bypass) (?:\w+ ){0,3}(?:previous|prior|above|earlier|your|all|the|system"
    r"|safety) (?:\w+ )?(?:instructions?|rules?|prompts?|guidelines?|restrictions?|commands?|orders?)"
    r"|\b(?:tokens?|keys?|passwords?|secrets?)\b(?: \w+){0,2} (?:stored|saved|kept|on (?:this|the|your) (?:server"
    r"|machine|host))"
    r"|\b(?:repeat|print|output|echo|reveal|recite) (?:me )?(?:[\w ]{0,30}\b)?(?:text|words|everything|instructions"
    r"|prompts?|messages?) above\b|\bvariables? of (?:the|this|your) (?:process|environment|system|server)"
    r"|\byour (?:initial|hidden|original|secret|system|internal) (?:\w+ )?(?:instructions?|prompts?|messages?|rules)"
    r"|\b(?:system prompt|developer mode|jailbreak|dan mode|environment variables?|env vars?|\benv\b|api[_ -]?keys?"
    r"|access tokens?|hf[_ ]token|secrets?\b(?=.*\b(?:print|show|reveal|send|tell|dump))|passw(?:or|ö|oe)\w*|passwd"
    r"|credentials|private keys?|ssh keys?|source code of (?:this|the|your))\b"
    r"|\b(?:rm\s+-\w*|sudo\b|chmod\b|chown\b|curl\s+\S|wget\s+\S|mkfs|dd if=|shutdown\b|reboot\b|kill -9|:\(\)\s*\{"
    r"|powershell\b|remove-item\b|linux terminal|hard ?(?:disk|drive)|eval\(|exec\(|os\.system|subprocess|__import__"
    r"|import os|powershell|cmd\.exe|bash -c|/bin/(?:ba)?sh|nc -e"
    r"|base64 -d|format c:)"
    r"|\b(?:drop|truncate|alter|delete from|insert into|update)\s+(?:table|database|users|runs|schema|\w+ set)\b"
    r"|\bunion\s+(?:all\s+)?select\b|\bselect\s+(?:\*|[\w, ]+)\s+from\b|'\s*or\s*'?1'?\s*=\s*'?1|--\s*$"
    r"|\{\{.*\}\}|\$\{.*\}|\$\(.*\)|%\(\w+\)s|\{0\.__|__class__|__globals__|%n%n|%x%x|\.\./|\.\.\\|\bfile://|/etc/"
    r"|\bc:\\|\\\\\w+\\|trust_remote_code|\bpickle\b|https?://\S+[^.]*\b(?:run|execute|install|open)\b|\b(?:run"
    r"|execute|install|download|open) (?:\w+ )?https?://\S+|\b(?:print|show|reveal|dump|list"
    r"|give)\w* (?:me )?(?:\w+ ){0,3}(?:the )?(?:root|server|system) (?:files?|folders?|logs?|password|directory)"
    r"|\b(?:files?|data|models?|runs?|conversations?|chats?) (?:of|from|by) (?:the |all )?(?:other|another) (?:users?"
    r"|people|customers?|accounts?|persons?)\b"
    r"|\bother (?:users?|people)'?s? (?:files?|data|models?|runs?|conversations?)|\b(?:cat|ls|cd|less|more|head|tail"
    r"|type|open|read) (?:~|/|\.\.)\S*"
)
PATH_LIKE = re.compile(
    r"(?:\.\.[/\\]|(?<![\w.])~/|(?<![\w.:/-])/(?:\w[\w.-]*/)+[\w.-]*|\b[a-z]:\\|\bfile://|(?<!\w)\./)\S*|https?://\S+",
    re.IGNORECASE,
)
REMOTE_CODE = re.compile(
    r"trust[_ -]remote[_ -]code|(?:run|execute|allow) (?:\w+ ){0,2}(?:remote|custom|its|their) code"
)

# ---------------------------------------------------------------- spelling


@cache
def known_words() -> tuple[frozenset[str], tuple[str, ...]]:
    """Words that the concepts spell out, and beginnings of words that they look for ("shorten…"): no misspellings."""
    patterns = [pattern for rows in _CONCEPTS.values() for pattern, _ in rows]
    patterns += [IMAGE.pattern, AUDIO.pattern, TEXT.pattern, SEEN.pattern]
    begun = {stem for pattern in patterns for stem in re.findall(r"([a-z]{5,})\\w\*", pattern)}
    whole = {word for pattern in patterns for word in re.findall(r"[a-z]{4,}", pattern)}
    return frozenset(whole), tuple(sorted(begun))


#: Words that readers look for; a misspelt word is put right towards these.
VOCABULARY: frozenset[str] = words_of(
    """accuracy accurate adapter adapters address addresses again amount answer answers article articles
        assistant audio batch batches best better between body boxes cancel category categories change chatbot
        chats check class classes classification classifier classify classifies classifying cloud column
        columns comment comments compare comparison complaint complaints computer confusion continue customer
        customers data dataset decrease delete department departments description descriptions detect
        detection difference different document documents does double download duplicate duplicates early
        email emails emotion emotions engine epoch epochs estimate evaluate evaluation example examples
        explain export extract faster feature file files find finetune finetuning finished freeze french
        german good graphics half headline headlines hello help higher hour hours hugging identify image
        images improve increase instead instruction instructions invoice invoices label labels language laptop
        large larger last layer layers learn learning letter letters longer lower machine mean meaning message
        messages method metric minute minutes model models month mood morning names negative network neutral
        news normal number numbers organization organizations overfitting paragraph pause people person photo
        photos phrase picture pictures please pneumonia positive predict prediction preferred previous
        priority probability problem product products progress publish question questions quick quickly rank
        rate rating ratings read ready recognise recognition recognize recommend record recording recordings
        reduce remove report request requests result results resume retrain review reviews right route routing
        rows running sample samples save score search segment send sentence sentences sentiment shorter
        similar similarity slower small smaller sort sorting sound sounds spam speech speed spelling spoken
        stars start started status stop style subject summaries summarise summarize summary support teach
        technical test testing text texts than thanks think third three ticket tickets time tokens tomorrow
        topic topics train trained training transcribe transcription translate translation triple tune tuning
        twice type undo understand unfreeze upload urgent validation value video voice voices wait weights
        what whether which which while words worse would write writes wrong yesterday spreadsheet handwriting
        diagnosis doctors disease patients healthy broken damaged defect defects satellite species maybe
        because complicated boring thought through written writing hand something anything everything nothing
        really someone children parents school teacher students shop store restaurant hotel company business
        office chatgpt claude ollama onnx gguf lora qlora huggingface gradio hyperparameter hyperparameters
        tokenizer checkpoint checkpoints sorting separately distinguish automatically automatic beginner
        programmer already possible usually always never every
        """
)  # fmt: skip
