/** Standard Markdown as DOM nodes: the blocks. Its inline part is in markdown_inline.js.
 * HTML in the source stays text. */

import { directionOf } from "./direction.js";
import { el, fragment } from "./element.js";
import { inline } from "./markdown_inline.js";

const DEEPEST = 12;
const FENCE = /^ {0,3}(`{3,}|~{3,})[ \t]*[^\s`]*\s*$/;
const HEADING = /^ {0,3}(#{1,6})\s+(.*?)\s*#*\s*$/;
const RULE = /^ {0,3}(?:(?:-\s*){3,}|(?:\*\s*){3,}|(?:_\s*){3,})$/;
const QUOTE = /^ {0,3}> ?(.*)$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])(\s+|$)(.*)$/;
const TABLE_RULE = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

/**
 * @param {string | undefined} text
 * @returns {DocumentFragment}
 */
export function markdown(text) {
  return fragment(...new Reader((text ?? "").replace(/\r\n?/g, "\n").split("\n"), 0).blocks());
}

/** Reads lines from top to bottom; each method takes one kind of block or returns null. */
class Reader {
  /**
   * @param {string[]} lines
   * @param {number} depth of nesting
   */
  constructor(lines, depth) {
    this.lines = lines;
    this.depth = depth;
    this.at = 0;
  }

  /** @returns {Node[]} */
  blocks() {
    const nodes = [];
    while (this.at < this.lines.length) {
      if (!this.lines[this.at].trim()) this.at += 1;
      else nodes.push(this.block());
    }
    return nodes;
  }

  /** @returns {Node} */
  block() {
    const nested = this.depth < DEEPEST;
    return (
      this.fence() ??
      this.heading() ??
      this.rule() ??
      this.table() ??
      (nested ? (this.quote() ?? this.list()) : null) ??
      this.paragraph()
    );
  }

  fence() {
    const open = FENCE.exec(this.lines[this.at]);
    if (!open) return null;
    const start = this.at + 1;
    const closing = new RegExp(`^ {0,3}${open[1][0]}{${open[1].length},}\\s*$`);
    let end = start;
    while (end < this.lines.length && !closing.test(this.lines[end])) end += 1;
    this.at = end + 1;
    const code = el("code", {}, this.lines.slice(start, end).join("\n"));
    return el("pre", { dir: "ltr", tabindex: "0" }, code);
  }

  heading() {
    const match = HEADING.exec(this.lines[this.at]);
    if (!match) return null;
    this.at += 1;
    // Messages are no document outline: a heading is two levels below the channel's own.
    const level = Math.min(match[1].length + 2, 6);
    return el(`h${level}`, { dir: "auto", class: `h${match[1].length}` }, ...inline(match[2]));
  }

  rule() {
    if (!RULE.test(this.lines[this.at])) return null;
    this.at += 1;
    return el("hr");
  }

  quote() {
    const inner = this.takeWhile((line) => QUOTE.exec(line)?.[1]);
    if (!inner.length) return null;
    const dir = directionOf(inner.join(" "));
    return el("blockquote", { dir }, ...new Reader(inner, this.depth + 1).blocks());
  }

  table() {
    const [head, rule] = [this.lines[this.at], this.lines[this.at + 1]];
    if (!head.includes("|") || !rule?.includes("-") || !TABLE_RULE.test(rule)) return null;
    const columns = cells(head);
    const alignments = cells(rule).map(alignmentOf);
    if (columns.length !== alignments.length) return null;
    this.at += 2;
    const rows = this.takeWhile((line) => (line.trim() && line.includes("|") ? line : undefined));
    return table(columns, rows.map(cells), alignments);
  }

  list() {
    const first = ITEM.exec(this.lines[this.at]);
    if (!first) return null;
    const ordered = /\d/.test(first[2]);
    const items = [];
    while (this.at < this.lines.length) {
      const item = ITEM.exec(this.lines[this.at]);
      if (!item || /\d/.test(item[2]) !== ordered || RULE.test(this.lines[this.at])) break;
      items.push(this.item(item));
    }
    const start = ordered && parseInt(first[2], 10) !== 1 ? parseInt(first[2], 10) : null;
    const dir = directionOf(items.map((item) => item.textContent).join(" "));
    return el(ordered ? "ol" : "ul", { dir, start }, ...items);
  }

