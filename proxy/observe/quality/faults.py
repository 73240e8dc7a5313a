"""Hard faults of one answer, by name: what is wrong whatever the model's ways. Pure; bounded time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from proxy.observe.quality.answer import Answer
from proxy.observe.quality.language import other_language

NAMES: Final = (
    "empty",  # no letter, no digit, no tool call
    "refusal",  # says that it will not or cannot
    "truncated",  # finish_reason is length
    "loop",  # ends in saying the same again and again
    "leak",  # special tokens or raw tool calls in the text
    "mojibake",  # UTF-8 read as Latin-1, or replacement characters
    "language",  # not the prompt's
    "json",  # no JSON object where JSON was asked for
    "tools",  # a tool call whose arguments break its schema
    "unended",  # stops inside of a sentence
    "off_prompt",  # no long word of the prompt comes back
)
BITS: Final[dict[str, int]] = {name: 1 << place for place, name in enumerate(NAMES)}

_LOOK: Final = 16_000  # characters that are searched for leaks and mojibake
_TAIL: Final = 3000
_JSON_CHARACTERS: Final = 200_000  # longer answers are not parsed
_REFUSAL: Final = re.compile(
    r"\bi(?:['’]?m| am) (?:really |very |so |truly |terribly )?(?:sorry|afraid|unable|not able|not allowed)\b"
    r"|\bsorry,? but\b|^\W*(?:i['’]?m |i am )?sorry\b|\bi apologi[sz]e\b|\bmy apologies\b"
    r"|\bi (?:can(?:no|['’])t|won['’]t|will not|must decline|do(?:n['’]t| not) feel comfortable)\b"
    r"|\bas an? (?:ai|artificial|large language|language model|responsible|ethical)\b"
    r"|\bi(?:['’]m| am) (?:just |only )?an (?:ai|artificial)\b"
    r"|\bi do(?:n['’]t| not) have (?:access|the ability|the capability|personal|enough|sufficient|information)\b"
    r"|\b(?:can(?:no|['’])t|unable to|not able to|(?:not |in)appropriate to) (?:be |provide|assist|help|fulfil|answer"
    r"|comply|discuss|generate|create|write|give|offer|determine|access|engage|predict)"
)
# Each match of the expression has one of these.
_REFUSAL_HINTS: Final = (
    "sorry", "afraid", "unable", "not able", "not allowed", "apolog", "cannot", "can't", "can’t", "won't", "won’t",
    "will not", "must decline", "feel comfortable", "an ai", "a ai", "artificial", "language", "responsible", "ethical",
    "n't have ", "n’t have ", "not have ", "appropriate to",
)  # fmt: skip
_REFUSAL_CHARACTERS: Final = 300
_LEAK: Final = re.compile(  # each way begins with a letter of its own, no class: so `re` skips to where one can
    r"<[|｜][\w/ ▁:-]{1,40}[|｜]>|</?s>|<</?SYS>>|\[/?INST\]|</?(?:unk|pad|bos|eos|mask)>|<(?:end|start)_of_turn>"
    r"|</?tool_calls?>|</?tool_response>|\[/?TOOL_CALLS\]|</?function(?:_call)?[=>]|<0x[0-9A-F]{2}>"
    r"|\[/?AVAILABLE_TOOLS\]|<\|?(?:im_start|im_end|endoftext|eot_id|assistant|user|system|end)\|?>"
    r"|###? ?(?:Human|Assistant|Instruction|User):"
)
_MOJIBAKE: Final = re.compile(  # begins with one class: so it is sought six times as fast
    r"[\x00\ufffd\ud800-\udfffâÃÂ](?:(?<=[^âÃÂ])|(?<=â)€"
    r"|(?<=[ÃÂ])[\u0080-\u00bf\u2018-\u203a\u20ac\u0152-\u017e\u02c6\u02dc])"
)
_WORDLESS: Final = re.compile(r"[^\W_]")
_OPEN_ENDS: Final = frozenset(",;-(")
_LONG_LINE: Final = 40
_RUN: Final = 200  # characters


def faults_of(
    answer: Answer, words: Counter[str], prompt_words: Sequence[str], *, overlap: float, same_language: bool = False
) -> frozenset[str]:
    """Names of what is wrong. words: of the head, in lower case. overlap: with the prompt's long words, 1.0 unknown.

    same_language: answer and prompt are known to be in one.
    """
    text = answer.response
    found: list[str] = []
    if answer.tool_calls_invalid:
        found.append("tools")
    if answer.finish_reason == "length":
        found.append("truncated")
    if not words and _WORDLESS.search(text, 0, _LOOK) is None:
        if _one_character(text):
            found.append("loop")
        elif not answer.tool_calls:
            found.append("empty")
        return frozenset(found)
    if _refuses(text[:_REFUSAL_CHARACTERS].lower()):
        found.append("refusal")
    if _loops(text):
        found.append("loop")
    if _leaks(text):
        found.append("leak")
    if not text.isascii() and _MOJIBAKE.search(text, 0, _LOOK):
        found.append("mojibake")
    if not same_language and other_language(text, words, answer.prompt, prompt_words):
        found.append("language")
    if answer.json_asked and not answer.tool_calls and not _is_json(text):
        found.append("json")
    if not answer.json_asked and _unended(text):
        found.append("unended")
    if overlap == 0.0:
        found.append("off_prompt")
    return frozenset(found)


def bits_of(faults: frozenset[str]) -> int:
    """Faults as the ledger keeps them."""
    return sum(BITS[name] for name in faults)


def named(bits: int) -> frozenset[str]:
    """The faults behind such a number."""
    return frozenset(name for name, bit in BITS.items() if bits & bit)


def _refuses(head: str) -> bool:
    if not any(map(head.__contains__, _REFUSAL_HINTS)):  # nearly always; ten times as fast as the expression
        return False
    return _REFUSAL.search(head) is not None


def _loops(text: str) -> bool:
    """Whether the last words were said at least four times in a row before."""
    if _one_character(text):
        return True
    tail = text[-_TAIL:].rstrip()
    if len(tail) < 100:
        return False
    phrase = tail[-24:]
    if len(set(phrase)) < 3 or not any(map(str.isalpha, phrase)):
        return False
    if tail.count(phrase) < 4:
        return False
    # Rows of a table and lines of code come again, but with other words between.
    period = len(tail) - 24 - tail.rfind(phrase, 0, len(tail) - 1)
    if period <= 0:
        return True
    return all(tail[-24 - k * period : len(tail) - k * period] == phrase for k in (1, 2, 3))


def _one_character(text: str) -> bool:
    """Whether it ends in one and the same, as of a broken GPU; lines that are drawn are shorter."""
    tail = text[-_TAIL:].rstrip()[-_RUN:]
    return len(tail) == _RUN and tail == tail[0] * _RUN


def _leaks(text: str) -> bool:
    if "<" not in text and "[" not in text and "##" not in text:
        return False
    return _LEAK.search(text, 0, _LOOK) is not None or _LEAK.search(text[-400:]) is not None


def _is_json(text: str) -> bool:
    if len(text) > _JSON_CHARACTERS:
        return True
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return False
    return isinstance(found, dict | list)


def _unended(text: str) -> bool:
    """Whether a text stops inside of a line of words; code may end as it likes."""
    tail = text[-400:].rstrip()
    line = tail[tail.rfind("\n") + 1 :]
    if len(line) < _LONG_LINE or tail.count("```") % 2 == 1:
        return False
    return line[-1].isalnum() or line[-1] in _OPEN_ENDS
