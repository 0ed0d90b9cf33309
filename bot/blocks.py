"""An answer as Slack's blocks. Pure functions; what comes from a model or a document is inert.

The text stands in markdown blocks. The numbered sources, the badge and the thumbs stand below it,
in mrkdwn, whose links are ours and where numbers stay what they are.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from bot.markup import escape_markdown, escape_mrkdwn, inert, mrkdwn_link, one_line
from bot.split import split_markdown
from bot.texts import FSI, PDI, Texts
from knowledge.conversation import Answer, Citation, Sentence

Block = dict[str, Any]

MARKDOWN_CHARACTERS = 11_000  # a message with more than about 13,200 in all is refused
TEXT_CHARACTERS = 3_500  # chat.update refuses a `text` that chat.postMessage takes
SECTION_CHARACTERS = 2_900  # of 3,000
BLOCKS = 40  # of 50: Slack makes several blocks of one markdown block
LABEL_CHARACTERS = 150
FEEDBACK_ACTION = "answer_feedback"
RLM = "\u200f"  # right-to-left mark: gives a line that begins with a number its direction


@dataclass(frozen=True, slots=True)
class Post:
    """What one Slack message shows: the blocks, and the text for notifications."""

    text: str
    blocks: list[Block]


@dataclass(slots=True)
class Body:
    """The text of an answer as it grows, as markdown; it only ever gets longer."""

    markdown: str = ""
    plain: str = ""
    _right_to_left: bool | None = field(default=None, repr=False)

    def add(self, sentence: Sentence) -> None:
        """Append a sentence with the numbers of the passages that it stands on."""
        if not sentence.text.strip():
            return
        if self._right_to_left is None:
            self._right_to_left = reads_right_to_left(sentence.text)
        text = _directed(escape_markdown(sentence.text.strip()), self._right_to_left)
        numbers = ", ".join(str(number) for number in sentence.citations)
        joint = self._joint(text, starts_paragraph=sentence.starts_paragraph)
        # Behind a Latin word its full stop, the numbers and the next Latin word would be one run.
        end = RLM if self._right_to_left and _ends_from_left(text) else ""
        self.markdown += joint + text + end + (f" [{numbers}]" if numbers else "")
        self.plain += joint + sentence.text.strip()

    def _joint(self, text: str, *, starts_paragraph: bool) -> str:
        if not self.markdown:
            return ""
        last_line = self.markdown.rpartition("\n")[2]
        if text.startswith("- ") and last_line.startswith("- "):
            return "\n"
        starts = starts_paragraph or text.startswith("- ") or "\n" in text
        return "\n\n" if starts else " "


def body_of(answer: Answer, texts: Texts) -> str:
    """The markdown of an answer of which no sentence was seen: most often an abstention."""
    if answer.abstained:
        name = answer.reason or ("no_evidence" if answer.state == "abstained" else "model_failed")
        return escape_markdown(texts.get(f"abstained_{name}"))  # type: ignore[arg-type]
    body = Body()
    body.add(Sentence(answer.text, ()))
    return body.markdown or escape_markdown(texts.get("abstained_no_evidence"))


def closing(answer: Answer, texts: Texts, *, approver: str | None = None) -> list[Block]:
    """What stands below an answer: badge, notes, sources or nearest documents, thumbs.

    `approver` is the display name of who approved a verified answer; an id is no name.
    """
    right_to_left = is_right_to_left_answer(answer, texts)
    blocks: list[Block] = []
    if answer.verification is not None:
        blocks.append(_verified(answer.verification.approved_at, approver, texts))
    if answer.state == "quoted":
        failed = answer.reason in {"model_failed", "model_unreachable"}
        blocks.append(note(texts.get("quoted_model_failed" if failed else "quoted")))
    if answer.state == "stopped":
        blocks.append(note(texts.get("stopped")))
    blocks += _listed(texts.get("sources"), answer.citations, texts, right_to_left=right_to_left)
    blocks += _listed(texts.get("nearest"), answer.nearest, texts, right_to_left=right_to_left)
    if answer.state not in {"failed", "stopped"}:
        blocks.append(feedback_buttons(answer.id, texts))
    return blocks


def posts(markdown: str, below: Sequence[Block] = (), text: str | None = None) -> tuple[Post, ...]:
    """The messages that show `markdown`, at least one; `below` stands under the last one only."""
    pieces = split_markdown(markdown, MARKDOWN_CHARACTERS, BLOCKS - 10)
    made = [Post(fallback(piece), [markdown_block(piece)]) for piece in pieces]
    if not made:
        return (Post(text or "…", list(below)),)
    made[-1] = Post(made[-1].text, [*made[-1].blocks, *below])
    if text is not None:
        made[0] = Post(fallback(text), made[0].blocks)
    return tuple(made)


def fallback(text: str) -> str:
    """A message's `text`, for notifications and for who reads no blocks."""
    plain = _unescaped(text)
    while len(shown := escape_mrkdwn(plain)) > TEXT_CHARACTERS:
        plain = plain[: int(len(plain) * 0.8)].rstrip() + "…"
    return shown or "…"


def markdown_block(markdown: str) -> Block:
    """A markdown block."""
    return {"type": "markdown", "text": markdown}