  /** @param {RegExpExecArray} match of ITEM */
  item(match) {
    const indent = match[1].length;
    const width = indent + match[2].length + Math.max(match[3].length, 1);
    const lines = [match[4]];
    this.at += 1;
    while (this.at < this.lines.length && this.belongs(indent, lines)) {
      const line = this.lines[this.at];
      const spaces = /^ */.exec(line)?.[0].length ?? 0;
      lines.push(line.slice(Math.min(spaces, width)));
      this.at += 1;
    }
    while (lines.length > 1 && !lines[lines.length - 1].trim()) lines.pop();
    return listItem(new Reader(lines, this.depth + 1));
  }

  /**
   * @param {number} indent of the item's mark
   * @param {string[]} lines of the item so far
   * @returns {boolean} whether the line here continues the item
   */
  belongs(indent, lines) {
    const line = this.lines[this.at];
    if (!line.trim()) return this.continues(indent);
    const spaces = /^ */.exec(line)?.[0].length ?? 0;
    if (spaces > indent) return true;
    const startsBlock = ITEM.test(line) || HEADING.test(line) || FENCE.test(line) || QUOTE.test(line);
    return !startsBlock && !RULE.test(line) && Boolean(lines[lines.length - 1].trim());
  }

  /** @param {number} indent */
  continues(indent) {
    const next = this.lines.slice(this.at + 1).find((line) => line.trim());
    if (next === undefined) return false;
    const spaces = /^ */.exec(next)?.[0].length ?? 0;
    return spaces > indent || (spaces === indent && ITEM.test(next));
  }

  paragraph() {
    const lines = [this.lines[this.at]];
    this.at += 1;
    while (this.at < this.lines.length && !this.interrupts(this.lines[this.at])) {
      lines.push(this.lines[this.at]);
      this.at += 1;
    }
    // A single line break is kept: people who write chat messages mean it.
    const parts = lines.flatMap((line, index) => [
      ...(index ? [el("br")] : []),
      ...inline(line.trim().replace(/\\$/, "")),
    ]);
    return el("p", { dir: "auto" }, ...parts);
  }

  /** @param {string} line */
  interrupts(line) {
    return (
      !line.trim() ||
      [FENCE, HEADING, RULE, QUOTE].some((pattern) => pattern.test(line)) ||
      /^\s*([-*+]|1[.)])\s/.test(line)
    );
  }

  /**
   * @param {(line: string) => string | undefined} read
   * @returns {string[]}
   */
  takeWhile(read) {
    const taken = [];
    while (this.at < this.lines.length) {
      const line = read(this.lines[this.at]);
      if (line === undefined) break;
      taken.push(line);
      this.at += 1;
    }
    return taken;
  }
}

/** @param {Reader} reader of the item's lines */
function listItem(reader) {
  const task = /^\[([ xX])\]\s+(.*)$/.exec(reader.lines[0]);
  if (task) reader.lines[0] = task[2];
  const item = el("li", {}, ...reader.blocks());
  if (task) {
    const done = task[1] !== " ";
    item.classList.add("task");
    item.prepend(
      el("span", { class: "tick", role: "img", "aria-label": done ? "done" : "open" }, done ? "☑" : "☐"),
    );
  }
  return item;
}

/**
 * @param {string[]} head
 * @param {string[][]} rows
 * @param {(string | null)[]} alignments
 */
export function table(head, rows, alignments) {
  const cell = (/** @type {string} */ tag) => (/** @type {string} */ text, /** @type {number} */ at) =>
    el(tag, { dir: "auto", class: alignments[at] }, ...inline(text ?? ""));
  const body = rows.map((row) => el("tr", {}, ...head.map((_, at) => cell("td")(row[at], at))));
  const dir = directionOf(head.join(" ") + rows.flat().join(" "));
  return el(
    "div",
    { class: "table-frame", tabindex: "0", role: "region", "aria-label": "Table" },
    el("table", { dir }, el("thead", {}, el("tr", {}, ...head.map(cell("th")))), el("tbody", {}, ...body)),
  );
}

/**
 * @param {string} line of a table
 * @returns {string[]}
 */
function cells(line) {
  const inner = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

/** @param {string} rule such as `:--:` */
function alignmentOf(rule) {
  if (/^:-+:$/.test(rule)) return "center";
  return /^-+:$/.test(rule) ? "end" : null;
}
