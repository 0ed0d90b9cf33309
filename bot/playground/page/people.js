/** Names and faces. */

import { el } from "./element.js";
import { store } from "./store.js";

/** @typedef {import("./types.js").User} User */

/** @param {string} id */
export function userName(id) {
  const user = store.users.get(id);
  return user ? user.real_name || user.name : id;
}

export function botName() {
  return userName(store.botUserId) || "The bot";
}

/** @param {User} user */
export function role(user) {
  if (user.is_bot) return "app";
  return user.is_admin ? "admin" : "employee";
}

/** @param {string} id */
export function avatar(id) {
  const user = store.users.get(id);
  const face = el("span", { class: "avatar", "aria-hidden": "true" }, initials(user, id));
  const color = /^#?([0-9a-f]{6})$/i.exec(user?.color ?? "")?.[1];
  if (color) {
    face.style.backgroundColor = `#${color}`;
    face.style.color = isBright(color) ? "#111" : "#fff";
  }
  if (user?.is_bot) face.classList.add("bot");
  return face;
}

/**
 * @param {User | undefined} user
 * @param {string} id
 */
function initials(user, id) {
  if (user?.initials) return user.initials.slice(0, 2);
  const words = (user?.real_name || user?.name || id).split(/\s+/);
  return words.slice(0, 2).map((word) => [...word][0] ?? "").join("").toUpperCase();
}

/**
 * @param {string} color six hex digits
 * @returns {boolean} whether dark letters read better on it (relative luminance, WCAG 2)
 */
function isBright(color) {
  const [red, green, blue] = [0, 2, 4]
    .map((at) => parseInt(color.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18;
}

/** @param {string} id */
export function mention(id) {
  const kind = id === store.me ? "mention me" : "mention";
  return el("span", { class: kind }, el("bdi", {}, `@${userName(id)}`));
}

/**
 * @param {string} id
 * @param {string} [label]
 */
export function channelMention(id, label) {
  const name = store.channels.get(id)?.name ?? label ?? id;
  return el("span", { class: "mention" }, el("bdi", {}, `#${name}`));
}
