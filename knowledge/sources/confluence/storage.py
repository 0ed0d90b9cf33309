"""Confluence's storage format (XHTML with macros) as plain HTML.

What a reader of the page would see stays; navigation, and text that is taken from other pages
(whose readers may be others), goes.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape

from bs4 import BeautifulSoup, Tag

VERSION = 1  # to be raised when the same page gives other HTML

_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_BOXES = {"info", "note", "warning", "tip", "panel", "success", "error"}
_ELSEWHERE = {
    "attachments", "blog-posts", "children", "content-by-user", "contentbylabel",
    "detailssummary", "excerpt-include", "gallery", "include", "labels-list", "livesearch",
    "pagetree", "pagetreesearch", "recently-updated", "recently-updated-dashboard", "toc",
    "toc-zone-nav", "viewpdf", "viewfile", "profile", "space-details",
}  # fmt: skip
_TOP_HEADING = re.compile(r"^h([1-5])$")


def account_ids(storage: str) -> set[str]:
    """The people whom a page mentions, by account id, user key or user name."""
    pattern = r'ri:(?:account-id|userkey|username)="([^"]+)"'
    return set(re.findall(pattern, storage))


def page_html(
    title: str, storage: str, *, labels: Sequence[str] = (), names: Mapping[str, str] | None = None
) -> bytes:
    """A page as an HTML document; its headings stand one level under the title."""
    soup = BeautifulSoup(_CDATA.sub(lambda text: escape(text[1]), storage), "html.parser")
    _Converter(soup, names or {}).convert()
    for heading in soup.find_all(_TOP_HEADING):
        heading.name = f"h{int(heading.name[1]) + 1}"
    tags = f"<p>Labels: {escape(', '.join(labels))}</p>" if labels else ""
    head = f"<h1>{escape(title)}</h1>"
    return f"<!doctype html><meta charset=utf-8>{head}{tags}{soup}".encode()


class _Converter:
    """Replaces Confluence's elements in a parsed page, the innermost first."""

    def __init__(self, soup: BeautifulSoup, names: Mapping[str, str]) -> None:
        self._soup = soup
        self._names = names
        self._elements: dict[str, Callable[[Tag], None]] = {
            "ac:structured-macro": self._macro,
            "ac:macro": self._macro,
            "ac:task": self._task,
            "ac:link": self._link,
            "ac:image": self._image,
            "ac:emoticon": self._emoticon,
            "ac:adf-extension": self._extension,
            "time": self._time,
        }

    def convert(self) -> None:
        """All elements of the page."""
        for element in reversed(self._soup.find_all(list(self._elements))):
            self._elements[element.name](element)
        for tasks in self._soup.find_all("ac:task-list"):
            tasks.name = "ul"
        for gone in self._soup.find_all(["ac:placeholder", "ac:parameter"]):
            gone.decompose()
        for element in self._soup.find_all(re.compile("^(ac|ri|at):")):
            element.unwrap()

    def _macro(self, macro: Tag) -> None:
        name = str(macro.get("ac:name") or "")
        if name in _ELSEWHERE:
            macro.decompose()
        elif name in {"status", "jira"}:
            macro.replace_with(self._parameter(macro, "title") or self._parameter(macro, "key"))
        elif plain := macro.find("ac:plain-text-body", recursive=False):
            self._plain(macro, plain, name)
        else:
            self._rich(macro, name)

    def _plain(self, macro: Tag, plain: Tag, name: str) -> None:
        if name == "html":  # markup that runs in the browser, not text
            macro.decompose()
            return
        block = self._soup.new_tag("pre")
        language = self._parameter(macro, "language")
        code = self._soup.new_tag(
            "code", attrs={"class": f"language-{language}"} if language else {}
        )
        code.string = plain.get_text()
        block.append(code)
        self._with_title(macro, block)

    def _rich(self, macro: Tag, name: str) -> None:
        rich = macro.find("ac:rich-text-body", recursive=False)
        box = self._soup.new_tag("blockquote" if name in _BOXES else "div")
        if isinstance(rich, Tag):
            box.extend(list(rich.contents))
        if name in _BOXES - {"panel"}:
            self._prefix(box, name.capitalize())
        self._with_title(macro, box)

    def _with_title(self, macro: Tag, block: Tag) -> None:
        title = self._parameter(macro, "title")
        if title and block.name != "pre":
            self._prefix(block, title)
        elif title:
            macro.insert_before(self._strong(title))
        macro.replace_with(block)

    def _prefix(self, block: Tag, title: str) -> None:
        block.insert(0, self._strong(title))

    def _strong(self, text: str) -> Tag:
        paragraph, strong = self._soup.new_tag("p"), self._soup.new_tag("strong")
        strong.string = text
        paragraph.append(strong)
        return paragraph

    def _parameter(self, macro: Tag, name: str) -> str:
        found = macro.find("ac:parameter", attrs={"ac:name": name}, recursive=False)
        return found.get_text(" ", strip=True) if isinstance(found, Tag) else ""

    def _task(self, task: Tag) -> None:
        status = task.find("ac:task-status")
        done = status is not None and status.get_text(strip=True) == "complete"
        for other in task.find_all(
            ["ac:task-id", "ac:task-status", "ac:task-uuid"], recursive=False
        ):
            other.decompose()
        task.name = "li"
        task.insert(0, "[x] " if done else "[ ] ")

    def _link(self, link: Tag) -> None:
        user = link.find("ri:user")
        body = link.find(["ac:plain-text-link-body", "ac:link-body"])
        if isinstance(user, Tag):
            keys = ("ri:account-id", "ri:userkey", "ri:username")
            account = next((str(user[key]) for key in keys if user.get(key)), "")
            link.replace_with("@" + self._names.get(account, "someone"))
        elif isinstance(body, Tag) and body.get_text(strip=True):
            link.replace_with(*list(body.contents))
        else:
            link.replace_with(_target(link))

    def _image(self, image: Tag) -> None:
        image.replace_with(str(image.get("ac:alt") or image.get("ac:title") or ""))

    def _emoticon(self, emoticon: Tag) -> None:
        emoticon.replace_with(str(emoticon.get("ac:emoji-fallback") or ""))

    def _extension(self, extension: Tag) -> None:
        """An element of the new editor: the fallback is what the old one would show."""
        fallback = extension.find("ac:adf-fallback")
        if isinstance(fallback, Tag):
            extension.replace_with(*list(fallback.contents))
        else:
            extension.name = "div"
            for attribute in extension.find_all("ac:adf-attribute"):
                attribute.decompose()

    def _time(self, time: Tag) -> None:
        if not time.get_text(strip=True):
            time.replace_with(str(time.get("datetime") or ""))


def _target(link: Tag) -> str:
    """What a link without words of its own leads to."""
    for element in link.find_all(re.compile("^ri:")):
        for key in ("ri:content-title", "ri:filename", "ri:space-key", "ri:value"):
            if element.get(key):
                return str(element[key])
    return str(link.get("ac:anchor") or "")
