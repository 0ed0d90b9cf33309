"""Issues, pull requests and discussions as Markdown documents."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from knowledge.parsing.document import escape_markdown
from knowledge.sources.github.api import GitHub, Json, NotThereError

_COMMENTS = """
fragment Comments on IssueCommentConnection {
  pageInfo { hasNextPage endCursor }
  nodes { author { login } createdAt body }
}
"""
_ISSUES = """
query ($owner: String!, $name: String!) {
  repository(owner: $owner, name: $name) { %s }
}
"""
_ISSUE = """
n%(number)s: issueOrPullRequest(number: %(number)s) {
  ... on Issue { comments(first: 100%(after)s) { ...Comments } }
  ... on PullRequest { comments(first: 100%(after)s) { ...Comments } }
}
"""
_REPLIES = """
fragment Said on DiscussionCommentConnection {
  pageInfo { hasNextPage endCursor }
  nodes {
    author { login } createdAt body
    replies(first: 30) { nodes { author { login } createdAt body } }
  }
}
"""
_TOPIC = """
fragment Topic on Discussion {
  number title url body createdAt updatedAt
  author { login } category { name } answer { id }
  comments(first: 30) { ...Said }
}
"""
_DISCUSSIONS = f"""
query ($owner: String!, $name: String!, $after: String, $order: DiscussionOrder!) {{
  repository(owner: $owner, name: $name) {{
    discussions(first: 25, after: $after, orderBy: $order) {{
      pageInfo {{ hasNextPage endCursor }}
      nodes {{ ...Topic }}
    }}
  }}
}}
{_TOPIC}{_REPLIES}
"""
_DISCUSSION_NOW = f"""
query ($owner: String!, $name: String!, $number: Int!) {{
  repository(owner: $owner, name: $name) {{ discussion(number: $number) {{ ...Topic }} }}
}}
{_TOPIC}{_REPLIES}
"""
_DISCUSSION = f"""
query ($owner: String!, $name: String!, $number: Int!, $after: String) {{
  repository(owner: $owner, name: $name) {{
    discussion(number: $number) {{ comments(first: 100, after: $after) {{ ...Said }} }}
  }}
}}
{_REPLIES}
"""


@dataclass(frozen=True, slots=True)
class Said:
    """A comment."""

    author: str
    at: str
    body: str


def comment(node: Json) -> Said:
    """A comment of GraphQL's; the author's account may be gone."""
    author = (node.get("author") or {}).get("login") or "a former account"
    return Said(author, str(node["createdAt"])[:10], node.get("body") or "")


def conversation(title: str, facts: str, body: str, comments: Sequence[Said]) -> bytes:
    """The Markdown of a conversation."""
    start = [f"# {escape_markdown(title)}", facts, body.strip()]
    return b"\n\n".join(
        filter(None, ["\n\n".join(filter(None, start)).encode(), written(comments)])
    )


def written(comments: Sequence[Said]) -> bytes:
    """Comments, each under a heading."""
    return "\n\n".join(
        f"## Comment by {escape_markdown(said.author)}, {said.at}\n\n{said.body.strip()}"
        for said in comments
        if said.body.strip()
    ).encode()


def issue_facts(issue: Json) -> str:
    """What kind of thing it is, how it stands, who opened it, and its labels."""
    pull = issue.get("pull_request")
    state = "merged" if pull and pull.get("merged_at") else issue["state"]
    author = (issue.get("user") or {}).get("login") or "a former account"
    labels = ", ".join(label["name"] for label in issue.get("labels", ()))
    words = f"{'Pull request' if pull else 'Issue'} #{issue['number']}, {state}, opened by {author}"
    words += f" on {issue['created_at'][:10]}."
    return escape_markdown(f"{words} Labels: {labels}." if labels else words)


async def comments_of(
    api: GitHub, repository: str, numbers: Sequence[int]
) -> Mapping[int, Sequence[Said]]:
    """The comments of many issues and pull requests in one request, and more where one has many.

    What is deleted meanwhile is left out.
    """
    owner, _, name = repository.partition("/")
    found: dict[int, list[Said]] = {number: [] for number in numbers}
    waiting: dict[int, str] = dict.fromkeys(numbers, "")
    gone: set[int] = set()
    while waiting:
        asked = "".join(
            _ISSUE % {"number": number, "after": f', after: "{after}"' if after else ""}
            for number, after in waiting.items()
        )
        data = await api.query(_ISSUES % asked + _COMMENTS, owner=owner, name=name)
        answers, waiting = data["repository"], {}
        for number in found:
            if f"n{number}" not in answers:
                continue
            page = (answers[f"n{number}"] or {}).get("comments")
            if page is None:
                gone.add(number)
                continue
            found[number] += [comment(node) for node in page["nodes"]]
            if page["pageInfo"]["hasNextPage"]:
                waiting[number] = page["pageInfo"]["endCursor"]
    return {number: said for number, said in found.items() if number not in gone}


async def discussions(api: GitHub, repository: str, *, by_update: bool) -> AsyncIterator[Json]:
    """All discussions of a repository with their first comments: the last updated first, or in
    the order in which they were opened.
    """
    owner, _, name = repository.partition("/")
    order = {"field": "CREATED_AT", "direction": "ASC"}
    if by_update:
        order = {"field": "UPDATED_AT", "direction": "DESC"}
    after: str | None = None
    while True:
        data = await api.query(_DISCUSSIONS, owner=owner, name=name, after=after, order=order)
        page = data["repository"]["discussions"]
        for node in page["nodes"]:
            yield node
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


async def discussion(api: GitHub, repository: str, number: int) -> Json | None:
    """One discussion with its first comments; None: there is none of the number."""
    owner, _, name = repository.partition("/")
    try:
        data = await api.query(_DISCUSSION_NOW, owner=owner, name=name, number=number)
    except NotThereError:
        return None
    found: Json | None = data["repository"]["discussion"]
    return found


async def discussion_markdown(api: GitHub, repository: str, node: Json) -> bytes:
    """A discussion with all its comments, and the first replies to each."""
    owner, _, name = repository.partition("/")
    page = node["comments"]
    comments = list(_with_replies(page))
    while page["pageInfo"]["hasNextPage"]:
        variables: dict[str, Any] = {"number": node["number"], "owner": owner, "name": name}
        after = page["pageInfo"]["endCursor"]
        data = await api.query(_DISCUSSION, after=after, **variables)
        if data["repository"]["discussion"] is None:
            raise NotThereError("the discussion is deleted")
        page = data["repository"]["discussion"]["comments"]
        comments += _with_replies(page)
    opened = comment(node)
    state = "answered" if node.get("answer") else "not answered"
    category = (node.get("category") or {}).get("name") or "no category"
    facts = escape_markdown(
        f"Discussion #{node['number']} ({category}), {state}, opened by {opened.author} "
        f"on {opened.at}."
    )
    return conversation(node["title"], facts, opened.body, comments)


def _with_replies(page: Json) -> list[Said]:
    found = []
    for node in page["nodes"]:
        found += [comment(node), *(comment(reply) for reply in node["replies"]["nodes"])]
    return found


def moment(text: str) -> datetime:
    """A time of GitHub's."""
    return datetime.fromisoformat(text)
