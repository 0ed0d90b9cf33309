"""The playground's page in a real Chromium, against the real server and a small bolt app."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, async_playwright, expect
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.seed import ASK_HR, GENERAL, LAYLA, NORA, SAM, default_workspace
from bot.playground.server import Playground
from bot.playground.team import User

# One browser for all: starting it takes longer than most of the tests.
pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

Json = dict[str, Any]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ANSWER = ("Twenty-five", " **days**, see the [policy](https://handbook.example/leave).")
HOSTILE = "<img src=x onerror=hacked=1><script>hacked=1</script>"


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


SOURCES = {"type": "context", "elements": [{"type": "mrkdwn", "text": "From the handbook"}]}
THUMBS = {
    "type": "context_actions",
    "elements": [
        {
            "type": "feedback_buttons",
            "action_id": "rate",
            "positive_button": {"text": plain("Good answer"), "value": "good"},
            "negative_button": {"text": plain("Bad answer"), "value": "bad"},
        }
    ],
}
MODAL = {
    "type": "modal",
    "callback_id": "correction",
    "title": plain("Correct the answer"),
    "submit": plain("Save"),
    "blocks": [
        {
            "type": "input",
            "block_id": "days",
            "label": plain("Days of leave"),
            "element": {"type": "plain_text_input", "action_id": "number"},
        }
    ],
}
HOME = {
    "type": "home",
    "blocks": [
        {"type": "header", "text": plain("Your lore")},
        {
            "type": "actions",
            "elements": [
                {
                    "type": "button",
                    "action_id": "forget",
                    "text": plain("Forget me"),
                    "confirm": {
                        "title": plain("Forget everything?"),
                        "text": plain("It stays forgotten."),
                        "confirm": plain("Forget"),
                        "deny": plain("Keep"),
                    },
                }
            ],
        },
    ],
}


@dataclass
class Bot:
    """A bolt app that answers mentions, and what reached it."""

    app: AsyncApp
    bolder: asyncio.Event = field(default_factory=asyncio.Event)
    actions: list[Json] = field(default_factory=list)
    submitted: list[str] = field(default_factory=list)
    stopped: list[Json] = field(default_factory=list)

    def listen(self) -> None:
        self.app.event("app_mention")(self.answer)
        self.app.event("app_home_opened")(self.opened)
        self.app.event("agent_session_stopped")(self.stop)
        self.app.event(re.compile(".*"))(self.ignore)
        self.app.action(re.compile(".*"))(self.act)
        self.app.command("/lorewise")(self.correct)
        self.app.view("correction")(self.submit)
        self.app.shortcut("ask_lorewise")(self.whisper)

    async def answer(self, event: Json, client: AsyncWebClient, context: Any) -> None:
        place = {"channel_id": event["channel"], "thread_ts": event["ts"]}
        await client.assistant_threads_setStatus(**place, status="is searching…")
        await client.api_call("agents.sessions.setStatus", json={**place, "status": "processing"})
        await self.bolder.wait()
        self.bolder.clear()
        stream = await client.chat_stream(
            channel=event["channel"],
            thread_ts=event["ts"],
            recipient_team_id=context.team_id,
            recipient_user_id=event["user"],
            buffer_size=1,
        )
        await stream.append(markdown_text=ANSWER[0])
        await self.bolder.wait()
        await stream.append(markdown_text=ANSWER[1])
        await stream.stop(blocks=[SOURCES, THUMBS])
        await client.api_call("agents.sessions.setStatus", json={**place, "status": "active"})

    async def opened(self, event: Json, client: AsyncWebClient) -> None:
        if event["tab"] == "home":
            await client.views_publish(user_id=event["user"], view=HOME)
            return
        prompts = [{"title": "Leave?", "message": "How many days of leave?"}]
        await client.assistant_threads_setSuggestedPrompts(
            channel_id=event["channel"], thread_ts="", title="Ask me", prompts=prompts
        )

    async def stop(self, event: Json) -> None:
        self.stopped.append(event)

    async def ignore(self) -> None:
        pass

    async def act(self, ack: Any, action: Json) -> None:
        await ack()
        self.actions.append(action)

    async def correct(self, ack: Any, body: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=MODAL)

    async def submit(self, ack: Any, view: Json) -> None:
        number = view["state"]["values"]["days"]["number"]["value"]
        if not number.isdigit():
            await ack(response_action="errors", errors={"days": "A number, please."})
            return
        self.submitted.append(number)
        await ack()

    async def whisper(self, ack: Any, body: Json, client: AsyncWebClient) -> None:
        await ack()
        await client.chat_postEphemeral(
            channel=body["channel"]["id"], user=body["user"]["id"], text="A secret for you"
        )


@pytest_asyncio.fixture(loop_scope="module")
async def playground() -> AsyncIterator[Playground]:
    async with Playground(default_workspace()) as playground:
        yield playground


@pytest_asyncio.fixture(loop_scope="module")
async def bot(playground: Playground) -> AsyncIterator[Bot]:
    bot = Bot(AsyncApp(client=AsyncWebClient(playground.bot_token, base_url=playground.api_url)))
    bot.listen()
    handler = AsyncSocketModeHandler(bot.app, playground.app_token)
    await handler.connect_async()  # type: ignore[no-untyped-call]
    yield bot
    await handler.close_async()  # type: ignore[no-untyped-call]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.fail("These tests drive a real Chromium: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(playground: Playground, browser: Browser) -> AsyncIterator[Page]:
    """A page that may not fail, and may not ask any other server."""
    page = await browser.new_page(viewport={"width": 1280, "height": 800})
    errors: list[str] = []
    foreign: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda r: None if playground.url in r.url else foreign.append(r.url))
    yield page
    await page.close()
    assert errors == []
    assert [url for url in foreign if not url.startswith("data:")] == []


async def visit(page: Page, playground: Playground, query: str) -> None:
    await page.goto(f"{playground.url}/?{query}")
    await page.wait_for_selector("body[data-ready]")


async def write(page: Page, text: str, composer: str = "Message #ask-hr") -> None:
    await page.get_by_role("textbox", name=composer).fill(text)
    await page.keyboard.press("Enter")


def row(page: Page, text: str, pane: str = "#main") -> Locator:
    return page.locator(f"{pane} .message", has_text=text)


async def answered(page: Page, bot: Bot) -> Locator:
    """Ask in #ask-hr; gives the answer's row in the thread, which opened by itself."""
    await write(page, "@Lorewise how much leave?")
    bot.bolder.set()
    answer = row(page, ANSWER[0], "#thread")
    await expect(answer).to_be_visible()
    bot.bolder.set()
    await expect(answer.locator(".caret")).to_have_count(0)
    return answer


