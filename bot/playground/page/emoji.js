/** The emoji that the page knows by name. */

/** @type {{[name: string]: string}} */
const EMOJI = {
  "+1": "👍", "-1": "👎", thumbsup: "👍", thumbsdown: "👎", white_check_mark: "✅", eyes: "👀",
  tada: "🎉", heart: "❤️", thinking_face: "🤔", joy: "😂", pray: "🙏", rocket: "🚀", bulb: "💡",
  question: "❓", raised_hands: "🙌", wave: "👋", fire: "🔥", warning: "⚠️", x: "❌", bug: "🐛",
  book: "📖", books: "📚", memo: "📝", pencil2: "✏️", mag: "🔍", sparkles: "✨", star: "⭐",
  slightly_smiling_face: "🙂", smile: "😄", confused: "😕", cry: "😢", clap: "👏", ok_hand: "👌",
  hourglass: "⌛", hourglass_flowing_sand: "⏳", lock: "🔒", link: "🔗", page_facing_up: "📄",
  file_folder: "📁", chart_with_upwards_trend: "📈", bar_chart: "📊", robot_face: "🤖", gear: "⚙️",
  no_entry: "⛔", information_source: "ℹ️", point_right: "👉", large_green_circle: "🟢",
  red_circle: "🔴", large_yellow_circle: "🟡", white_circle: "⚪", mortar_board: "🎓", brain: "🧠",
  speech_balloon: "💬", bell: "🔔", calendar: "📅", arrows_counterclockwise: "🔄", seedling: "🌱",
};

/** What the picker offers, most wanted first. */
export const PICKABLE = [
  "+1", "-1", "white_check_mark", "eyes", "tada", "heart",
  "thinking_face", "joy", "pray", "rocket", "bulb", "question",
];

/**
 * @param {string} name without colons; a skin tone after "::" is ignored
 * @returns {string | null}
 */
export function emoji(name) {
  const base = name.split("::")[0];
  return Object.hasOwn(EMOJI, base) ? EMOJI[base] : null;
}

/**
 * @param {string} text
 * @returns {string} with known :names: turned into characters
 */
export function withEmoji(text) {
  return text.replace(/:([a-z0-9_+-]+):/g, (whole, name) => emoji(name) ?? whole);
}
