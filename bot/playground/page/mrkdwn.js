/** Slack's own markup (mrkdwn) as DOM nodes. */

import { withEmoji } from "./emoji.js";
import { el, fragment } from "./element.js";
import { link } from "./link.js";
import { channelMention, mention } from "./people.js";

const DEEPEST = 8;

/** Opening marks stand at a word's start and closing ones at its end, as Slack has it. */
const INLINE = new RegExp(
  [
    /<(?<angle>[^<>\n]+)>/u,
    /`(?<code>[^`\n]+)`/u,
    /(?<![\p{L}\p{N}*])\*(?=\S)(?<bold>[^*\n]*[^*\s])\*(?![\p{L}\p{N}*])/u,
    /(?<![\p{L}\p{N}_])_(?=\S)(?<italic>[^_\n]*[^_\s])_(?![\p{L}\p{N}_])/u,
    /(?<![\p{L}\p{N}~])~(?=\S)(?<strike>[^~\n]*[^~\s])~(?![\p{L}\p{N}~])/u,
    /(?<url>https?:\/\/[^\s<>|]*[^\s<>|.,;:!?)\]}'"*_~])/u,
  ]
    .map((part) => part.source)
    .join("|"),
  "gu",
);

/**
 * @param {string | undefined} text
 * @returns {DocumentFragment} paragraphs, quotes and code, each with a direction of its own
 */
export function mrkdwn(text) {
  const parts = (text ?? "").split(/```\n?([\s\S]*?)\n?```/);
  return fragment(
    ...parts.map((part, index) => (index % 2 ? codeBlock(part) : paragraphs(part))),
  );
}

/** @param {string} text */
function codeBlock(text) {
  return [el("pre", { dir: "ltr", tabindex: "0" }, el("code", {}, unescapeEntities(bare(text))))];
}

/** @param {string} text between two code blocks */
function paragraphs(text) {
  const nodes = [];
  /** @type {HTMLElement | null} */
  let quote = null;
  for (const line of text.replace(/^\n|\n$/g, "").split("\n")) {
    const quoted = /^(?:&gt;|>) ?(.*)$/.exec(line);
    if (quoted) {
      if (!quote) nodes.push((quote = el("blockquote")));
      quote.append(paragraph(quoted[1]));
    } else {
      quote = null;
      if (line || text.includes("\n")) nodes.push(paragraph(line));
    }
  }
  return nodes;
}

/** @param {string} line */
function paragraph(line) {
  return el("p", { dir: "auto", class: line.trim() ? "line" : "line blank" }, ...inline(line));
}

/**
 * @param {string | undefined} text one line, or text whose line breaks do not matter
 * @param {number} [depth]
 * @returns {(Node | string)[]}
 */
export function inline(text, depth = 0) {
  const source = text ?? "";
  if (depth > DEEPEST) return [plain(source)];
  const nodes = [];
  let from = 0;
  for (const match of source.matchAll(INLINE)) {
    if (match.index > from) nodes.push(plain(source.slice(from, match.index)));
    nodes.push(token(match.groups ?? {}, depth + 1));
    from = match.index + match[0].length;
  }
  if (from < source.length) nodes.push(plain(source.slice(from)));
  return nodes;
}

/**
 * @param {{[name: string]: string | undefined}} groups of INLINE, one of them set
 * @param {number} depth
 */
function token({ angle, code, bold, italic, strike, url }, depth) {
  if (angle !== undefined) return angled(angle);
  if (code !== undefined) return el("code", {}, unescapeEntities(bare(code)));
  if (bold !== undefined) return el("strong", {}, ...inline(bold, depth));
  if (italic !== undefined) return el("em", {}, ...inline(italic, depth));
  if (strike !== undefined) return el("s", {}, ...inline(strike, depth));
  return link(unescapeEntities(url ?? ""));
}

/** @param {string} content of `<…>`: a mention, a date or a link, each with an optional label */
export function angled(content) {
  const [, target, label] = /^([^|]*)\|?(.*)$/s.exec(content) ?? ["", content, ""];
  if (/^@[UWB]/.test(target)) return mention(target.slice(1));
  if (target.startsWith("#C") || target.startsWith("#G")) return channelMention(target.slice(1), label);
  if (target.startsWith("!")) return special(target.slice(1), label);
  const text = unescapeEntities(label);
  return link(unescapeEntities(target), ...(text ? [withEmoji(text)] : []));
}

/**
 * @param {string} target such as `here`, `subteam^S1` or `date^1700000000^{date}`
 * @param {string} label
 */
function special(target, label) {
  const [name] = target.split("^");
  if (name === "date") return label || target;
  return el("span", { class: "mention" }, label || `@${name}`);
}

/** @param {string} text */
function plain(text) {
  return withEmoji(unescapeEntities(text));
}

/** @param {string} text inside code, where Slack still marks addresses with angle brackets */
function bare(text) {
  return text.replace(/<((?:https?|mailto):[^<>|\s]+)(?:\|([^<>]*))?>/g, (_, url, label) => label || url);
}

/** @param {string} text */
export function unescapeEntities(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
