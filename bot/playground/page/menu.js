/** A small menu beside a button: arrow keys move, Enter picks, Escape gives the focus back. */

import { el } from "./element.js";

/** @typedef {{label: string, pick: () => void, face?: string, danger?: boolean, hint?: string}} Entry */

/** @type {(() => void) | null} closes the one open menu */
let closeOpen = null;

/**
 * @param {HTMLElement} anchor the button that opens it
 * @param {Entry[]} entries
 * @param {{label: string, columns?: number}} options several columns make it a grid
 */
export function openMenu(anchor, entries, { label, columns = 1 }) {
  closeOpen?.();
  const items = entries.map((entry) => item(entry, close));
  const kind = columns > 1 ? "menu grid" : "menu";
  const menu = el("div", { class: kind, role: "menu", "aria-label": label }, ...items);
  menu.addEventListener("keydown", (event) => steer(event, items, columns, close));
  // A menu of a modal has to live inside the dialog: everything outside is inert.
  (anchor.closest("dialog") ?? document.body).append(menu);
  place(menu, anchor);
  anchor.setAttribute("aria-expanded", "true");
  document.addEventListener("pointerdown", outside, true);
  closeOpen = close;
  items[0]?.focus();

  /** @param {Event} event */
  function outside(event) {
    if (!menu.contains(/** @type {Node} */ (event.target))) close(false);
  }

  function close(giveBack = true) {
    menu.remove();
    anchor.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
    closeOpen = null;
    if (giveBack) anchor.focus();
  }
}

/**
 * @param {Entry} entry
 * @param {(giveBack?: boolean) => void} close
 */
function item(entry, close) {
  const choose = () => {
    close();
    entry.pick();
  };
  return el(
    "button",
    {
      type: "button",
      role: "menuitem",
      tabindex: "-1",
      class: entry.danger ? "menu-item danger" : "menu-item",
      "aria-label": entry.face ? entry.label : null,
      title: entry.face ? entry.label : null,
      on: { click: choose },
    },
    el("span", { dir: "auto" }, entry.face ?? entry.label),
    entry.hint && el("span", { class: "hint", dir: "auto" }, entry.hint),
  );
}

/**
 * @param {KeyboardEvent} event
 * @param {HTMLElement[]} items
 * @param {number} columns
 * @param {() => void} close
 */
function steer(event, items, columns, close) {
  const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const inGrid = columns > 1;
  /** @type {{[key: string]: number}} */
  const steps = {
    ArrowDown: inGrid ? columns : 1,
    ArrowUp: inGrid ? -columns : -1,
    ...(inGrid ? { ArrowRight: 1, ArrowLeft: -1 } : {}),
  };
  if (event.key === "Escape" || event.key === "Tab") close();
  else if (event.key in steps) items[(at + steps[event.key] + items.length) % items.length].focus();
  else if (event.key === "Home") items[0].focus();
  else if (event.key === "End") items[items.length - 1].focus();
  else return;
  event.preventDefault();
  event.stopPropagation();
}

/**
 * @param {HTMLElement} menu
 * @param {HTMLElement} anchor
 */
function place(menu, anchor) {
  const [box, size] = [anchor.getBoundingClientRect(), menu.getBoundingClientRect()];
  const below = box.bottom + 4 + size.height < innerHeight;
  const top = below ? box.bottom + 4 : Math.max(8, box.top - size.height - 4);
  const left = Math.max(8, Math.min(box.right - size.width, innerWidth - size.width - 8));
  menu.style.top = `${top}px`;
  menu.style.left = `${left}px`;
}
