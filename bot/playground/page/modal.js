/** The app's modals: a stack of views, the topmost one in a dialog. */

import { post, readable } from "./api.js";
import { renderBlocks } from "./blocks.js";
import { openDialog, titleBar } from "./dialog.js";
import { el } from "./element.js";
import { Surface } from "./surface.js";

/** @typedef {import("./types.js").View} View */
/** @typedef {import("./types.js").Values} Values */
/** @typedef {{view: View, values: Values | undefined}} Layer */

/** @type {Layer[]} */
const stack = [];
/** @type {HTMLDialogElement | null} */
let dialog = null;
/** @type {Surface | null} */
let surface = null;

/** @param {View} view */
export function openView(view) {
  if (stack.some((layer) => layer.view.id === view.id)) return updateView(view);
  keepValues();
  stack.push({ view, values: view.state?.values });
  return draw();
}

/** @param {View} view with the same id as an open one; what was typed stays where the blocks stay */
export function updateView(view) {
  const layer = stack.find((candidate) => candidate.view.id === view.id);
  if (!layer) return;
  keepValues();
  layer.view = view;
  if (layer === stack[stack.length - 1]) draw();
}

/** @param {string | null | undefined} viewId all of them when there is none */
export function closeView(viewId) {
  const at = viewId ? stack.findIndex((layer) => layer.view.id === viewId) : 0;
  if (at < 0 || !stack.length) return;
  const wasTop = at === stack.length - 1 || !viewId;
  stack.splice(at, viewId ? 1 : stack.length);
  if (!wasTop) return;
  surface = null;
  if (stack.length) return draw();
  dialog?.close();
  dialog = null;
}

/**
 * @param {string} viewId
 * @param {{[blockId: string]: string}} errors
 */
export function showErrors(viewId, errors) {
  if (!dialog || stack[stack.length - 1]?.view.id !== viewId) return;
  let unplaced = errors[""] ?? "";
  for (const slot of dialog.querySelectorAll(".field-error")) slot.textContent = "";
  for (const node of dialog.querySelectorAll("[aria-invalid]")) node.removeAttribute("aria-invalid");
  for (const [blockId, text] of Object.entries(errors)) {
    const field = dialog.querySelector(`.field[data-block="${CSS.escape(blockId)}"]`);
    const slot = field?.querySelector(".field-error");
    if (!field || !slot) unplaced ||= text;
    else {
      slot.textContent = text;
      field.querySelector("[aria-describedby]")?.setAttribute("aria-invalid", "true");
    }
  }
  const banner = dialog.querySelector(".form-error");
  if (banner) banner.textContent = unplaced;
  const first = dialog.querySelector("[aria-invalid]");
  /** @type {HTMLElement | null} */ (first?.querySelector("input") ?? first)?.focus();
}

function keepValues() {
  const top = stack[stack.length - 1];
  if (top && surface) top.values = surface.values();
}

function draw() {
  const { view, values } = stack[stack.length - 1];
  dialog ??= openDialog({ class: "modal", onCancel: dismiss });
  surface = new Surface({ view_id: view.id }, values);
  const { bar, titleId } = titleBar(view.title?.text ?? "", dismiss);
  dialog.setAttribute("aria-labelledby", titleId);
  const form = el(
    "form",
    { novalidate: true, on: { submit } },
    el("div", { class: "dialog-body" }, renderBlocks(view.blocks, surface)),
    el("p", { class: "form-error", role: "alert" }),
    footer(view),
  );
  dialog.replaceChildren(bar, form);
  focusFirst(dialog);
}

/** @param {View} view */
function footer(view) {
  const close = el("button", { type: "button", class: "button", on: { click: dismiss } }, view.close?.text ?? "Cancel");
  const submit = view.submit && el("button", { type: "submit", class: "button primary" }, view.submit.text);
  return el("div", { class: "dialog-actions" }, close, submit);
}

/** @param {HTMLElement} root */
function focusFirst(root) {
  const wished = root.querySelector("[autofocus]") ?? root.querySelector(".dialog-body :is(input, textarea, select)");
  const target = wished ?? root.querySelector(".dialog-actions button");
  /** @type {HTMLElement | null} */ (target)?.focus();
}

/** @param {SubmitEvent} event */
async function submit(event) {
  event.preventDefault();
  const top = stack[stack.length - 1];
  if (!top || !surface || dialog?.ariaBusy === "true") return;
  const missing = surface.missing();
  if (Object.keys(missing).length) return showErrors(top.view.id, missing);
  const view_id = top.view.id;
  const form = dialog;
  if (form) form.ariaBusy = "true";
  showErrors(view_id, {});
  const answer = await post("view_submit", { view_id, values: surface.values() }, { quiet: true });
  if (form) form.ariaBusy = null;
  const errors = answer.errors ?? (answer.ok ? null : { "": readable(answer.error) });
  if (errors) showErrors(view_id, errors);
}

/** The person closes the topmost view; the app hears of it when it asked to. */
function dismiss() {
  const view_id = stack[stack.length - 1]?.view.id;
  if (!view_id) return;
  closeView(view_id);
  void post("view_close", { view_id }, { quiet: true });
}
