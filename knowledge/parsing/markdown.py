"""Markdown: front matter, and what a site generator would have replaced."""

import html
import re
import tomllib
from collections.abc import Callable
from typing import Any

import yaml

from knowledge.errors import EmptyDocumentError
from knowledge.parsing.characters import decode
from knowledge.parsing.document import Page, ParsedDocument, title_of_name
from knowledge.parsing.html import html_markdown

_FRONT_MATTER = re.compile(
    r"\A\s*(?P<fence>---|\+\+\+)[ \t]*\n(?P<head>.*?)^(?P=fence)[ \t]*(?:\n|\Z)",
    re.DOTALL | re.MULTILINE,
)
_HEADING = re.compile(r"^(?:# +(?P<atx>.+?)[ #]*|(?P<setext>\S.*)\n=+[ \t]*)$", re.MULTILINE)
_CODE = re.compile(
    r"^[ \t]*(?P<fence>`{3,}|~{3,}).*?^[ \t]*(?P=fence)[`~]*[ \t]*$"
    r"|(?<!`)(?P<tick>`+)(?!`)(?:(?!\n\n).)+?(?<!`)(?P=tick)(?!`)",
    re.DOTALL | re.MULTILINE,
)
_RAW = re.compile(r"\{%-?\s*(?:end)?raw\s*-?%\}")
_COMMENT = re.compile(r"\{%-?\s*comment\b.*?endcomment\s*-?%\}|<!--.*?-->", re.DOTALL)
_TAG = re.compile(
    r"\{%-?\s*(?P<liquid>[^%}]*(?:%(?!\})[^%}]*)*)-?%\}|\{\{[<%]\s*(?P<hugo>.*?)\s*[>%]\}\}",
    re.DOTALL,
)
_OUTPUT = re.compile(r"\{\{-?\s*\w+\s*[.|][^{}]*\}\}")
_ATTRIBUTES = re.compile(r"[ \t]*\{:?[ \t]*[#.][^{}\n]*\}|^\{:[^{}\n]*\}[ \t]*$", re.MULTILINE)
_DEAD_LINK = re.compile(r"\\?\[([^\]]+)\]\(\s*\)")  # its target was a shortcode
_WIKI_LINK = re.compile(r"!?\[\[([^\]|\n]+)(?:\|([^\]\n]+))?\]\]")
_FOOTNOTE = re.compile(r"^\[\^[^\]\s]+\]:[ \t]*|\[\^[^\]\s]+\]", re.MULTILINE)
_HTML_TABLE = re.compile(r"^[ \t]*<table\b.*?</table>", re.DOTALL | re.MULTILINE | re.IGNORECASE)
_SUMMARY = re.compile(r"<summary[^>]*>(.*?)</summary>", re.DOTALL | re.IGNORECASE)
_QUOTED = re.compile(
    r"(?:(?P<name>[\w-]+)\s*[=:]\s*)?(?P<quote>[\"'“])(?P<value>.*?)[\"'”]", re.DOTALL
)
_PATH = re.compile(r"[/\\]|\.\w{2,5}$|^https?:")

# Tags that stand for no words of their own: links, parts of pages, pictures without a caption.
_SILENT = re.compile(
    r"page|link|url|ref|include|render|partial|asset|icon|import|layout|set|assign"
)
_PICTURE = re.compile(r"image|img|figure|picture|screenshot|video")


def parse_markdown(raw: bytes, name: str) -> ParsedDocument:
    """Markdown as people keep it in wikis and site generators."""
    head, body = split_front_matter(decode(raw, name))
    body = plain_markdown(body)
    if not body.strip():
        raise EmptyDocumentError(f"{name} holds no text (a redirect, or only a title).")
    title = str(head.get("title") or "").strip()
    if not title:
        found = _HEADING.search(_CODE.sub("", body))
        title = (found["atx"] or found["setext"]).strip() if found else title_of_name(name)
    url = head.get("url") or head.get("permalink")
    return ParsedDocument(
        _plain_title(title), (Page(None, body),), url if isinstance(url, str) else None
    )


def _plain_title(title: str) -> str:
    text = re.sub(r"<[^<>]*>|[*`]+|\B_+|_+\B", "", title)
    return html.unescape(re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text))


def split_front_matter(text: str) -> tuple[dict[str, Any], str]:
    """The YAML or TOML head of a page, empty where there is none, and the text below it."""
    found = _FRONT_MATTER.match(text)
    if not found:
        return {}, text
    try:
        load: Callable[[str], Any] = tomllib.loads if found["fence"] == "+++" else yaml.safe_load
        head = load(found["head"])
    except (yaml.YAMLError, tomllib.TOMLDecodeError, ValueError):
        head = None
    if not isinstance(head, dict):  # two rules with text between them, or a broken head
        return {}, text if head is not None else text[found.end() :]
    return head, text[found.end() :]


def plain_markdown(text: str) -> str:
    """Markdown without shortcodes, attributes and comments; code stays as it is."""
    codes: list[str] = []

    def put_aside(code: re.Match[str]) -> str:
        codes.append(code[0])
        return f"\x00{len(codes) - 1}\x00"  # the text has no such character of its own

    clean = _clean(_CODE.sub(put_aside, text))
    return _RAW.sub("", re.sub("\x00(\\d+)\x00", lambda mark: codes[int(mark[1])], clean))


def _clean(text: str) -> str:
    text = _COMMENT.sub("", text)
    text = _TAG.sub(_words_of_tag, _RAW.sub("", text))
    text = _DEAD_LINK.sub(r"\1", text)
    text = _ATTRIBUTES.sub("", _OUTPUT.sub("", text))
    text = _WIKI_LINK.sub(lambda link: link[2] or link[1], text)
    text = _FOOTNOTE.sub("", text)
    text = _SUMMARY.sub(lambda summary: f"\n\n{summary[1].strip()}\n\n", text)
    return _HTML_TABLE.sub(lambda table: f"\n\n{html_markdown(table[0])}\n\n", text)


def _words_of_tag(tag: re.Match[str]) -> str:
    """What a reader of the site would see of a shortcode, as far as its arguments tell."""
    content = tag["liquid"] or tag["hugo"] or ""
    name = content.split(maxsplit=1)[0].strip("\"'") if content.split() else ""
    words = [
        match["value"]
        for match in _QUOTED.finditer(content)
        if (match["name"] in {None, "title", "alt", "caption", "text", "summary", "label"})
        and not _PATH.search(match["value"])
    ]
    if not words or name.startswith(("end", "/")) or _SILENT.search(name):
        return ""
    if _PICTURE.search(name):
        return words[-1]
    return f"#{words[0].lstrip('#')}" if "channel" in name else words[0]
