"""How the sites of Atlassian are asked: credentials, and listings by links."""

import base64
from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlsplit

from knowledge.errors import SourceError
from knowledge.sources.atlassian import Json, is_cloud
from knowledge.sources.kind import Options
from knowledge.sources.patience import Vendor
from knowledge.sources.vendor_api import VendorApi


def atlassian_api(name: str, location: str, options: Options) -> VendorApi:
    """The API of a site. Raises SourceError: no URL, no token."""
    if urlsplit(location).scheme not in {"http", "https"} or not urlsplit(location).hostname:
        raise SourceError(f"{location} is not a URL: write the site's address, https://...")
    token, account = options.get("token"), options.get("email")
    if not token:
        raise SourceError(f"{name} needs token=env:NAME_OF_THE_VARIABLE with an API token.")
    if is_cloud(location, options) and not account:
        raise SourceError(f"{name} Cloud needs email=..., the e-mail of the token's account.")
    if account:
        header = "Basic " + base64.b64encode(f"{account}:{token}".encode()).decode()
    else:
        header = f"Bearer {token}"

    async def authorize() -> Mapping[str, str]:
        return {"Authorization": header}

    return VendorApi(
        vendor=Vendor(name),
        base_url=location.rstrip("/"),
        authorize=authorize,
        secret="Make a new API token, put it into the variable that the option token names, and "
        "check the option email.",
    )


async def linked_pages(
    api: VendorApi,
    path: str,
    params: Mapping[str, str | int],
    *,
    context: str,
    missing_ok: bool = False,
) -> AsyncIterator[Json]:
    """The answers of a Confluence listing, from `_links.next` to `_links.next`.

    `context` is the path under which the site stands on its host; some links begin with it.
    `missing_ok`: what is not there has no answers.
    """
    reply = await api.ask("GET", path, params, allow={404} if missing_ok else ())
    if reply.status == 404:
        return
    answer = reply.data
    seen: set[str] = set()
    while True:
        yield answer
        link = (answer.get("_links") or {}).get("next")
        if not link:
            return
        if link in seen:
            raise SourceError(f"{api.name} repeats a page of its listing. Index it again later.")
        seen.add(link)
        answer = await api.get(link if "://" in link else str(link).removeprefix(context))


async def linked(
    api: VendorApi,
    path: str,
    params: Mapping[str, str | int],
    *,
    context: str,
    missing_ok: bool = False,
) -> AsyncIterator[Json]:
    """The results of a Confluence listing, over all its pages."""
    pages = linked_pages(api, path, params, context=context, missing_ok=missing_ok)
    async for answer in pages:
        for result in answer.get("results") or ():
            yield result
