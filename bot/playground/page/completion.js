/** The list above the composer: commands after "/", people after "@", channels after "#". */

import { el, freshId } from "./element.js";
import { avatar, role } from "./people.js";
import { store } from "./store.js";

/** @typedef {{label: string, detail: string, insert: string, face?: Node}} Entry */

const MOST = 8;

export class Completion {
  /**
   * @param {HTMLTextAreaElement} input
   * @param {{commands: boolean}} options
   */
  constructor(input, { commands }) {
    this.input = input;
    this.withCommands = commands;
    /** @type {Entry[]} */
    this.entries = [];
    this.at = 0;
    this.from = 0;
    this.node = el("ul", { id: freshId(), class: "completion", role: "listbox", "aria-label": "Suggestions", hidden: true });
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-controls", this.node.id);
  }

  get isOpen() {
    return !this.node.hidden;
  }

  /** Looks at what stands before the caret. */
  update() {
    const before = this.input.value.slice(0, this.input.selectionStart);
    const found = this.find(before);
    this.entries = found.entries.slice(0, MOST);
    this.from = found.from;
    this.at = 0;
    this.draw();
  }

  close() {
    this.entries = [];
    this.draw();
  }

  /**
   * @param {string} before the caret
   * @returns {{entries: Entry[], from: number}}
   */
  find(before) {
    const command = this.withCommands && /^\/(\S*)$/.exec(before);
    if (command) return { entries: commandEntries(before), from: 0 };
    const name = /(?:^|[\s(])([@#])([^\s@#]*(?: [^\s@#]+)?)$/u.exec(before);
    if (!name) return { entries: [], from: 0 };
    const entries = name[1] === "@" ? peopleEntries(name[2]) : channelEntries(name[2]);
    return { entries, from: before.length - name[2].length - 1 };
  }

  /**
   * @param {KeyboardEvent} event
   * @returns {boolean} whether the key was for the list
   */
  take(event) {
    if (!this.isOpen) return false;
    const count = this.entries.length;
    if (event.key === "ArrowDown") this.at = (this.at + 1) % count;
    else if (event.key === "ArrowUp") this.at = (this.at + count - 1) % count;
    else if (event.key === "Escape") this.entries = [];
    else if (event.key === "Tab" || (event.key === "Enter" && !this.isComplete())) return this.pick(this.at);
    else return false;
    this.draw();
    return true;
  }

  /** A command that is typed out is not completed but sent. */
  isComplete() {
    return this.from === 0 && this.entries.some((entry) => entry.insert.trim() === this.input.value.trim() && entry.insert.startsWith("/"));
  }

  /**
   * @param {number} at
   * @returns {true}
   */
  pick(at) {
    const { insert } = this.entries[at];
    this.input.setRangeText(insert, this.from, this.input.selectionStart, "end");
    this.close();
    this.input.focus();
    this.input.dispatchEvent(new Event("input"));
    return true;
  }

  draw() {
    this.node.hidden = !this.entries.length;
    const options = this.entries.map((entry, at) => this.option(entry, at));
    this.node.replaceChildren(...options);
    const active = options[this.at];
    active?.scrollIntoView?.({ block: "nearest" });
    if (active) this.input.setAttribute("aria-activedescendant", active.id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  /**
   * @param {Entry} entry
   * @param {number} at
   */
  option(entry, at) {
    const pick = (/** @type {Event} */ event) => {
      event.preventDefault();
      this.pick(at);
    };
    return el(
      "li",
      { id: `${this.node.id}-${at}`, role: "option", "aria-selected": String(at === this.at), on: { mousedown: pick } },
      entry.face,
      el("strong", {}, el("bdi", {}, entry.label)),
      el("span", { class: "hint", dir: "auto" }, entry.detail),
    );
  }
}

/** @param {string} typed including the slash */
function commandEntries(typed) {
  const start = typed.toLowerCase();
  return store.commands
    .filter(({ command }) => command.toLowerCase().startsWith(start))
    .map(({ command, description = "", usage_hint = "" }) => ({
      label: `${command} ${usage_hint}`.trim(),
      detail: description,
      insert: `${command} `,
    }));
}

/** @param {string} typed after the @ */
function peopleEntries(typed) {
  const start = typed.toLowerCase();
  const people = [...store.users.values()].filter((user) => user.id === store.botUserId || !user.is_bot);
  people.sort((one) => (one.id === store.botUserId ? -1 : 0));
  return people
    .filter((user) => [user.name, user.real_name].some((name) => matches(name, start)))
    .map((user) => ({
      label: user.real_name || user.name,
      detail: role(user),
      insert: `@${user.real_name || user.name} `,
      face: avatar(user.id),
    }));
}

/** @param {string} typed after the # */
function channelEntries(typed) {
  return [...store.channels.values()]
    .filter((channel) => !channel.is_im && matches(channel.name, typed.toLowerCase()))
    .map((channel) => ({ label: `#${channel.name}`, detail: channel.topic ?? "", insert: `#${channel.name} ` }));
}

/**
 * @param {string} name
 * @param {string} start in lower case
 */
function matches(name, start) {
  const lower = (name ?? "").toLowerCase();
  return lower.startsWith(start) || lower.split(/\s+/).some((word) => word.startsWith(start));
}
