/** What the server pushes, and what it changes here. */

import { announce } from "./announcer.js";
import { botIsAt } from "./follow.js";
import { isReply, remove, upsert } from "./history.js";
import { author, messageContent } from "./message.js";
import { closeView, openView, showErrors, updateView } from "./modal.js";
import { changed, store, threadKey } from "./store.js";
import { toast } from "./toast.js";

/** @typedef {import("./types.js").Message} Message */

/** @type {{[type: string]: (event: any) => void}} */
const EVENTS = {
  message: ({ message }) => receive(message),
  message_deleted: ({ channel, ts }) => remove(channel, ts),
  status,
  session,
  prompts: ({ channel, title, prompts }) => {
    store.prompts.set(channel, { title, prompts });
    changed("prompts");
  },
  view_open: ({ view }) => openView(view),
  view_update: ({ view }) => updateView(view),
  view_close: ({ view_id }) => closeView(view_id),
  view_errors: ({ view_id, errors }) => showErrors(view_id, errors),
  home: ({ view }) => {
    store.home = view;
    changed("home");
  },
  channel: ({ channel }) => {
    store.channels.set(channel.id, channel);
    changed("channels");
  },
  toast: ({ text }) => toast(text),
};

/** @param {{type: string}} event */
export function apply(event) {
  EVENTS[event.type]?.(event);
}

/** @param {Message} message */
function receive(message) {
  const before = upsert(message);
  if (message.user === store.me) return;
  const isNew = !before;
  if (isNew && message.bot && isReply(message)) botIsAt(message.channel, message.thread_ts);
  if (isNew && message.channel !== store.channel) {
    store.unread.add(message.channel);
    changed("unread");
  }
  if (!message.streaming && (isNew || before?.streaming)) {
    const content = messageContent(message).textContent ?? "";
    announce(`${author(message)}: ${content.trim()}`);
  }
}

/** @param {{channel: string, thread_ts: string, status: string, loading_messages?: string[]}} event */
export function status({ channel, thread_ts, status: text, loading_messages = [] }) {
  const key = threadKey(channel, thread_ts);
  if (text) store.statuses.set(key, { status: text, loading: loading_messages, since: Date.now() });
  else store.statuses.delete(key);
  if (text) botIsAt(channel, thread_ts);
  changed("activity");
}

/** @param {{channel: string, thread_ts: string, status: string}} event */
export function session({ channel, thread_ts, status: state }) {
  const key = threadKey(channel, thread_ts);
  if (state === "processing") store.working.add(key);
  else store.working.delete(key);
  changed("activity");
}
