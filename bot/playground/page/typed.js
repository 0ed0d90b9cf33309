/** Between what a person types and what Slack stores. The server escapes &, < and >, and marks
 * links; here names become mentions, and on editing mentions become names again. */

import { unescapeEntities } from "./mrkdwn.js";
import { userName } from "./people.js";
import { store } from "./store.js";

const CODE = /(```[\s\S]*?```|`[^`\n]+`)/;

/**
 * @param {string} text as typed
 * @returns {string} with `<@U…>` for "@Name" and `<#C…>` for "#channel", except inside code
 */
export function outgoing(text) {
  return text
    .split(CODE)
    .map((part, index) => (index % 2 ? part : withMentions(part)))
    .join("");
}

/** @param {string} text */
function withMentions(text) {
  let result = text;
  for (const [name, token] of names()) {
    const pattern = new RegExp(`(?<![\\p{L}\\p{N}<@#])${escaped(name)}(?![\\p{L}\\p{N}])`, "giu");
    result = result.replace(pattern, () => token);
  }
  return result;
}

/** @returns {[string, string][]} what may be typed and its token, the longest first */
function names() {
  const people = [...store.users.values()].flatMap((user) =>
    [user.real_name, user.name].filter(Boolean).map((name) => [`@${name}`, `<@${user.id}>`]),
  );
  const channels = [...store.channels.values()]
    .filter((channel) => !channel.is_im)
    .map((channel) => [`#${channel.name}`, `<#${channel.id}>`]);
  const all = /** @type {[string, string][]} */ ([...people, ...channels]);
  return all.sort((one, other) => other[0].length - one[0].length);
}

/** @param {string} text */
function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
}

/**
 * @param {string} text Slack's mrkdwn
 * @returns {string} as a person would type it
 */
export function editable(text) {
  return unescapeEntities(
    text.replace(/<([^<>|]+)(?:\|([^<>]*))?>/g, (_, target, label) => {
      if (target.startsWith("@")) return `@${userName(target.slice(1))}`;
      if (target.startsWith("#")) return `#${store.channels.get(target.slice(1))?.name ?? label}`;
      return target.startsWith("!") ? `@${target.slice(1)}` : target;
    }),
  );
}
