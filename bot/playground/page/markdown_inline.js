/** The inline part of standard Markdown as DOM nodes. */

import { withEmoji } from "./emoji.js";
import { el } from "./element.js";
import { link } from "./link.js";
import { angled } from "./mrkdwn.js";

const DEEPEST = 8;

/** A label may hold brackets one level deep, because citations look like `[[1]](https://…)`. */
const LABEL = String.raw`\[(?<LABEL>(?:[^\[\]\\]|\\.|\[[^\[\]]*\])*)\]`;
const TARGET = String.raw`\(\s*<?(?<TARGET>[^\s()<>]*(?:\([^\s()]*\)[^\s()<>]*)*)>?(?:\s+"[^"]*")?\s*\)`;

const INLINE = new RegExp(
  [
    String.raw`\\(?<escaped>[!-/:-@[-\x60{-~])`,
    "(?<ticks>`+)(?<code>[^`]|[^`].*?[^`])\\k<ticks>(?!`)",
    `!${LABEL}${TARGET}`.replace("LABEL", "alt").replace("TARGET", "image"),
    `${LABEL}${TARGET}`.replace("LABEL", "label").replace("TARGET", "target"),
    String.raw`<(?<angle>(?:https?://|mailto:)[^<>\s]+|[@#!][A-Za-z0-9]+[^<>\n]*)>`,
    String.raw`\*\*(?=\S)(?<bold>(?:[^*]|\*(?!\*))+?)(?<=\S)\*\*(?!\*)`,
    String.raw`(?<![\p{L}\p{N}_])__(?=\S)(?<bold2>[^_]+?)(?<=\S)__(?![\p{L}\p{N}_])`,
    String.raw`\*(?=[^\s*])(?<italic>(?:[^*]|\*\*[^*]+\*\*)+?)(?<=\S)\*(?!\*)`,
    String.raw`(?<![\p{L}\p{N}_])_(?=[^\s_])(?<italic2>[^_]+?)(?<=\S)_(?![\p{L}\p{N}_])`,
    String.raw`~~(?=\S)(?<strike>[^~]+?)(?<=\S)~~`,
    String.raw`(?<url>https?://[^\s<>|]*[^\s<>|.,;:!?)\]}'"*_~])`,
  ].join("|"),
  "gu",
);

/**
 * @param {string} text one line
 * @param {number} [depth]
 * @returns {(Node | string)[]}
 */
export function inline(text, depth = 0) {
  if (depth > DEEPEST) return [plain(text)];
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > from) nodes.push(plain(text.slice(from, match.index)));
    nodes.push(token(match.groups ?? {}, depth + 1));
    from = match.index + match[0].length;
  }
  if (from < text.length) nodes.push(plain(text.slice(from)));
  return nodes;
}

/**
 * @param {{[name: string]: string | undefined}} found groups of INLINE
 * @param {number} depth
 * @returns {Node | string}
 */
function token(found, depth) {
  if (found.escaped !== undefined) return found.escaped;
  if (found.code !== undefined) return el("code", {}, found.code.replace(/^ (.*) $/, "$1"));
  if (found.image !== undefined) return link(found.image, found.alt || found.image);
  if (found.target !== undefined) return link(found.target, ...inline(found.label || found.target, depth));
  if (found.angle !== undefined) return angled(found.angle);
  if (found.url !== undefined) return link(found.url);
  const bold = found.bold ?? found.bold2;
  if (bold !== undefined) return el("strong", {}, ...inline(bold, depth));
  const italic = found.italic ?? found.italic2;
  if (italic !== undefined) return el("em", {}, ...inline(italic, depth));
  return el("s", {}, ...inline(found.strike ?? "", depth));
}

/** @type {{[entity: string]: string}} */
const ENTITIES = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", nbsp: "\u00a0" };

/** @param {string} text */
function plain(text) {
  return withEmoji(text.replace(/&(amp|lt|gt|quot|#39|nbsp);/g, (_, name) => ENTITIES[name]));
}
