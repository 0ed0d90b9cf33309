/** The buttons that appear on a message: react, reply, and everything else in a menu. */

import { post } from "./api.js";
import { moreButton } from "./controls.js";
import { edit, remove } from "./editor.js";
import { el } from "./element.js";
import { icon } from "./icon.js";
import { openMenu } from "./menu.js";
import { openThread } from "./navigation.js";
import { openPicker } from "./reactions.js";
import { store } from "./store.js";

/** @typedef {import("./types.js").Message} Message */

/**
 * @param {Message} message
 * @param {() => HTMLElement} row
 * @param {{inThread: boolean}} options
 */
export function toolbar(message, row, { inThread }) {
  const react = button("smile", "Add a reaction", "react");
  react.setAttribute("aria-haspopup", "menu");
  react.addEventListener("click", () => openPicker(react, message));
  const reply = !inThread && button("reply", "Reply in thread", "reply");
  if (reply) {
    reply.addEventListener("click", () => void openThread(message.thread_ts ?? message.ts, { focus: true }));
  }
  const entries = menuEntries(message, row);
  const more = entries.length > 0 && moreButton("More actions");
  if (more) {
    more.dataset.key = "more";
    more.addEventListener("click", () => openMenu(more, entries, { label: "Message actions" }));
  }
  return el("div", { class: "toolbar", role: "toolbar", "aria-label": "Message" }, react, reply, more);
}

/**
 * @param {Message} message
 * @param {() => HTMLElement} row
 * @returns {import("./menu.js").Entry[]}
 */
function menuEntries(message, row) {
  const { channel, ts } = message;
  const entries = store.shortcuts.map(({ name, callback_id }) => ({
    label: name,
    hint: "app",
    pick: () => void post("shortcut", { channel, ts, callback_id }),
  }));
  if (message.user !== store.me) return entries;
  return [
    ...entries,
    { label: "Edit message", pick: () => edit(message, row()) },
    { label: "Delete message", danger: true, pick: () => void remove(message) },
  ];
}

/**
 * @param {string} name of the icon
 * @param {string} label
 * @param {string} key
 */
function button(name, label, key) {
  return el(
    "button",
    { type: "button", class: "icon-button", "aria-label": label, title: label, data: { key } },
    icon(name),
  );
}
