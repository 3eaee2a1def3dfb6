"""Which profile is held to which peer, which of our rules is which of its reasons, and why pieces are cut otherwise."""

from __future__ import annotations

from conformance.compare import Conformance, Part
from conformance.peers import DATATROVE, DATATROVE_03, DOLMA

REPETITION = {
    "datatrove.empty": "empty",
    "datatrove.duplicate_paragraphs": "dup_para_frac",
    "datatrove.duplicate_paragraph_chars": "dup_para_char_frac",
    "datatrove.duplicate_lines": "dup_line_frac",
    "datatrove.duplicate_line_chars": "dup_line_char_frac",
    **{f"datatrove.top_{n}gram": f"top_{n}_gram" for n in (2, 3, 4)},
    **{f"datatrove.duplicate_{n}grams": f"duplicated_{n}_n_grams" for n in range(5, 11)},
}
QUALITY = {
    "datatrove.word_count_min": "gopher_short_doc",
    "datatrove.word_count_max": "gopher_long_doc",
    "datatrove.mean_word_length_min": "gopher_below_avg_threshold",
    "datatrove.mean_word_length_max": "gopher_above_avg_threshold",
    "datatrove.hash_to_word": "gopher_too_many_hashes",
    "datatrove.ellipsis_to_word": "gopher_too_many_ellipsis",
    "datatrove.bullet_lines": "gopher_too_many_bullets",
    "datatrove.ellipsis_lines": "gopher_too_many_end_ellipsis",
    "datatrove.alphabetic_words": "gopher_below_alpha_threshold",
    "datatrove.stop_words": "gopher_enough_stop_words",
}
C4 = {
    "c4.any_end_lorem_ipsum": "lorem_ipsum",
    "c4.any_end_curly_bracket": "curly_bracket",
    "c4.any_end_later_lorem_ipsum": "lorem_ipsum",
    "c4.any_end_sentence_count": "too_few_sentences",
}
C4_ENDED = {
    "c4.lorem_ipsum": "lorem_ipsum",
    "c4.curly_bracket": "curly_bracket",
    "c4.later_lorem_ipsum": "lorem_ipsum",
    "c4.sentence_count": "too_few_sentences",
}
FINEWEB = {
    "fineweb.line_punctuation": "line_punct_ratio",
    "fineweb.short_lines": "short_line_ratio",
    "fineweb.duplicate_line_chars": "char_dup_ratio",
    "fineweb.newlines": "list_ratio",
}
GOPHER_V1 = {
    "dolma.word_count_min": "word_count < 50",
    "dolma.word_count_max": "word_count > 100000",
    "dolma.median_word_length_min": "median_word_length < 3",
    "dolma.median_word_length_max": "median_word_length > 10",
    "dolma.symbol_words": "symbol_to_word_ratio > 0.1",
    "dolma.alphabetic_words": "fraction_of_words_with_alpha_character < 0.8",
    "dolma.required_words": "required_word_count < 2",
    "dolma.bullet_lines": "fraction_of_lines_starting_with_bullet_point > 0.9",
    "dolma.ellipsis_lines": "fraction_of_lines_ending_with_ellipsis > 0.3",
    "dolma.duplicate_lines": "fraction_of_duplicate_lines > 0.3",
    "dolma.duplicate_line_chars": "fraction_of_characters_in_duplicate_lines > 0.3",
    **{f"dolma.duplicate_{n}grams": f"fraction_of_characters_in_duplicate_{n}grams > {round(0.2 - n / 100, 2)}" for n in range(5, 11)},
}

_FINEWEB_PARTS = {
    "repetition": Part(REPETITION),
    "quality": Part(QUALITY),
    "c4": Part(C4),
    "fineweb": Part(FINEWEB, after_lines=True),
}
_LINES = (
    "datatrove strips a line before it takes C4's citation marks out of it, so a blank that stood between a full stop and the mark "
    "(`text. [1]`) stays at the line's end, which then ends in no punctuation; ours counts what stands before the blank."
)

_SPACY = {
    "sentences: ellipsis": "`...` ends a sentence by our rules where a capital follows; to spaCy's sentencizer it is one token that is no "
    "full stop, and ends none.",
    "sentences: other script": "A full stop of another script (`。`, `।`, `։`, `።`) ends a sentence by our rules wherever it stands; spaCy "
    "sees it only where its tokenizer cuts it off.",
    "sentences: no blank": "A full stop between two words without a blank (`end.Next`) ends a sentence for spaCy, whose tokenizer cuts "
    "there before a capital; ours asks for white space, since most such stops stand in names (`module.Class`).",
    "sentences: other": "spaCy's sentencizer ends a sentence at every token that is a full stop, after initials and abbreviations that its "
    "tokenizer does not know too; ours knows initials and the commonest abbreviations.",
    "words": "spaCy's letters are Latin, Cyrillic, Greek and eleven other scripts' (a full stop stays at a Georgian word), ours every "
    "script's; and datatrove takes the word `IS_ALPHA` out of a text that holds it, since spaCy cannot read it.",
    "lines": _LINES,
}
_NLTK = {
    "sentences: ellipsis": "`...` ends a sentence by our rules where a capital follows; NLTK's Punkt model asks that the word behind it "
    "be one that starts sentences in newswire.",
    "sentences: other script": "A full stop of another script (`。`, `।`, `։`, `።`) ends a sentence by ours; only `.`, `?` and `!` do by "
    "Punkt's.",
    "sentences: curly quote": "A curly quotation mark behind a full stop (`end.” Next`) belongs to the sentence by our rules; Punkt looks "
    "for white space or an ASCII mark right behind the stop, and ends none.",
    "sentences: no blank": "Punkt ends a sentence at a full stop before a bracket or a quotation mark, with no white space between.",
    "sentences: other": "Punkt ends a sentence at each mark that stands alone (`!? !?`) and behind abbreviations that are not newswire's "
    "(`e.g.`); ours counts sentences with a letter or a digit in them, and knows the commonest abbreviations.",
    "words": "NLTK's Punkt model tells where sentences end, and so which full stops are tokens, from tables of abbreviations and of "
    "words' first letters; ours does from a short list and the next word (`signals.treebank`).",
    "lines": _LINES,
}

CONFORMANCES = (
    Conformance(
        profile="fineweb",
        peer=DATATROVE,
        parts=_FINEWEB_PARTS,
        left_out=("language", "url"),
        causes=_SPACY,
    ),
    Conformance(
        profile="fineweb@0.3",
        peer=DATATROVE_03,
        parts=_FINEWEB_PARTS,
        left_out=("language", "url"),
        causes=_NLTK,
        words="treebank",
    ),
    Conformance(
        profile="c4",
        peer=DATATROVE,
        parts={"c4_ended": Part(C4_ENDED)},
        causes=_SPACY,
        whole="c4_ended",
    ),
    Conformance(profile="dolma@1.7", peer=DOLMA, parts={"gopher_v1": Part(GOPHER_V1)}, left_out=("periodicity",), causes={}),
)
