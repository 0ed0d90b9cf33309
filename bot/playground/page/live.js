/** The socket on which the server pushes. It comes back by itself, ever more patiently. */

import { byId, el } from "./element.js";
import { apply } from "./events.js";
import { store } from "./store.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

export class Live {
  /** @param {() => Promise<void>} onReturn reloads what may have changed in the meantime */
  constructor(onReturn) {
    this.onReturn = onReturn;
    this.failures = 0;
    this.wasOpen = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    addEventListener("online", () => this.failures && this.connect());
  }

  /** @returns {Promise<void>} done when the socket opened or failed for the first time */
  connect() {
    clearTimeout(this.timer);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/playground/live?user=${encodeURIComponent(store.me)}`);
    socket.addEventListener("message", (event) => apply(JSON.parse(event.data)));
    return new Promise((resolve) => {
      socket.addEventListener("open", () => {
        void this.opened();
        resolve();
      });
      socket.addEventListener("close", () => {
        this.closed();
        resolve();
      });
    });
  }

  async opened() {
    const isReturn = this.wasOpen || this.failures > 0;
    this.wasOpen = true;
    this.failures = 0;
    if (isReturn) await this.onReturn();
    this.banner(null);
  }

  closed() {
    const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.failures);
    this.failures += 1;
    this.banner("The connection is lost. Reconnecting…");
    // Spread out, so that many pages do not knock at the same moment.
    this.timer = setTimeout(() => void this.connect(), wait * (0.75 + Math.random() / 2));
  }

  /** @param {string | null} text */
  banner(text) {
    const banner = byId("banner");
    banner.hidden = !text;
    if (!text) return banner.replaceChildren();
    const retry = () => void this.connect();
    const button = el("button", { type: "button", class: "button", on: { click: retry } }, "Try now");
    return banner.replaceChildren(text, button);
  }
}