async def test_a_mention_is_answered_by_a_stream_that_grows_in_its_thread(
    page: Page, playground: Playground, bot: Bot
) -> None:
    await visit(page, playground, f"user={NORA}&channel={ASK_HR}")
    await write(page, "@Lorewise how much leave?")
    thread = page.get_by_role("complementary", name="Thread")
    await expect(thread.get_by_text("Lorewise is searching…")).to_be_visible()
    await expect(thread.get_by_role("button", name="Stop")).to_be_visible()
    bot.bolder.set()
    answer = row(page, ANSWER[0], "#thread")
    await expect(answer.locator(".caret")).to_be_visible()
    await expect(answer.get_by_text("days")).to_have_count(0)
    bot.bolder.set()
    await expect(answer.locator("strong", has_text="days")).to_be_visible()
    await expect(answer.locator(".caret")).to_have_count(0)
    link = answer.get_by_role("link", name="policy")
    await expect(link).to_have_attribute("href", "https://handbook.example/leave")
    await expect(link).to_have_attribute("rel", re.compile("noopener"))
    await expect(answer.get_by_text("From the handbook")).to_be_visible()
    await expect(thread.get_by_role("button", name="Stop")).to_have_count(0)
    await expect(page.locator("#announcer")).to_contain_text("Twenty-five days")
    assert "<@U0LOREWISE>" in playground.messages(ASK_HR)[0].text


