/** The bot answers in threads: when it begins to answer what was just asked, its thread opens. */

import { thread } from "./history.js";
import { openThread } from "./navigation.js";
import { store, threadKey } from "./store.js";

/** Below this width a thread covers the channel, so it opens only by hand. */
const WIDE = "(min-width: 900px)";

/** @type {Set<string>} first messages that were written on this page, as channel/ts */
const mine = new Set();

/**
 * @param {string} channel
 * @param {string} ts
 */
export function follow(channel, ts) {
  mine.add(`${channel}/${ts}`);
  // The bot may have been quicker than the answer to the request that posted the question.
  const key = threadKey(channel, ts);
  if (store.statuses.has(key) || store.working.has(key) || thread(channel, ts).length > 1) {
    botIsAt(channel, ts);
  }
}

/**
 * @param {string} channel
 * @param {string | undefined} threadTs in which the bot does something
 */
export function botIsAt(channel, threadTs) {
  const key = `${channel}/${threadTs}`;
  if (!threadTs || !mine.has(key) || channel !== store.channel || store.thread === threadTs) return;
  mine.delete(key);
  if (matchMedia(WIDE).matches) openThread(threadTs);
}
