/** A list of messages that keeps what did not change: the main pane and the thread use it. */

import { activityLine } from "./activity.js";
import { el, present } from "./element.js";
import { isReply, replies, roots, thread } from "./history.js";
import { icon } from "./icon.js";
import { messageRow } from "./message.js";
import { openThread } from "./navigation.js";
import { avatar } from "./people.js";
import { store, threadKey } from "./store.js";
import { clock, day, isSameDay } from "./time.js";

/** @typedef {import("./types.js").Message} Message */
/** @typedef {{message: Message, node: HTMLElement, foot: string, activity: HTMLElement | null}} Row */

const GROUPED_SECONDS = 300;
const NEAR_END_PX = 80;

export class Timeline {
  /**
   * @param {{label: string, inThread: boolean, empty: string}} options
   */
  constructor({ label, inThread, empty }) {
    this.inThread = inThread;
    this.empty = empty;
    this.channel = "";
    /** @type {string | null} */
    this.threadTs = null;
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    /** @type {Map<string, HTMLElement>} */
    this.days = new Map();
    /** @type {Map<string, Message[]>} */
    this.threads = new Map();
    /** @type {Map<string, {status: any, working: boolean, node: HTMLElement | null}>} */
    this.activities = new Map();
    this.list = el("ol", { class: "timeline", "aria-label": label });
    this.scroller = el("div", { class: "scroller", tabindex: "-1" }, this.list);
    this.jump = el(
      "button",
      { type: "button", class: "button jump", hidden: true, on: { click: () => this.toEnd() } },
      icon("arrow"),
      "New messages",
    );
    this.node = el("div", { class: "timeline-frame" }, this.scroller, this.jump);
    this.list.addEventListener("keydown", (event) => this.steer(event));
    this.scroller.addEventListener("scroll", () => this.isAtEnd() && (this.jump.hidden = true));
  }

  /**
   * @param {string} channel
   * @param {string | null} threadTs
   */
  show(channel, threadTs = null) {
    this.channel = channel;
    this.threadTs = threadTs;
    this.rows.clear();
    this.list.replaceChildren();
    this.refresh();
    this.toEnd();
  }

  refresh() {
    const follows = this.isAtEnd();
    const messages = this.messages();
    if (!this.inThread) this.threads = replies(this.channel);
    const grew = messages.some((message) => !this.rows.has(message.ts));
    const wanted = this.children(messages);
    const here = new Set(messages.map((message) => message.ts));
    for (const ts of [...this.rows.keys()]) if (!here.has(ts)) this.rows.delete(ts);
    arrange(this.list, wanted);
    this.makeReachable();
    if (follows) this.toEnd();
    else if (grew) this.jump.hidden = false;
  }

  /** @returns {Message[]} */
  messages() {
    return this.threadTs ? thread(this.channel, this.threadTs) : roots(this.channel);
  }

  /**
   * @param {Message[]} messages
   * @returns {HTMLElement[]}
   */
  children(messages) {
    /** @type {HTMLElement[]} */
    const nodes = [];
    /** @type {Message | undefined} */
    let before;
    for (const message of messages) {
      if (!before || !isSameDay(before.ts, message.ts)) nodes.push(this.separator(day(message.ts)));
      const node = this.row(message).node;
      node.classList.toggle("follows", continues(before, message));
      nodes.push(node);
      before = message;
    }
    if (!messages.length) nodes.push(el("li", { class: "empty hint" }, this.empty));
    const activity = this.activity(this.threadTs);
    if (activity) nodes.push(activity);
    return nodes;
  }

  /**
   * The same node as long as the same is going on, so that the stop button keeps the focus.
   * @param {string | null} threadTs
   * @returns {HTMLElement | null}
   */
  activity(threadTs) {
    const key = threadKey(this.channel, threadTs);
    const [status, working] = [store.statuses.get(key), store.working.has(key)];
    const known = this.activities.get(key);
    if (known && known.status === status && known.working === working) return known.node;
    const line = activityLine(this.channel, threadTs);
    const node = line && el(threadTs === this.threadTs ? "li" : "div", { class: "activity-row" }, line);
    this.activities.set(key, { status, working, node });
    return node;
  }

  /**
   * @param {string} name of the day
   * @returns {HTMLElement}
   */
  separator(name) {
    const known = this.days.get(name);
    if (known) return known;
    const node = el("li", { class: "day", role: "separator", "aria-label": name }, el("span", {}, name));
    this.days.set(name, node);
    return node;
  }

