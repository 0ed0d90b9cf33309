/** The only door for addresses that come from messages: http, https and mailto, nothing else. */

import { el } from "./element.js";

const ALLOWED = new Set(["http:", "https:", "mailto:"]);

/**
 * @param {string | undefined} address
 * @returns {string | null} the address in normal form, or null when it must not become a link
 */
export function safeUrl(address) {
  if (!address) return null;
  try {
    const url = new URL(address);
    return ALLOWED.has(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/**
 * @param {string} address
 * @param {...(import("./element.js").Child)} children the label; the address itself when empty
 * @returns {HTMLElement} a link, or plain text when the address is not allowed
 */
export function link(address, ...children) {
  const href = safeUrl(address);
  const label = children.length ? children : [address];
  if (!href) return el("span", { class: "dead-link" }, ...label);
  return el("a", { href, target: "_blank", rel: "noopener noreferrer", title: href }, ...label);
}

/**
 * @param {string | undefined} address
 * @returns {string | null} the address when it lies on this very server, else null
 */
export function ownUrl(address) {
  if (!address) return null;
  try {
    const url = new URL(address, location.href);
    return url.origin === location.origin ? url.href : null;
  } catch {
    return null;
  }
}
