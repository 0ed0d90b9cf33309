/** One message as a row of a timeline. */

import { renderBlocks } from "./blocks.js";
import { settleDirection } from "./direction.js";
import { el } from "./element.js";
import { ownUrl } from "./link.js";
import { markdown } from "./markdown.js";
import { mrkdwn } from "./mrkdwn.js";
import { avatar, userName } from "./people.js";
import { reactionChips } from "./reactions.js";
import { store } from "./store.js";
import { Surface } from "./surface.js";
import { clock, fullTime } from "./time.js";
import { toolbar } from "./toolbar.js";

/** @typedef {import("./types.js").Message} Message */

/**
 * @param {Message} message
 * @param {{inThread: boolean}} options
 * @returns {HTMLElement}
 */
export function messageRow(message, { inThread }) {
  const classes = ["message", message.ephemeral && "ephemeral", message.streaming && "streaming"];
  /** @type {HTMLElement} */
  const row = el(
    "li",
    {
      class: classes.filter(Boolean).join(" "),
      tabindex: "-1",
      data: { ts: message.ts, key: "row" },
      "aria-busy": message.streaming ? "true" : null,
      "aria-label": `${author(message)}, ${clock(message.ts)}`,
    },
    avatar(message.user),
    el(
      "div",
      { class: "message-main" },
      message.ephemeral && el("p", { class: "only-you hint" }, "Only visible to you"),
      heading(message),
      settleDirection(el("div", { class: "message-body" }, messageContent(message))),
      files(message),
      reactionChips(message),
      el("div", { class: "message-foot" }),
    ),
    !message.ephemeral && toolbar(message, () => row, { inThread }),
  );
  return row;
}

/** @param {Message} message */
export function author(message) {
  return message.username || userName(message.user);
}

/** @param {Message} message */
function heading(message) {
  const isApp = message.bot || store.users.get(message.user)?.is_bot;
  return el(
    "div",
    { class: "message-head" },
    el("bdi", { class: "author" }, author(message)),
    isApp && el("span", { class: "badge" }, "app"),
    el("time", { class: "hint", title: fullTime(message.ts) }, clock(message.ts)),
    message.edited && el("span", { class: "hint edited" }, "(edited)"),
  );
}

/**
 * @param {Message} message
 * @returns {Node}
 */
export function messageContent(message) {
  if (message.streaming) return streamed(message);
  if (message.blocks?.length) {
    return renderBlocks(message.blocks, new Surface({ channel: message.channel, ts: message.ts }));
  }
  // A stream that was stopped has its text, but no blocks yet.
  const isStream = message.stream_markdown && message.stream_markdown === message.text;
  const content = isStream ? markdown(message.text) : mrkdwn(message.text);
  return el("div", { class: "prose" }, content);
}

/** @param {Message} message */
function streamed(message) {
  const prose = el("div", { class: "prose" }, markdown(message.stream_markdown));
  const leaves = prose.querySelectorAll("p, h3, h4, h5, h6, td, th, pre code");
  (leaves[leaves.length - 1] ?? prose).append(el("span", { class: "caret", "aria-hidden": "true" }));
  return prose;
}

/** @param {Message} message */
function files(message) {
  if (!message.files?.length) return null;
  const items = message.files.map((file) => {
    const name = file.title || file.name || "file";
    const href = ownUrl(file.url_private);
    return el("li", {}, href ? el("a", { href, dir: "auto" }, name) : el("span", { dir: "auto" }, name));
  });
  return el("ul", { class: "files", "aria-label": "Files" }, ...items);
}
