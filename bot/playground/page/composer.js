/** Where a person writes. Enter sends, Shift+Enter starts a new line. */

import { post } from "./api.js";
import { Completion } from "./completion.js";
import { el } from "./element.js";
import { follow } from "./follow.js";
import { icon } from "./icon.js";
import { store } from "./store.js";
import { toast } from "./toast.js";
import { outgoing } from "./typed.js";

/** @type {Map<string, string>} what was typed and not sent, by place */
const drafts = new Map();
const TALLEST_PX = 240;

export class Composer {
  /**
   * @param {{inThread: boolean, onLeave: () => void, onChange?: () => void}} options
   *   `onLeave`: the arrow key went up from an empty composer
   */
  constructor({ inThread, onLeave, onChange }) {
    this.inThread = inThread;
    this.onLeave = onLeave;
    this.onChange = onChange;
    this.channel = "";
    /** @type {string | null} */
    this.threadTs = null;
    this.input = /** @type {HTMLTextAreaElement} */ (
      el("textarea", { class: "composer-input", dir: "auto", rows: "1", enterkeyhint: "send" })
    );
    this.completion = new Completion(this.input, { commands: !inThread });
    this.submit = el(
      "button",
      { type: "button", class: "icon-button send", "aria-label": "Send", title: "Send (Enter)" },
      icon("send"),
    );
    this.hint = el("p", { class: "hint composer-hint", "aria-hidden": "true" });
    this.node = el(
      "div",
      { class: "composer" },
      this.completion.node,
      el("div", { class: "composer-box" }, this.input, this.submit),
      this.hint,
    );
    this.listen();
  }

  listen() {
    this.submit.addEventListener("click", () => void this.send());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("blur", () => this.completion.close());
    this.input.addEventListener("input", () => {
      drafts.set(this.place(), this.input.value);
      this.completion.update();
      this.fit();
    });
  }

  /**
   * @param {string} channel
   * @param {string | null} threadTs
   * @param {string} label
   */
  show(channel, threadTs, label) {
    this.channel = channel;
    this.threadTs = threadTs;
    this.input.value = drafts.get(this.place()) ?? "";
    this.input.setAttribute("aria-label", label);
    this.input.placeholder = label;
    this.completion.close();
    this.fit();
  }

  place() {
    return `${this.channel}/${this.threadTs ?? ""}`;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    // While an input method composes, Enter belongs to it.
    if (event.isComposing) return;
    if (this.completion.take(event)) {
      event.preventDefault();
      event.stopPropagation();
    } else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      void this.send();
    } else if (event.key === "ArrowUp" && !this.input.value) {
      event.preventDefault();
      this.onLeave();
    }
  }

  async send() {
    const text = this.input.value.trim();
    if (!text) return;
    this.set("");
    const isSent = await this.deliver(text);
    if (!isSent && !this.input.value) this.set(text);
    this.input.focus();
  }

  /**
   * @param {string} text
   * @returns {Promise<boolean>}
   */
  async deliver(text) {
    const command = /^(\/\S+)\s*([\s\S]*)$/.exec(text);
    if (command) return this.run(command[1], command[2]);
    const thread = this.threadTs ? { thread_ts: this.threadTs } : {};
    const answer = await post("post", { channel: this.channel, text: outgoing(text), ...thread });
    if (answer.ok && !this.threadTs) follow(this.channel, answer.ts);
    return answer.ok;
  }

  /**
   * @param {string} command
   * @param {string} text
   */
  async run(command, text) {
    if (this.inThread) {
      toast("Slash commands do not work in threads. Use the channel instead.", "problem");
      return false;
    }
    if (!store.commands.some((known) => known.command === command)) {
      toast(`${command} is not a command. Type / to see what there is.`, "problem");
      return false;
    }
    return (await post("command", { channel: this.channel, command, text })).ok;
  }

  /** @param {string} text */
  set(text) {
    this.input.value = text;
    drafts.set(this.place(), text);
    this.completion.close();
    this.fit();
  }

  fit() {
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(this.input.scrollHeight, TALLEST_PX)}px`;
    const command = store.commands.find(({ command }) => this.input.value.startsWith(`${command} `));
    const usage = command && `${command.command} ${command.usage_hint ?? ""} · ${command.description ?? ""}`;
    const keys = `Enter sends · Shift+Enter new line${this.inThread ? "" : " · / commands"} · @ people`;
    this.hint.textContent = usage ?? keys;
    this.onChange?.();
  }
}