async def test_a_thumb_reaches_the_app_and_stays_pressed(
    page: Page, playground: Playground, bot: Bot
) -> None:
    await visit(page, playground, f"user={NORA}&channel={ASK_HR}")
    answer = await answered(page, bot)
    down = answer.get_by_role("button", name="Bad answer")
    await down.click()
    await expect(down).to_have_attribute("aria-pressed", "true")
    await expect(answer.get_by_role("button", name="Good")).to_have_attribute(
        "aria-pressed", "false"
    )
    (action,) = bot.actions
    assert (action["type"], action["value"]) == ("feedback_buttons", "bad")


async def test_stop_reaches_the_app(page: Page, playground: Playground, bot: Bot) -> None:
    await visit(page, playground, f"user={NORA}&channel={ASK_HR}")
    await write(page, "@Lorewise how much leave?")
    bot.bolder.set()
    await expect(row(page, ANSWER[0], "#thread")).to_be_visible()
    await page.locator("#thread").get_by_role("button", name="Stop").click()
    await playground.wait_for(lambda: bot.stopped)
    assert bot.stopped[0]["user"] == NORA
    await expect(row(page, ANSWER[0], "#thread").locator(".caret")).to_have_count(0)


async def test_a_reaction_is_added_and_taken_back(
    page: Page, playground: Playground, bot: Bot
) -> None:
    said = await playground.say(SAM, ASK_HR, "Lunch?")
    await visit(page, playground, f"user={NORA}&channel={ASK_HR}")
    await row(page, "Lunch?").hover()
    await row(page, "Lunch?").get_by_role("button", name="Add a reaction").click()
    await page.get_by_role("menuitem", name="tada").click()
    chip = row(page, "Lunch?").get_by_role("button", name="tada, 1: Nora Haddad")
    await expect(chip).to_have_attribute("aria-pressed", "true")
    assert said.reactions["tada"] == [NORA]
    await chip.click()
    await expect(chip).to_have_count(0)
    assert said.reactions["tada"] == []


async def test_a_command_opens_a_modal_that_shows_errors_until_it_is_right(
    page: Page, playground: Playground, bot: Bot
) -> None:
    await visit(page, playground, f"user={NORA}&channel={ASK_HR}")
    await write(page, "/lorewise correct")
    dialog = page.get_by_role("dialog", name="Correct the answer")
    number = dialog.get_by_role("textbox", name="Days of leave")
    await expect(number).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(dialog.get_by_role("alert").first).to_contain_text("required")
    await page.keyboard.type("many")
    await page.keyboard.press("Enter")
    await expect(dialog.get_by_text("A number, please.")).to_be_visible()
    await expect(number).to_have_attribute("aria-invalid", "true")
    for _ in range(8):  # more often than there are stops: the focus stays inside
        await page.keyboard.press("Tab")
        assert await dialog.evaluate("node => node.contains(document.activeElement)")
    await number.fill("25")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_have_count(0)
    assert bot.submitted == ["25"]
    await page.keyboard.type("typed on")
    await expect(page.get_by_role("textbox", name="Message #ask-hr")).to_have_value("typed on")


async def test_right_to_left_text_runs_right_to_left(
    page: Page, playground: Playground, bot: Bot
) -> None:
    client = bot.app.client
    text = (
        "## الإجازة\n\nلديك 25 يوماً\n\n- HR توافق خلال 3 أيام\n\n|الفئة|الأيام|\n|-|-|\n|جديد|25|"
    )
    await playground.say(LAYLA, ASK_HR, "@Lorewise هل أستخدم VPN؟")
    await playground.say(SAM, ASK_HR, "An English line\nسطر عربي")
    await client.chat_postMessage(
        channel=ASK_HR, text="x", blocks=[{"type": "markdown", "text": text}]
    )
    await visit(page, playground, f"user={NORA}&channel={ASK_HR}")
    for words, direction in (
        ("هل أستخدم", "rtl"),
        ("An English line", "ltr"),
        ("سطر عربي", "rtl"),
        ("لديك", "rtl"),
        ("توافق", "rtl"),
        ("الفئة", "rtl"),
        ("الإجازة", "rtl"),
    ):
        node = page.locator("#main").get_by_text(words).last
        assert await node.evaluate("node => getComputedStyle(node).direction") == direction
    bullets = page.locator("#main .prose ul")
    assert await bullets.evaluate("node => getComputedStyle(node).direction") == "rtl"


