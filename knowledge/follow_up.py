"""What a question in a thread is searched with: a follow-up takes the thread's meaning along.

"And for contractors?" says little alone. It is recognised by what it lacks, without a model: it
begins as a continuation, speaks of "it" or "them", or has hardly a word of its own. Then it is
searched for together with the last question that stands on its own. Measured in docs/LOG.md.
"""

import re
from collections.abc import Sequence

from knowledge.conversation import Question
from knowledge.wording import FUNCTION_WORDS

FEW_WORDS = 1
"""A question with so few words of its own at the most says nothing alone."""
FEW_WORDS_OF_A_PRONOUN = 3
"""With a pronoun that stands for something in the thread: so few beside it."""
FEW_CHARACTERS = 5
"""The same for scripts without spaces, in characters."""

_CONTINUES = re.compile(
    r"""(?xi)^[\s¿¡"'(]*(?:
        and\b | or\b | but\b | then\b | also\b | same\b | what(?:'s|\ is)?\ about\b | how\ about\b
      | what\ if\b | und\b | oder\b | aber\b | was\ ist\ mit\b | wie\ (?:ist|sieht|steht)\ es\b
      | (?:et|ou|mais)\b | qu['’]en\ est-il | y\b | o\b | pero\b | qué\ (?:hay|pasa|tal)\b
      | e\b | ma\b
      | وماذا | ماذا\ عن | وهل | وكم | ومتى | وكيف | وأين | ولل?\w+ | و(?:في|عند|مع|إذا)\b
      | では | じゃあ | それ(?:で|なら|では) | それと | あと | 那(?:么|麼)? | 还有 | 還有
    )"""
)
_ENDS_OPEN = re.compile(r"(?:は|呢)\s*[?？]?\s*$")
_PRONOUN = re.compile(
    r"""(?xi)
    (?<!\w)(?:
        it | its | they | them | their | theirs | this | these | those | that\ one | one | ones
      | there | he | she | him | her
      | ihn | ihm | ihnen | davon | dafür | damit | darauf | dort | diese[rsmn]?
      | ça | cela | ceci | celui(?:-ci|-là)? | celle | eux | leur | ils | elles
      | ello | eso | esto | estos | estas | esos | esas | ellos | ellas | allí | ahí
      | ذلك | هذا | هذه | تلك | هناك | منه | منها | عنه | عنها | فيه | فيها
      | له | لها | لهم | به | بها
    )(?!\w)
    | それ | これ | あれ | そこ | その | この | 它 | 这个 | 這個 | 那个 | 那個 | 这里 | 那里"""
)
_EXPLETIVE = re.compile(
    r"(?i)\b(?:is|was|does|would|will|can|could|may|might)\s+it\s+(?:\w+\s+)?(?:to|that|if)\b"
    r"|\b(?:is|are|was|were)\s+there\b|\bthere\s+(?:is|are)\b|\bgibt\s+es\b|\bhay\b"
)
_GRAMMAR_WORDS = """
get got go take need want have know use please thanks thank hi hello ok okay long much many far
wie was wann wer wo warum wieso viel viele lange ist sind kann ich man für der die das den dem
ein eine mit im in am zu zur zum von auch noch mir mich wir bitte hat habe gilt gibt es
comment quand qui où pourquoi combien quel quelle est sont puis je on pour le la les un une des
du de dans aussi moi nous avec faut il que quoi si à au aux
cómo cuándo quién dónde por qué cuánto cuánta cuántos cuántas es son puedo para el los las una
uno del en con también mí nos se hay que si al a
كم متى كيف أين من لماذا هل ما هو هي في على إلى عن مع أو لي لنا
"""
_GRAMMAR = frozenset(_GRAMMAR_WORDS.split())
_UNBROKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")


def searched_for(question: Question) -> str:
    """The question as it is searched for: a follow-up with what it follows."""
    asked = [turn.text for turn in question.thread if turn.role == "user"]
    if not asked or not is_elliptical(question.text):
        return question.text
    return f"{_topic(asked)} {question.text}"


def _topic(asked: Sequence[str]) -> str:
    """The last question of the thread that stands on its own; else the first one."""
    standing = [text for text in asked if not is_elliptical(text)]
    return standing[-1] if standing else asked[0]


def is_elliptical(text: str) -> bool:
    """Whether a question cannot be understood without what was said before."""
    if _CONTINUES.match(text) or _ENDS_OPEN.search(text):
        return True
    own = _own_words(text)
    if _UNBROKEN.search(text):
        characters = len(re.findall(r"\w", text))
        return characters <= FEW_CHARACTERS or bool(_PRONOUN.search(text))
    refers = bool(_PRONOUN.search(_EXPLETIVE.sub(" ", text)))
    return own <= (FEW_WORDS_OF_A_PRONOUN if refers else FEW_WORDS)


def _own_words(text: str) -> int:
    """How many words say something by themselves."""
    return len(set(re.findall(r"[\w'’-]+", text.lower())) - _GRAMMAR - FUNCTION_WORDS)
