/** Says new messages to a screen reader; streamed ones when they are whole. */

import { byId } from "./element.js";

const LONGEST = 600;

/** @param {string} text */
export function announce(text) {
  const region = byId("announcer");
  region.textContent = "";
  // A change of the same text is not announced unless the region was empty in between.
  setTimeout(() => {
    region.textContent = text.slice(0, LONGEST);
  }, 50);
}