  /**
   * @param {Message} message
   * @returns {Row}
   */
  row(message) {
    let row = this.rows.get(message.ts);
    if (!row || (row.message !== message && !row.node.querySelector(".editor"))) {
      row = { message, node: messageRow(message, this), foot: "", activity: null };
      const old = this.rows.get(message.ts)?.node;
      if (old) handOver(old, row.node);
      this.rows.set(message.ts, row);
    }
    if (!this.inThread) this.foot(row);
    return row;
  }

  /**
   * Below a first message: how many replies, and what the bot does there.
   * @param {Row} row
   */
  foot(row) {
    const { message, node } = row;
    const foot = node.querySelector(".message-foot");
    const answers = this.threads.get(message.ts) ?? [];
    const activity = isReply(message) ? null : this.activity(message.ts);
    const signature = answers.map((answer) => answer.ts).join();
    if (!foot || (signature === row.foot && activity === row.activity)) return;
    Object.assign(row, { foot: signature, activity });
    const hadFocus = foot.contains(document.activeElement);
    foot.replaceChildren(...present([answers.length > 0 && threadSummary(message, answers), activity]));
    if (hadFocus) /** @type {HTMLElement} */ (foot.querySelector("button") ?? node).focus();
  }

  toEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
    this.jump.hidden = true;
  }

  isAtEnd() {
    const { scrollTop, clientHeight, scrollHeight } = this.scroller;
    return scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
  }

  /** @param {string} ts */
  reveal(ts) {
    const node = this.rows.get(ts)?.node;
    node?.scrollIntoView({ block: "center" });
    node?.focus();
  }

  focusLast() {
    const nodes = this.stops();
    nodes[nodes.length - 1]?.focus();
  }

  /** @returns {HTMLElement[]} */
  stops() {
    return [...this.list.querySelectorAll(":scope > .message")].map((node) => /** @type {HTMLElement} */ (node));
  }

  /** Tab reaches one message of the list; from there the arrow keys move. */
  makeReachable() {
    const stops = this.stops();
    const current = stops.find((node) => node.contains(document.activeElement)) ?? stops[stops.length - 1];
    for (const node of stops) node.tabIndex = node === current ? 0 : -1;
  }

  /** @param {KeyboardEvent} event */
  steer(event) {
    const stops = this.stops();
    const at = stops.indexOf(/** @type {HTMLElement} */ (event.target));
    if (at < 0) return;
    const goals = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: stops.length - 1 };
    if (event.key in goals) {
      const goal = stops[goals[/** @type {keyof typeof goals} */ (event.key)]];
      goal?.focus();
      this.makeReachable();
    } else if (event.key === "Enter" && !this.inThread) {
      const message = this.messages().find(({ ts }) => ts === stops[at].dataset.ts);
      if (message && !message.ephemeral) void openThread(message.thread_ts ?? message.ts, { focus: true });
    } else return;
    event.preventDefault();
  }
}

/**
 * Moves, adds and removes children with as few changes as there are differences.
 * @param {HTMLElement} list
 * @param {HTMLElement[]} wanted
 */
function arrange(list, wanted) {
  const keep = new Set(wanted);
  for (const child of [...list.children]) if (!keep.has(/** @type {HTMLElement} */ (child))) child.remove();
  wanted.forEach((node, at) => {
    if (list.children[at] !== node) list.insertBefore(node, list.children[at] ?? null);
  });
}

/**
 * A message that is drawn anew takes its place, and the focus with it.
 * @param {HTMLElement} old
 * @param {HTMLElement} fresh
 */
function handOver(old, fresh) {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  const hadFocus = old.contains(focused);
  const key = focused?.dataset.key;
  old.replaceWith(fresh);
  if (!hadFocus) return;
  const twin = key && key !== "row" && fresh.querySelector(`[data-key="${CSS.escape(key)}"]`);
  /** @type {HTMLElement} */ (twin || fresh).focus();
}

/**
 * @param {Message | undefined} before
 * @param {Message} message
 */
function continues(before, message) {
  return (
    before?.user === message.user &&
    !before.ephemeral &&
    !message.ephemeral &&
    isSameDay(before.ts, message.ts) &&
    Number(message.ts) - Number(before.ts) < GROUPED_SECONDS
  );
}

/**
 * @param {Message} message
 * @param {Message[]} answers
 */
function threadSummary(message, answers) {
  const faces = [...new Set(answers.map((answer) => answer.user))].slice(0, 3).map(avatar);
  const count = answers.length === 1 ? "1 reply" : `${answers.length} replies`;
  const last = answers[answers.length - 1];
  return el(
    "button",
    {
      type: "button",
      class: "thread-summary",
      data: { key: "thread" },
      on: { click: () => void openThread(message.ts, { focus: true }) },
    },
    ...faces,
    el("strong", {}, count),
    el("span", { class: "hint" }, `last at ${clock(last.ts)}`),
  );
}
