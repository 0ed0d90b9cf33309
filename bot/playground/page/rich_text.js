/** Slack's rich_text block: sections, lists, quotes and preformatted text. */

import { directionOf } from "./direction.js";
import { emoji } from "./emoji.js";
import { el, fragment } from "./element.js";
import { link } from "./link.js";
import { channelMention, mention } from "./people.js";

/** @typedef {{[field: string]: any, type: string, elements?: any[]}} Part */

/** @param {Part} block */
export function richText(block) {
  return fragment(...(block.elements ?? []).map(part));
}

/** @param {Part} node */
function part(node) {
  const leaves = () => (node.elements ?? []).map(leaf);
  switch (node.type) {
    case "rich_text_list":
      return list(node);
    case "rich_text_quote":
      return el("blockquote", {}, el("p", { dir: "auto" }, ...leaves()));
    case "rich_text_preformatted":
      return el("pre", { dir: "ltr", tabindex: "0" }, el("code", {}, ...leaves()));
    default:
      return el("p", { dir: "auto" }, ...leaves());
  }
}

/** @param {Part} node */
function list(node) {
  const items = (node.elements ?? []).map((item) => el("li", {}, part(item)));
  const dir = directionOf(items.map((item) => item.textContent).join(" "));
  const made = el(node.style === "ordered" ? "ol" : "ul", { dir }, ...items);
  made.classList.add(`indent-${Math.min(Number(node.indent) || 0, 4)}`);
  return made;
}

/** @param {Part} node */
function leaf(node) {
  switch (node.type) {
    case "link":
      return styled(link(node.url, node.text || node.url), node.style);
    case "user":
      return mention(node.user_id);
    case "channel":
      return channelMention(node.channel_id);
    case "broadcast":
      return el("span", { class: "mention" }, `@${node.range}`);
    case "emoji":
      return emoji(node.name) ?? `:${node.name}:`;
    default:
      return styled(lines(node.text ?? ""), node.style);
  }
}

/** @param {string} text whose line breaks count */
function lines(text) {
  return fragment(...text.split("\n").flatMap((line, at) => (at ? [el("br"), line] : [line])));
}

/**
 * @param {Node} node
 * @param {{bold?: boolean, italic?: boolean, strike?: boolean, code?: boolean}} [style]
 */
function styled(node, style = {}) {
  const tags = { code: "code", bold: "strong", italic: "em", strike: "s" };
  return Object.entries(tags).reduce(
    (inner, [name, tag]) => (style[/** @type {"bold"} */ (name)] ? el(tag, {}, inner) : inner),
    node,
  );
}