def section(mrkdwn: str) -> Block:
    """A section of our own mrkdwn; Slack makes no links of its own in it."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": mrkdwn, "verbatim": True}}


def note(text: str) -> Block:
    """A small grey line of our own words."""
    element = {"type": "mrkdwn", "text": escape_mrkdwn(text), "verbatim": True}
    return {"type": "context", "elements": [element]}


def feedback_buttons(answer_id: UUID, texts: Texts) -> Block:
    """The thumbs. The value is the answer's id and the vote."""

    def button(name: str, vote: int) -> Block:
        label = {"type": "plain_text", "text": one_line(name, 75)}
        return {"text": label, "value": f"{answer_id}:{vote}", "accessibility_label": name[:75]}

    thumbs = {
        "type": "feedback_buttons",
        "action_id": FEEDBACK_ACTION,
        "positive_button": button(texts.get("feedback_good"), 1),
        "negative_button": button(texts.get("feedback_bad"), -1),
    }
    return {"type": "context_actions", "elements": [thumbs]}


def simpler(blocks: Sequence[Block]) -> list[Block]:
    """The same in blocks that every Slack has had for years: sections and plain buttons."""
    plain: list[Block] = []
    for block in blocks:
        if block["type"] == "markdown":
            text = _mrkdwn_of(block["text"])
            plain += [section(piece) for piece in split_markdown(text, SECTION_CHARACTERS)]
        elif block["type"] == "context_actions":
            plain.append(_plain_buttons(block))
        else:
            plain.append(block)
    return plain


def is_right_to_left_answer(answer: Answer, texts: Texts) -> bool:
    """Whether the lines below an answer run from right to left: as its furniture's language."""
    return texts.right_to_left or (bool(answer.text) and reads_right_to_left(answer.text))


def reads_right_to_left(text: str) -> bool:
    """Whether most letters of `text` are of scripts that run from right to left."""
    kinds = [unicodedata.bidirectional(character) for character in text]
    right = sum(kind in {"R", "AL"} for kind in kinds)
    return right > kinds.count("L")


def _ends_from_left(text: str) -> bool:
    """Whether the last word runs from left to right, so that what follows would join it."""
    kinds = (unicodedata.bidirectional(character) for character in reversed(text))
    return next((kind for kind in kinds if kind in {"L", "R", "AL"}), "R") == "L"


def _directed(markdown: str, right_to_left: bool) -> str:
    """Lines that begin with a number or a Latin word get the direction of the answer."""
    if not right_to_left:
        return markdown
    return "\n".join(_marked(line) for line in markdown.split("\n"))


def _marked(line: str) -> str:
    kinds = (unicodedata.bidirectional(character) for character in line)
    first = next((kind for kind in kinds if kind in {"L", "R", "AL"}), "R")
    if first != "L" and not re.match(r"\d", line):
        return line
    return f"- {RLM}{line[2:]}" if line.startswith("- ") else RLM + line


def _verified(approved_at: datetime, approver: str | None, texts: Texts) -> Block:
    day = f"{approved_at.astimezone(UTC):%Y-%m-%d}"
    date = f"<!date^{int(approved_at.timestamp())}^{{date_long}}|{day}>"  # in the reader's zone
    if approver:
        words = texts.get("verified_by", approver=escape_mrkdwn(one_line(approver, 80)), date=date)
    else:
        words = texts.get("verified", date=date)
    element = {"type": "mrkdwn", "text": f":white_check_mark: {words}", "verbatim": True}
    return {"type": "context", "elements": [element]}


def _listed(
    title: str, citations: Sequence[Citation], texts: Texts, *, right_to_left: bool
) -> list[Block]:
    if not citations:
        return []
    mark = RLM if right_to_left else ""
    lines = [mark + _source(citation, texts, apart=right_to_left) for citation in citations]
    blocks, lines_of_block = [], [f"{mark}*{title}*"]
    for line in lines:
        if sum(len(one) + 1 for one in (*lines_of_block, line)) > SECTION_CHARACTERS:
            blocks.append(section("\n".join(lines_of_block)))
            lines_of_block = []
        lines_of_block.append(line)
    return [*blocks, section("\n".join(lines_of_block))][: BLOCKS - 10]


def _source(citation: Citation, texts: Texts, *, apart: bool) -> str:
    """A numbered source. `apart`: in a line from right to left its title keeps to itself, whichever
    way it runs: what stands behind it, and digits at its edges, stay in their places."""
    label = " › ".join([citation.title or citation.document_key, *citation.heading_path])
    link = mrkdwn_link(citation.url, one_line(label, LABEL_CHARACTERS))
    link = f"{FSI}{link}{PDI}" if apart else link
    page = f", {texts.get('page', page=citation.page)}" if citation.page is not None else ""
    return f"{citation.number}. {link}{page}"


def _plain_buttons(block: Block) -> Block:
    thumbs = block["elements"][0]
    elements = []
    for side, emoji in (("positive_button", "👍"), ("negative_button", "👎")):
        label = {"type": "plain_text", "text": f"{emoji} {thumbs[side]['text']['text']}"}
        value = thumbs[side]["value"]
        action_id = f"{thumbs['action_id']}_{side}"
        elements.append({"type": "button", "action_id": action_id, "text": label, "value": value})
    return {"type": "actions", "elements": elements}


def _mrkdwn_of(markdown: str) -> str:
    """Our escaped markdown as mrkdwn: shown the same, without markdown's escapes."""
    text = escape_mrkdwn(_unescaped(markdown))
    return re.sub(r"(?m)^- ", "• ", text)


def _unescaped(markdown: str) -> str:
    text = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown)
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return inert(text)
