/** The main pane with a conversation in it. */

import { Composer } from "./composer.js";
import { el } from "./element.js";
import { paneHead } from "./pane_head.js";
import { userName } from "./people.js";
import { promptChips } from "./prompts.js";
import { store } from "./store.js";
import { Timeline } from "./timeline.js";

export class ChannelPane {
  constructor() {
    this.channel = "";
    this.timeline = new Timeline({ label: "Messages", inThread: false, empty: "Nothing here yet." });
    this.composer = new Composer({
      inThread: false,
      onLeave: () => this.timeline.focusLast(),
      onChange: () => this.drawPrompts(),
    });
    this.head = el("div", { class: "pane-head-slot" });
    this.prompts = el("div", { class: "prompts-slot" });
    this.node = el(
      "div",
      { class: "pane-fill" },
      this.head,
      this.timeline.node,
      this.prompts,
      this.composer.node,
    );
  }

  /** @param {string} id */
  show(id) {
    this.channel = id;
    this.drawHead();
    this.timeline.show(id);
    const channel = store.channels.get(id);
    const name = channel?.with_user ? userName(channel.with_user) : `#${channel?.name}`;
    this.composer.show(id, null, `Message ${name}`);
    this.drawPrompts();
  }

  drawHead() {
    this.head.replaceChildren(paneHead(store.channels.get(this.channel)));
  }

  /** They make room for what is being typed. */
  drawPrompts() {
    const chips = this.composer?.input.value ? null : promptChips(this.channel);
    this.prompts?.replaceChildren(...(chips ? [chips] : []));
  }
}
