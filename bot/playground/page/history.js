/** The messages of a channel: what was fetched, merged with what arrived in the meantime. */

import { get } from "./api.js";
import { changed, store } from "./store.js";

/** @typedef {import("./types.js").Message} Message */

let tick = 0;
/** @type {Map<string, number>} when each message last changed by a live event */
const touched = new Map();

/**
 * @param {Message} message
 * @returns {Message | undefined} what stood there before
 */
export function upsert(message) {
  const messages = channelMessages(message.channel);
  const before = messages.get(message.ts);
  messages.set(message.ts, message);
  touch(message.channel, message.ts);
  changed("messages");
  return before;
}

/**
 * @param {string} channel
 * @param {string} ts
 */
export function remove(channel, ts) {
  channelMessages(channel).delete(ts);
  touch(channel, ts);
  changed("messages");
}

/**
 * @param {string} channel
 * @param {{again?: boolean}} [options] `again` fetches even what is here already
 */
export async function load(channel, { again = false } = {}) {
  if (store.loaded.has(channel) && !again) return;
  const started = tick;
  const answer = await get("/playground/messages", { user: store.me, channel });
  merge(channel, answer.messages, started);
  store.loaded.add(channel);
  changed("messages");
}

/**
 * A live event that came while the answer was under way is newer than the answer.
 * @param {string} channel
 * @param {Message[]} fetched
 * @param {number} started
 */
function merge(channel, fetched, started) {
  const live = channelMessages(channel);
  const isNewer = (/** @type {string} */ ts) => (touched.get(`${channel}/${ts}`) ?? -1) > started;
  const merged = new Map(
    fetched.filter((message) => !isNewer(message.ts)).map((message) => [message.ts, message]),
  );
  for (const [ts, message] of live) if (isNewer(ts)) merged.set(ts, message);
  store.messages.set(channel, merged);
}

/**
 * @param {string} channel
 * @returns {Message[]} without thread replies, oldest first
 */
export function roots(channel) {
  return sorted(channel).filter((message) => !isReply(message) || message.broadcast);
}

/**
 * @param {string} channel
 * @param {string} ts of the first message
 * @returns {Message[]} the first message and its replies
 */
export function thread(channel, ts) {
  return sorted(channel).filter((message) => message.ts === ts || message.thread_ts === ts);
}

/**
 * @param {string} channel
 * @returns {Map<string, Message[]>} all replies, by their thread's first message
 */
export function replies(channel) {
  /** @type {Map<string, Message[]>} */
  const threads = new Map();
  for (const message of sorted(channel).filter(isReply)) {
    const root = message.thread_ts ?? "";
    threads.set(root, [...(threads.get(root) ?? []), message]);
  }
  return threads;
}

/**
 * @param {Message} message
 * @returns {boolean}
 */
export function isReply(message) {
  return Boolean(message.thread_ts) && message.thread_ts !== message.ts;
}

/** @param {string} channel */
function channelMessages(channel) {
  const messages = store.messages.get(channel) ?? new Map();
  store.messages.set(channel, messages);
  return messages;
}

/** @param {string} channel */
function sorted(channel) {
  const messages = [...(store.messages.get(channel)?.values() ?? [])];
  return messages.sort((one, other) => Number(one.ts) - Number(other.ts));
}

/**
 * @param {string} channel
 * @param {string} ts
 */
function touch(channel, ts) {
  tick += 1;
  touched.set(`${channel}/${ts}`, tick);
}
