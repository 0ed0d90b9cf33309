/** Modal dialogs on top of the browser's own <dialog>: the rest of the page is inert meanwhile. */

import { el, freshId } from "./element.js";
import { icon } from "./icon.js";

const FOCUSABLE =
  'a[href], button:not([disabled]), input, select, textarea, [tabindex]:not([tabindex="-1"])';

/**
 * Opens an empty dialog; whoever calls fills it.
 * @param {{label?: string, class?: string, onCancel: () => void}} options
 * @returns {HTMLDialogElement}
 */
export function openDialog({ label, class: kind = "", onCancel }) {
  const dialog = /** @type {HTMLDialogElement} */ (
    el("dialog", { class: `dialog ${kind}`, "aria-label": label })
  );
  const opener = /** @type {HTMLElement | null} */ (document.activeElement);
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault();
    onCancel();
  });
  dialog.addEventListener("keydown", (event) => keepInside(event, dialog));
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (!opener?.isConnected) return;
    // Chromium gives the focus back, but leaves the caret in the removed dialog; keys would be lost.
    opener.blur();
    opener.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * Without this, Tab would leave for the browser's own buttons.
 * @param {KeyboardEvent} event
 * @param {HTMLElement} dialog
 */
function keepInside(event, dialog) {
  if (event.key !== "Tab") return;
  const stops = [...dialog.querySelectorAll(FOCUSABLE)].filter(
    (node) => /** @type {HTMLElement} */ (node).offsetParent !== null,
  );
  const [first, last] = [stops[0], stops[stops.length - 1]];
  const at = document.activeElement;
  const wrapsTo = event.shiftKey && at === first ? last : !event.shiftKey && at === last ? first : null;
  if (!wrapsTo) return;
  event.preventDefault();
  /** @type {HTMLElement} */ (wrapsTo).focus();
}

/**
 * @param {(import("./element.js").Child)} title
 * @param {() => void} onClose
 * @returns {{bar: HTMLElement, titleId: string}}
 */
export function titleBar(title, onClose) {
  const titleId = freshId();
  const close = el(
    "button",
    { type: "button", class: "icon-button", "aria-label": "Close", on: { click: onClose } },
    icon("close"),
  );
  const bar = el("div", { class: "dialog-title" }, el("h2", { id: titleId, dir: "auto" }, title), close);
  return { bar, titleId };
}

/**
 * @param {{title: string, text: import("./element.js").Child[], confirm: string, deny: string,
 *   danger?: boolean}} question
 * @returns {Promise<boolean>}
 */
export function ask({ title, text, confirm, deny, danger }) {
  return new Promise((resolve) => {
    const dialog = openDialog({ class: "ask", onCancel: () => finish(false) });
    const { bar, titleId } = titleBar(title, () => finish(false));
    dialog.setAttribute("aria-labelledby", titleId);
    dialog.setAttribute("role", "alertdialog");
    const no = el("button", { type: "button", class: "button", on: { click: () => finish(false) } }, deny);
    const kind = danger ? "button danger" : "button primary";
    const yes = el("button", { type: "button", class: kind, on: { click: () => finish(true) } }, confirm);
    dialog.append(
      bar,
      el("div", { class: "dialog-body prose" }, ...text),
      el("div", { class: "dialog-actions" }, no, yes),
    );
    no.focus();

    /** @param {boolean} answer */
    function finish(answer) {
      dialog.close();
      resolve(answer);
    }
  });
}
