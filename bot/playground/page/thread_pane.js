/** The thread on the right. */

import { Composer } from "./composer.js";
import { byId, el } from "./element.js";
import { icon } from "./icon.js";
import { closeThread } from "./navigation.js";
import { userName } from "./people.js";
import { store } from "./store.js";
import { Timeline } from "./timeline.js";

export class ThreadPane {
  constructor() {
    this.shown = "";
    this.timeline = new Timeline({ label: "Messages of the thread", inThread: true, empty: "This message is gone." });
    this.composer = new Composer({ inThread: true, onLeave: () => this.timeline.focusLast() });
    this.place = el("p", { class: "hint topic" });
    const close = el(
      "button",
      { type: "button", class: "icon-button", "aria-label": "Close the thread", title: "Close (Esc)", on: { click: closeThread } },
      icon("close"),
    );
    byId("thread").replaceChildren(
      el("header", { class: "pane-head" }, el("h2", {}, "Thread"), this.place, close),
      this.timeline.node,
      this.composer.node,
    );
  }

  /** Opens, changes or closes the pane, as the store says. */
  show() {
    const { channel, thread } = store;
    byId("thread").hidden = !thread;
    byId("app").classList.toggle("with-thread", Boolean(thread));
    const place = `${channel}/${thread}`;
    if (!thread || place === this.shown) {
      if (!thread) this.shown = "";
      return;
    }
    this.shown = place;
    const open = store.channels.get(channel);
    const name = open?.with_user ? userName(open.with_user) : `#${open?.name}`;
    this.place.replaceChildren(el("bdi", {}, name));
    this.timeline.show(channel, thread);
    this.composer.show(channel, thread, "Reply in the thread");
  }

  refresh() {
    if (store.thread) this.timeline.refresh();
  }
}
