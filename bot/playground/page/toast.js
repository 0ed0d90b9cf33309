/** Short notes at the lower edge. */

import { byId, el } from "./element.js";

const SHOWN_MS = 6000;

/**
 * @param {string} text
 * @param {"note" | "problem"} [kind]
 */
export function toast(text, kind = "note") {
  const note = el("p", { class: `toast ${kind}`, dir: "auto" }, text);
  byId("toasts").append(note);
  setTimeout(() => note.remove(), SHOWN_MS);
}
