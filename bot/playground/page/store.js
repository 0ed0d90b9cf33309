/** Everything the page knows at the moment, and who wants to hear when it changes. */

/** @typedef {import("./types.js").Message} Message */
/** @typedef {"channels" | "messages" | "home" | "activity" | "prompts" | "place" | "unread"} Topic */

const bell = new EventTarget();

export const store = {
  me: "",
  team: { id: "", name: "" },
  botUserId: "",
  /** @type {Map<string, import("./types.js").User>} */
  users: new Map(),
  /** @type {import("./types.js").Command[]} */
  commands: [],
  /** @type {import("./types.js").Shortcut[]} */
  shortcuts: [],
  /** @type {Map<string, import("./types.js").Channel>} */
  channels: new Map(),
  /** @type {Map<string, Map<string, Message>>} channel -> ts -> message */
  messages: new Map(),
  /** @type {Set<string>} channels whose history was fetched */
  loaded: new Set(),
  /** @type {import("./types.js").View | null} */
  home: null,
  /** @type {Map<string, import("./types.js").Prompts>} */
  prompts: new Map(),
  /** @type {Map<string, import("./types.js").Status>} by threadKey */
  statuses: new Map(),
  /** @type {Set<string>} threads in which the bot works, by threadKey */
  working: new Set(),
  /** @type {Set<string>} */
  unread: new Set(),
  /** The open channel's id, or "home". */
  channel: "",
  /** @type {string | null} the open thread */
  thread: null,
};

/**
 * @param {Topic} topic
 * @param {() => void} listener
 */
export function on(topic, listener) {
  bell.addEventListener(topic, listener);
}

/** @param {Topic[]} topics */
export function changed(...topics) {
  for (const topic of topics) bell.dispatchEvent(new Event(topic));
}

/**
 * @param {string} channel
 * @param {string | null | undefined} threadTs
 */
export function threadKey(channel, threadTs) {
  return `${channel}/${threadTs ?? ""}`;
}

export function me() {
  return store.users.get(store.me);
}
