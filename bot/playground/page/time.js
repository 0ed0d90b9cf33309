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

/** @param {string} ts */
export function day(ts) {
  const [date, today] = [dateOf(ts), new Date()];
  if (date.toDateString() === today.toDateString()) return "Today";
  today.setDate(today.getDate() - 1);
  if (date.toDateString() === today.toDateString()) return "Yesterday";
  return date.toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
}
