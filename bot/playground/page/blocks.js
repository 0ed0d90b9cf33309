/** Block Kit's blocks as DOM nodes. */

import { CONTROLS, send, words } from "./controls.js";
import { el, fragment, freshId } from "./element.js";
import { FIELDS } from "./fields.js";
import { link, ownUrl } from "./link.js";
import { markdown } from "./markdown.js";
import { mrkdwn } from "./mrkdwn.js";
import { richText } from "./rich_text.js";

/** @typedef {import("./types.js").Block} Block */
/** @typedef {import("./types.js").Element} Element */
/** @typedef {import("./surface.js").Surface} Surface */

/** @type {{[type: string]: (block: Block, surface: Surface) => Node}} */
const BLOCKS = {
  section,
  header: (block) => el("h3", { class: "block header", dir: "auto" }, ...words(block.text)),
  context,
  divider: () => el("hr", { class: "block" }),
  actions: (block, surface) => controlRow("actions", block, surface),
  context_actions: (block, surface) => controlRow("actions context-actions", block, surface),
  markdown: (block) => el("div", { class: "block prose" }, markdown(block.text)),
  rich_text: (block) => el("div", { class: "block prose" }, richText(block)),
  image,
  input,
  table,
};

/**
 * @param {Block[] | undefined} blocks
 * @param {Surface} surface
 * @returns {DocumentFragment}
 */
export function renderBlocks(blocks, surface) {
  return fragment(...(blocks ?? []).map((block) => (BLOCKS[block.type] ?? unknown)(block, surface)));
}

/** @param {Block} block */
function unknown(block) {
  return el("p", { class: "block hint" }, `The playground does not show blocks of type “${block.type}”.`);
}

/** @param {import("./types.js").TextObject | undefined} text */
function prose(text) {
  if (!text) return null;
  const content = text.type === "mrkdwn" ? mrkdwn(text.text) : el("p", { dir: "auto" }, ...words(text));
  return el("div", { class: "prose" }, content);
}

/**
 * @param {Block} block
 * @param {Surface} surface
 */
function section(block, surface) {
  const fields = block.fields && el("div", { class: "fields" }, ...block.fields.map(prose));
  const accessory = block.accessory && part(block.accessory, block, surface);
  return el(
    "div",
    { class: "block section" },
    el("div", { class: "section-text" }, prose(block.text), fields),
    accessory && el("div", { class: "accessory" }, accessory),
  );
}

/**
 * @param {Block} block
 * @param {Surface} surface
 */
function context(block, surface) {
  const parts = (block.elements ?? []).map((/** @type {any} */ item) =>
    item.type === "image" ? part(item, block, surface) : prose(item),
  );
  return el("div", { class: "block context" }, ...parts);
}

/**
 * @param {string} kind
 * @param {Block} block
 * @param {Surface} surface
 */
function controlRow(kind, block, surface) {
  const parts = (block.elements ?? []).map((/** @type {Element} */ item) => part(item, block, surface));
  return el("div", { class: `block ${kind}` }, ...parts);
}

/**
 * An interactive element that stands in a section or a row: what people do with it is sent at once.
 * @param {Element} element
 * @param {Block} block
 * @param {Surface} surface
 * @returns {Node}
 */
function part(element, block, surface) {
  const blockId = block.block_id ?? "";
  const actionId = element.action_id ?? "";
  if (element.type === "image") return picture(element);
  if (CONTROLS[element.type]) return keyed(CONTROLS[element.type](element, blockId, surface), actionId);
  if (!FIELDS[element.type]) return unknown(element);
  const changed = () => void send(element, blockId, surface, field.read());
  const field = FIELDS[element.type](element, surface.valueOf(blockId, actionId), changed);
  field.control.setAttribute("aria-label", element.placeholder?.text ?? actionId);
  surface.fields.push({ blockId, actionId, field, required: false });
  return keyed(field.node, actionId);
}

/**
 * @param {HTMLElement} node
 * @param {string} actionId lets the focus find its way back when the message is drawn anew
 */
function keyed(node, actionId) {
  node.dataset.key = actionId;
  return node;
}

/**
 * @param {Block} block
 * @param {Surface} surface
 */
function input(block, surface) {
  const element = /** @type {Element} */ (block.element ?? { type: "none" });
  const blockId = block.block_id ?? "";
  const actionId = element.action_id ?? "";
  if (!FIELDS[element.type]) return unknown(element);
  const changed = () => {
    if (block.dispatch_action) void send(element, blockId, surface, field.read());
  };
  const field = FIELDS[element.type](element, surface.valueOf(blockId, actionId), changed);
  surface.fields.push({ blockId, actionId, field, required: !block.optional });
  keyed(field.control, actionId);
  return labelled(block, field.control, field.node);
}

/**
 * @param {Block} block
 * @param {HTMLElement} control
 * @param {HTMLElement} node
 */
function labelled(block, control, node) {
  const [labelId, hintId, errorId] = [freshId(), freshId(), freshId()];
  control.id ||= freshId();
  control.setAttribute("aria-labelledby", labelId);
  control.setAttribute("aria-describedby", `${hintId} ${errorId}`);
  const optional = block.optional && el("span", { class: "hint" }, " (optional)");
  return el(
    "div",
    { class: "block field", data: { block: block.block_id ?? "" } },
    el("label", { id: labelId, for: control.id, dir: "auto" }, ...words(block.label), optional),
    node,
    el("p", { id: hintId, class: "hint", dir: "auto" }, ...words(block.hint)),
    el("p", { id: errorId, class: "field-error", role: "alert", dir: "auto" }),
  );
}

/** @param {Block} block */
function image(block) {
  const caption = block.title && el("figcaption", { dir: "auto" }, ...words(block.title));
  return el("figure", { class: "block" }, caption, picture(block));
}

/** @param {{[field: string]: any}} data an image from elsewhere is named, not fetched */
function picture(data) {
  const source = ownUrl(data.image_url ?? data.slack_file?.url);
  if (source) return el("img", { src: source, alt: data.alt_text ?? "" });
  const label = `Image: ${data.alt_text || "no description"}`;
  return data.image_url ? link(data.image_url, label) : el("span", { class: "hint", dir: "auto" }, label);
}

/** @param {Block} block whose rows hold raw_text or rich_text cells */
function table(block) {
  const rows = (block.rows ?? []).map((/** @type {any[]} */ row, /** @type {number} */ at) =>
    el("tr", {}, ...row.map((cell) => el(at ? "td" : "th", { dir: "auto" }, cellContent(cell)))),
  );
  return el("div", { class: "block table-frame", tabindex: "0" }, el("table", {}, el("tbody", {}, ...rows)));
}

/** @param {{[field: string]: any, type: string}} cell */
function cellContent(cell) {
  return cell.type === "rich_text" ? richText(cell) : String(cell.text ?? "");
}
