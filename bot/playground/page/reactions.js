/** Emoji on a message: the chips below it and the picker. */

import { post } from "./api.js";
import { el } from "./element.js";
import { PICKABLE, emoji } from "./emoji.js";
import { openMenu } from "./menu.js";
import { userName } from "./people.js";
import { store } from "./store.js";

/** @typedef {import("./types.js").Message} Message */

/**
 * @param {Message} message
 * @returns {HTMLElement | null}
 */
export function reactionChips(message) {
  if (!message.reactions?.length) return null;
  const chips = message.reactions.map((reaction) => chip(message, reaction));
  return el("div", { class: "reactions", role: "group", "aria-label": "Reactions" }, ...chips);
}

/**
 * @param {Message} message
 * @param {import("./types.js").Reaction} reaction
 */
function chip(message, reaction) {
  const mine = reaction.users.includes(store.me);
  const who = reaction.users.map(userName).join(", ");
  return el(
    "button",
    {
      type: "button",
      class: "chip",
      data: { key: `reaction ${reaction.name}` },
      "aria-pressed": String(mine),
      "aria-label": `${reaction.name}, ${reaction.count}: ${who}`,
      title: `${who} reacted with :${reaction.name}:`,
      on: { click: () => void toggle(message, reaction.name) },
    },
    el("span", { "aria-hidden": "true" }, emoji(reaction.name) ?? `:${reaction.name}:`),
    el("span", { class: "count" }, String(reaction.count)),
  );
}

/**
 * @param {HTMLElement} anchor
 * @param {Message} message
 */
export function openPicker(anchor, message) {
  const entries = PICKABLE.map((name) => ({
    label: name.replaceAll("_", " "),
    face: emoji(name) ?? name,
    pick: () => void toggle(message, name),
  }));
  openMenu(anchor, entries, { label: "Pick a reaction", columns: 6 });
}

/**
 * @param {Message} message
 * @param {string} name
 */
async function toggle(message, name) {
  const existing = message.reactions?.find((reaction) => reaction.name === name);
  const add = !existing?.users.includes(store.me);
  await post("react", { channel: message.channel, ts: message.ts, name, add });
}
