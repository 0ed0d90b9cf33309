/** The sidebar: who you are, channels, direct messages, the app's home. */

import { byId, el } from "./element.js";
import { icon } from "./icon.js";
import { showHelp } from "./keyboard.js";
import { HOME, become, openChannel, openDm, openHome } from "./navigation.js";
import { avatar, botName, role, userName } from "./people.js";
import { store } from "./store.js";
import { openSwitcher } from "./switcher.js";

export function drawSidebar() {
  const sidebar = byId("sidebar");
  const key = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.key;
  const hadFocus = sidebar.contains(document.activeElement);
  sidebar.replaceChildren(
    el("div", { class: "brand" }, el("span", { class: "brand-mark", "aria-hidden": "true" }, "L"), brand()),
    whoSwitch(),
    button("search", "Go to… (Ctrl+K)", "search", openSwitcher),
    group("Channels", channels()),
    group("Direct messages", people()),
    group("Apps", [entry({ key: HOME, face: icon("home"), label: `${botName()} home`, open: openHome, isOpen: store.channel === HOME })]),
    el("div", { class: "spacer" }),
    button("keyboard", "Keyboard shortcuts", "help", showHelp),
  );
  if (hadFocus && key) {
    /** @type {HTMLElement | null} */ (sidebar.querySelector(`[data-key="${CSS.escape(key)}"]`))?.focus();
  }
}

function brand() {
  return el("div", {}, el("strong", { dir: "auto" }, store.team.name), el("span", { class: "hint" }, "Playground"));
}

function whoSwitch() {
  const people = [...store.users.values()].filter((user) => !user.is_bot);
  const options = people.map((user) =>
    el("option", { value: user.id, selected: user.id === store.me }, `${firstName(user)} (${role(user)})`),
  );
  const select = /** @type {HTMLSelectElement} */ (
    el("select", { class: "input select", id: "who", data: { key: "who" } }, ...options)
  );
  select.addEventListener("change", () => become(select.value));
  return el("div", { class: "who" }, avatar(store.me), el("div", {}, el("label", { for: "who" }, "You are"), select));
}

/** @param {import("./types.js").User} user */
function firstName(user) {
  return (user.real_name || user.name).split(/\s+/)[0];
}

/**
 * @param {string} label
 * @param {HTMLElement[]} entries
 */
function group(label, entries) {
  const heading = el("h2", { class: "group-title" }, label);
  return el("section", { "aria-label": label }, heading, el("ul", {}, ...entries.map((node) => el("li", {}, node))));
}

function channels() {
  const open = [...store.channels.values()].filter((channel) => !channel.is_im);
  return open.map((channel) =>
    entry({
      key: channel.id,
      face: icon(channel.is_private ? "lock" : "hash"),
      label: channel.name,
      open: () => openChannel(channel.id),
      isOpen: store.channel === channel.id,
    }),
  );
}

function people() {
  const others = [...store.users.values()].filter(
    (user) => user.id === store.botUserId || (!user.is_bot && user.id !== store.me),
  );
  others.sort((one) => (one.id === store.botUserId ? -1 : 0));
  return others.map((user) => {
    const channel = [...store.channels.values()].find(({ with_user }) => with_user === user.id);
    return entry({
      key: channel?.id ?? user.id,
      face: avatar(user.id),
      label: userName(user.id),
      open: () => openDm(user.id),
      isOpen: Boolean(channel) && store.channel === channel?.id,
    });
  });
}

/**
 * @param {{key: string, face: Node, label: string, open: () => unknown, isOpen: boolean}} item
 */
function entry({ key, face, label, open, isOpen }) {
  const isUnread = store.unread.has(key);
  const choose = () => {
    hideSidebar();
    void open();
  };
  return el(
    "button",
    {
      type: "button",
      class: isUnread ? "place unread" : "place",
      data: { key },
      "aria-current": isOpen ? "page" : null,
      on: { click: choose },
    },
    face,
    el("bdi", { class: "place-name" }, label),
    isUnread && el("span", { class: "dot", role: "img", "aria-label": "unread" }),
  );
}

/**
 * @param {string} name of the icon
 * @param {string} label
 * @param {string} key
 * @param {() => unknown} open
 */
function button(name, label, key, open) {
  return el("button", { type: "button", class: "place quiet", data: { key }, on: { click: () => void open() } }, icon(name), label);
}

/** On a narrow screen the sidebar lies over the rest. */
export function toggleSidebar() {
  const isOpen = byId("app").classList.toggle("with-sidebar");
  byId("shade").hidden = !isOpen;
  if (isOpen) /** @type {HTMLElement | null} */ (byId("sidebar").querySelector("[aria-current]"))?.focus();
}

export function hideSidebar() {
  byId("app").classList.remove("with-sidebar");
  byId("shade").hidden = true;
}
