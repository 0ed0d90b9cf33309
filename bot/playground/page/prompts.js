/** The suggested questions in the bot's conversation. */

import { post } from "./api.js";
import { el } from "./element.js";
import { follow } from "./follow.js";
import { store } from "./store.js";

/**
 * @param {string} channel
 * @returns {HTMLElement | null}
 */
export function promptChips(channel) {
  const suggested = store.prompts.get(channel);
  if (!suggested?.prompts.length) return null;
  const title = suggested.title || "Try asking";
  const chips = suggested.prompts.map((prompt) => {
    const ask = async () => {
      const answer = await post("post", { channel, text: prompt.message });
      if (answer.ok) follow(channel, answer.ts);
    };
    return el(
      "button",
      { type: "button", class: "prompt", dir: "auto", title: prompt.message, on: { click: () => void ask() } },
      prompt.title,
    );
  });
  return el(
    "div",
    { class: "prompts", role: "group", "aria-label": title },
    el("span", { class: "hint", dir: "auto" }, title),
    ...chips,
  );
}
