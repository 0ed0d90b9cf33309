/** Which way a text runs. `dir="auto"` does it for leaves; containers need it computed, because
 * "auto" looks past descendants that have a dir of their own. */

const FIRST_STRONG = /\p{L}/u;
const RIGHT_TO_LEFT =
  /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;

/**
 * @param {string | null} text
 * @returns {"rtl" | "ltr"} by the first strong letter, as the Unicode algorithm has it
 */
export function directionOf(text) {
  const letter = FIRST_STRONG.exec(text ?? "");
  return letter && RIGHT_TO_LEFT.test(letter[0]) ? "rtl" : "ltr";
}