async def test_hostile_text_stays_text(page: Page, playground: Playground, bot: Bot) -> None:
    playground.workspace.add_user(User("U0MALLORY0", HOSTILE, HOSTILE))
    playground.workspace.join("U0MALLORY0", ASK_HR)
    hostile_link = "[click](javascript:hacked=1) <javascript:hacked=1|click> " + HOSTILE
    blocks: list[Json] = [
        {"type": "header", "text": plain(HOSTILE)},
        {"type": "section", "text": {"type": "mrkdwn", "text": hostile_link}},
        {
            "type": "markdown",
            "text": f"{hostile_link}\n\n|{HOSTILE}|b|\n|-|-|\n|c|d|\n\n# {HOSTILE}",
        },
        {
            "type": "actions",
            "elements": [{"type": "button", "action_id": "x", "text": plain("<b>")}],
        },
        {"type": "image", "image_url": "https://elsewhere.example/x.png", "alt_text": HOSTILE},
    ]
    await bot.app.client.chat_postMessage(channel=ASK_HR, text=HOSTILE, blocks=blocks)
    await playground.say("U0MALLORY0", ASK_HR, HOSTILE + " <javascript:hacked=1>")
    await visit(page, playground, f"user={NORA}&channel={ASK_HR}")
    await expect(page.locator("#main .message")).to_have_count(2)
    await expect(page.locator("#main .author", has_text="onerror")).to_be_visible()
    assert await page.locator("#main .message").first.inner_text() != ""
    assert await page.locator("#app :is(img, script, iframe)").count() == 0
    assert await page.locator("a[href^='javascript']").count() == 0
    assert await page.locator("#app [onerror]").count() == 0
    assert await page.evaluate("typeof hacked") == "undefined"
    assert await page.locator("#main", has_text=HOSTILE).count() == 1


async def test_everything_can_be_done_by_keyboard(
    page: Page, playground: Playground, bot: Bot
) -> None:
    await playground.say(SAM, ASK_HR, "Good morning")
    await visit(page, playground, f"user={NORA}&channel={GENERAL}")
    keys = page.keyboard
    await keys.press("Control+k")
    await keys.type("ask")
    await keys.press("Enter")
    composer = page.get_by_role("textbox", name="Message #ask-hr")
    await expect(composer).to_be_focused()
    await expect(row(page, "Good morning")).to_be_visible()
    await keys.type("@lo")
    await expect(page.get_by_role("option", name="Lorewise")).to_have_attribute(
        "aria-selected", "true"
    )
    await keys.press("Enter")
    await keys.type("line one")
    await keys.press("Shift+Enter")
    await keys.type("line two")
    await expect(composer).to_have_value("@Lorewise line one\nline two")
    await keys.press("Enter")
    await expect(row(page, "line two")).to_be_visible()
    await keys.press("ArrowUp")
    await expect(row(page, "line two")).to_be_focused()
    await keys.press("ArrowUp")
    await expect(row(page, "Good morning")).to_be_focused()
    await keys.press("Tab")
    await keys.press("Enter")
    await keys.press("ArrowRight")
    await keys.press("Enter")
    await expect(row(page, "Good morning").get_by_role("button", name="-1, 1")).to_be_visible()
    await row(page, "Good morning").focus()
    await keys.press("Enter")
    await expect(page.get_by_role("textbox", name="Reply in the thread")).to_be_focused()
    await keys.type("Morning!")
    await keys.press("Enter")
    await expect(row(page, "Morning!", "#thread")).to_be_visible()
    await keys.press("Escape")
    await expect(page.locator("#thread")).to_be_hidden()
    await expect(row(page, "Good morning")).to_be_focused()
    reply = next(m for m in playground.messages(ASK_HR) if m.text == "Morning!")
    assert reply.is_reply


