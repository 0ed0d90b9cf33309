/** Slack's timestamps (seconds with six decimals) as people read them. */

/** @param {string} ts */
function dateOf(ts) {
  return new Date(Number(ts) * 1000);
}

/** @param {string} ts */
export function clock(ts) {
  return dateOf(ts).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

/** @param {string} ts */
export function fullTime(ts) {
  return dateOf(ts).toLocaleString();
}

/** @type {Map<string, string>} a long list asks for the same days again and again */
const dates = new Map();

/** @param {string} ts */
function dateKey(ts) {
  const key = dates.get(ts) ?? dateOf(ts).toDateString();
  dates.set(ts, key);
  return key;
}

/**
 * @param {string} one
 * @param {string} other
 */
export function isSameDay(one, other) {
  return dateKey(one) === dateKey(other);
}

/** @param {string} ts */
export function day(ts) {
  const [date, today] = [dateOf(ts), new Date()];
  if (date.toDateString() === today.toDateString()) return "Today";
  today.setDate(today.getDate() - 1);
  if (date.toDateString() === today.toDateString()) return "Yesterday";
  return date.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
}
