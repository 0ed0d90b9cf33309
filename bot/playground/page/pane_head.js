/** The head of the main pane: the conversation's name and topic, and the bot's two tabs. */

import { el } from "./element.js";
import { icon } from "./icon.js";
import { HOME, openDm, openHome } from "./navigation.js";
import { avatar, botName, userName } from "./people.js";
import { toggleSidebar } from "./sidebar.js";
import { store } from "./store.js";

/** @param {import("./types.js").Channel | undefined} channel the home tab when undefined */
export function paneHead(channel) {
  const menu = el(
    "button",
    { type: "button", class: "icon-button menu-button", "aria-label": "Show the sidebar", on: { click: toggleSidebar } },
    icon("menu"),
  );
  const isBot = !channel || channel.with_user === store.botUserId;
  return el("header", { class: "pane-head" }, menu, title(channel), isBot ? tabs() : details(channel));
}

/** @param {import("./types.js").Channel | undefined} channel */
function title(channel) {
  const person = channel ? channel.with_user : store.botUserId;
  const name = person ? userName(person) : (channel?.name ?? "");
  const face = person ? avatar(person) : icon(channel?.is_private ? "lock" : "hash");
  return el("h1", {}, face, el("bdi", {}, name));
}

/** @param {import("./types.js").Channel} channel */
function details(channel) {
  const count = channel.members?.length ?? 0;
  return el(
    "p",
    { class: "hint topic", dir: "auto" },
    channel.is_im ? "Direct message" : `${channel.topic ?? ""}${channel.topic ? " · " : ""}${count} members`,
  );
}

function tabs() {
  const tab = (/** @type {string} */ label, /** @type {boolean} */ isOpen, /** @type {() => unknown} */ open) =>
    el(
      "button",
      { type: "button", class: "tab", "aria-current": isOpen ? "page" : null, on: { click: open } },
      label,
    );
  const atHome = store.channel === HOME;
  return el(
    "div",
    { class: "tabs", role: "group", "aria-label": botName() },
    tab("Messages", !atHome, () => openDm(store.botUserId)),
    tab("Home", atHome, () => openHome()),
  );
}