async def test_the_home_tab_asks_before_a_button_that_wants_it(
    page: Page, playground: Playground, bot: Bot
) -> None:
    await visit(page, playground, f"user={SAM}&channel=home")
    await expect(page.get_by_role("heading", name="Your lore")).to_be_visible()
    await page.get_by_role("button", name="Forget me").click()
    await page.get_by_role("button", name="Keep").click()
    await page.get_by_role("button", name="Forget me").click()
    await page.get_by_role("alertdialog").get_by_role("button", name="Forget", exact=True).click()
    await playground.wait_for(lambda: bot.actions)
    assert [action["action_id"] for action in bot.actions] == ["forget"]


async def test_the_bots_conversation_offers_questions_to_ask(
    page: Page, playground: Playground, bot: Bot
) -> None:
    await visit(page, playground, f"user={SAM}")
    await page.get_by_role("button", name="Leave?").click()
    await expect(row(page, "How many days of leave?")).to_be_visible()


async def test_own_messages_are_edited_and_deleted_and_shortcuts_whisper(
    page: Page, playground: Playground, bot: Bot
) -> None:
    said = await playground.say(NORA, ASK_HR, "Hello @Sam Okafor")
    await visit(page, playground, f"user={NORA}&channel={ASK_HR}")
    await row(page, "Hello").hover()
    await row(page, "Hello").get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Edit message").click()
    editor = page.get_by_role("textbox", name="Edit your message")
    await expect(editor).to_have_value("Hello @Sam Okafor")
    await editor.fill("Goodbye @Sam Okafor")
    await page.keyboard.press("Enter")
    await expect(row(page, "Goodbye").get_by_text("(edited)")).to_be_visible()
    assert said.text == f"Goodbye <@{SAM}>"
    await row(page, "Goodbye").hover()
    await row(page, "Goodbye").get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Ask Lorewise").click()
    await expect(row(page, "A secret").get_by_text("Only visible to you")).to_be_visible()
    await row(page, "Goodbye").hover()
    await row(page, "Goodbye").get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Delete message").click()
    await page.get_by_role("button", name="Delete", exact=True).click()
    await expect(row(page, "Goodbye")).to_have_count(0)


async def test_a_lost_connection_is_shown_and_made_good(
    page: Page, playground: Playground, bot: Bot
) -> None:
    await visit(page, playground, f"user={NORA}&channel={ASK_HR}")
    playground.workspace.pages.close()
    await playground.say(SAM, ASK_HR, "Said while you were away")
    await expect(page.get_by_text("Reconnecting…")).to_be_visible()
    await expect(row(page, "Said while you were away")).to_be_visible()
    await expect(page.get_by_text("Reconnecting…")).to_be_hidden()
    await playground.say(SAM, GENERAL, "Said elsewhere")
    sidebar = page.get_by_role("navigation", name="Workspace")
    general = sidebar.get_by_role("button", name="general")
    await expect(general.get_by_role("img", name="unread")).to_be_visible()
    await general.click()
    await expect(row(page, "Said elsewhere")).to_be_visible()
    await expect(general.get_by_role("img", name="unread")).to_have_count(0)


async def test_the_page_fits_a_phone_and_says_who_you_are(
    page: Page, playground: Playground, bot: Bot
) -> None:
    await playground.say(SAM, ASK_HR, "```" + "wide " * 60 + "```")
    await page.set_viewport_size({"width": 380, "height": 700})
    await visit(page, playground, f"user={NORA}&channel={ASK_HR}")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 380
    await page.get_by_role("button", name="Show the sidebar").click()
    who = page.get_by_role("combobox", name="You are")
    assert json.loads(
        await who.evaluate("n => JSON.stringify([...n.options].map(o => o.text))")
    ) == [
        "Nora (employee)",
        "Sam (admin)",
        "Layla (employee)",
    ]
    await who.select_option(SAM)
    await page.wait_for_url(f"**user={SAM}*")
    await expect(page.get_by_role("textbox", name="Message #ask-hr")).to_be_visible()
