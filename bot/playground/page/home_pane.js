/** The main pane with the app's Home tab in it. */

import { renderBlocks } from "./blocks.js";
import { el } from "./element.js";
import { paneHead } from "./pane_head.js";
import { botName } from "./people.js";
import { store } from "./store.js";
import { Surface } from "./surface.js";

export class HomePane {
  constructor() {
    this.head = el("div", { class: "pane-head-slot" });
    this.body = el("div", { class: "home-blocks" });
    const region = el("div", { class: "home", role: "region", "aria-label": "App home", tabindex: "-1" }, this.body);
    this.node = el("div", { class: "pane-fill" }, this.head, region);
    /** @type {Surface | null} */
    this.surface = null;
  }

  show() {
    this.head.replaceChildren(paneHead(undefined));
    this.refresh();
  }

  refresh() {
    const view = store.home;
    if (!view) {
      const waiting = `${botName()} has not published its home tab yet.`;
      this.body.replaceChildren(el("p", { class: "hint" }, waiting));
      return;
    }
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    const key = this.body.contains(focused) ? focused?.dataset.key : undefined;
    this.surface = new Surface({ view_id: view.id }, this.surface?.values() ?? view.state?.values);
    this.body.replaceChildren(renderBlocks(view.blocks, this.surface));
    const twin = key && this.body.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (twin) /** @type {HTMLElement} */ (twin).focus();
  }
}
