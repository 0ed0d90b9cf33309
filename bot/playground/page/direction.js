/** Which way a text runs. `dir="auto"` does it for leaves; containers need it computed, because
 * "auto" looks past descendants that have a dir of their own. */

const LETTER = /\p{L}/u;
const RIGHT_TO_LEFT =
  /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;

/**
 * @param {string | null} text
 * @returns {"rtl" | "ltr"} by the first strong letter, as the Unicode algorithm has it
 */
export function directionOf(text) {
  const letter = LETTER.exec(text ?? "");
  return letter && RIGHT_TO_LEFT.test(letter[0]) ? "rtl" : "ltr";
}

/**
 * In a message that is mostly right-to-left, a line that begins with a foreign word ("VPN …") is
 * still part of it: everything with a right-to-left letter follows the message.
 * @template {DocumentFragment | HTMLElement} T
 * @param {T} content
 * @returns {T}
 */
export function settleDirection(content) {
  const letters = (content.textContent ?? "").match(new RegExp(LETTER, "gu")) ?? [];
  const foreign = letters.filter((letter) => RIGHT_TO_LEFT.test(letter)).length;
  if (foreign * 2 <= letters.length) return content;
  for (const node of content.querySelectorAll('[dir="auto"], ul, ol, table, blockquote')) {
    if (RIGHT_TO_LEFT.test(node.textContent ?? "")) node.setAttribute("dir", "rtl");
  }
  return content;
}
