/** Changing and deleting one's own message. */

import { post } from "./api.js";
import { ask } from "./dialog.js";
import { el } from "./element.js";
import { editable, outgoing } from "./typed.js";

/** @typedef {import("./types.js").Message} Message */

/**
 * Puts an editor where the message's text stands; Enter saves, Escape gives up.
 * @param {Message} message
 * @param {HTMLElement} row
 */
export function edit(message, row) {
  const body = row.querySelector(".message-body");
  if (!body || row.querySelector(".editor")) return;
  const input = /** @type {HTMLTextAreaElement} */ (
    el("textarea", { class: "input", dir: "auto", rows: "3", "aria-label": "Edit your message" })
  );
  input.value = editable(message.text ?? "");
  const save = el("button", { type: "button", class: "button primary", on: { click: finish } }, "Save");
  const cancel = el("button", { type: "button", class: "button", on: { click: close } }, "Cancel");
  const editor = el("div", { class: "editor" }, input, el("div", { class: "row" }, save, cancel));
  input.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape") close();
    else if (event.key === "Enter" && !event.shiftKey) void finish();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  body.replaceWith(editor);
  input.focus();

  async function finish() {
    const text = outgoing(input.value);
    if (!input.value.trim()) return remove(message);
    const answer = await post("edit", { channel: message.channel, ts: message.ts, text });
    if (answer.ok) close();
    return undefined;
  }

  function close() {
    // The live update may have drawn the message anew already.
    if (editor.isConnected) editor.replaceWith(/** @type {Element} */ (body));
    row.focus();
  }
}

/** @param {Message} message */
export async function remove(message) {
  const sure = await ask({
    title: "Delete this message?",
    text: [el("p", {}, "It cannot be brought back.")],
    confirm: "Delete",
    deny: "Keep it",
    danger: true,
  });
  if (sure) await post("delete", { channel: message.channel, ts: message.ts });
}
