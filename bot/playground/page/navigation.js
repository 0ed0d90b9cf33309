/** Where the person is: channel, thread, home tab. The address bar keeps it. */

import { post } from "./api.js";
import { byId } from "./element.js";
import { load } from "./history.js";
import { changed, store } from "./store.js";
import { toast } from "./toast.js";

export const HOME = "home";

/** @param {string} id */
export async function openChannel(id) {
  if (id === HOME) return openHome();
  const channel = store.channels.get(id);
  if (!channel) return toast("This conversation is not open to you.", "problem");
  go(id, null);
  store.unread.delete(id);
  changed("unread");
  // With the bot, opening the conversation is an event that the app hears.
  if (channel.with_user === store.botUserId) void post("dm", { with_user: store.botUserId });
  try {
    await load(id);
  } catch {
    toast("The messages could not be loaded.", "problem");
  }
  return undefined;
}

export async function openHome() {
  go(HOME, null);
  await post("home", {});
}

/** @param {string} userId */
export async function openDm(userId) {
  const known = [...store.channels.values()].find((channel) => channel.with_user === userId);
  if (known) return openChannel(known.id);
  const answer = await post("dm", { with_user: userId });
  if (!answer.ok) return undefined;
  store.channels.set(answer.channel.id, answer.channel);
  changed("channels");
  return openChannel(answer.channel.id);
}

/**
 * @param {string} ts of the thread's first message
 * @param {{focus?: boolean}} [options] whether the writing place of the thread gets the focus
 */
export function openThread(ts, { focus = false } = {}) {
  go(store.channel, ts);
  if (focus) byId("thread").querySelector("textarea")?.focus();
}

export function closeThread() {
  const ts = store.thread;
  if (!ts) return;
  const hadFocus = byId("thread").contains(document.activeElement);
  go(store.channel, null);
  const row = byId("main").querySelector(`[data-ts="${CSS.escape(ts)}"]`);
  if (hadFocus) /** @type {HTMLElement | null} */ (row)?.focus();
}

/**
 * @param {string} channel
 * @param {string | null} thread
 */
function go(channel, thread) {
  store.channel = channel;
  store.thread = thread;
  const query = new URLSearchParams({ user: store.me, channel, ...(thread ? { thread } : {}) });
  history.replaceState(null, "", `/?${query}`);
  changed("place");
}

/**
 * Shows the page as another person sees it.
 * @param {string} userId
 */
export function become(userId) {
  const withBot = store.channels.get(store.channel)?.with_user === store.botUserId;
  const query = new URLSearchParams({ user: userId, channel: withBot ? "bot" : store.channel });
  location.assign(`/?${query}`);
}

/** Opens what the address asks for: `?channel=` an id, a name, "bot" or "home", or a permalink. */
export async function openAddress() {
  const query = new URLSearchParams(location.search);
  const permalink = /^\/archives\/([^/]+)\/p(\d+)(\d{6})$/.exec(location.pathname);
  const wanted = permalink?.[1] ?? query.get("channel") ?? "bot";
  const ts = permalink ? `${permalink[2]}.${permalink[3]}` : null;
  const thread = query.get("thread") ?? query.get("thread_ts");
  const channel = [...store.channels.values()].find(({ id, name }) => id === wanted || name === wanted);
  if (wanted === HOME) await openHome();
  else if (channel) await openChannel(channel.id);
  else await openDm(store.botUserId);
  if (channel && thread) openThread(thread);
  return ts;
}
