/** Block Kit's buttons: button, overflow, icon_button and feedback_buttons. */

import { ask } from "./dialog.js";
import { el, present } from "./element.js";
import { icon } from "./icon.js";
import { safeUrl } from "./link.js";
import { openMenu } from "./menu.js";
import { inline } from "./mrkdwn.js";
import { withEmoji } from "./emoji.js";

/** @typedef {import("./types.js").Element} Element */
/** @typedef {import("./types.js").Option} Option */
/** @typedef {import("./surface.js").Surface} Surface */

/** @type {{[type: string]: (element: Element, blockId: string, surface: Surface) => HTMLElement}} */
export const CONTROLS = {
  button,
  workflow_button: button,
  overflow,
  icon_button: iconButton,
  feedback_buttons: feedbackButtons,
};

/**
 * @param {import("./types.js").TextObject | undefined} text plain_text or mrkdwn
 * @returns {(Node | string)[]}
 */
export function words(text) {
  if (!text) return [];
  return text.type === "mrkdwn" ? inline(text.text) : [withEmoji(String(text.text ?? ""))];
}

/**
 * @param {Element} element
 * @param {string} blockId
 * @param {Surface} surface
 */
function button(element, blockId, surface) {
  const style = { primary: "button primary", danger: "button danger" }[String(element.style)] ?? "button";
  const href = safeUrl(element.url);
  const shared = { class: style, dir: "auto", "aria-label": element.accessibility_label };
  const press = () => send(element, blockId, surface, { value: element.value, text: element.text });
  const made = href
    ? el("a", { ...shared, href, target: "_blank", rel: "noopener noreferrer" }, ...words(element.text))
    : el("button", { ...shared, type: "button" }, ...words(element.text));
  made.addEventListener("click", () => void once(made, press));
  return made;
}

/**
 * @param {Element} element
 * @param {string} blockId
 * @param {Surface} surface
 */
function overflow(element, blockId, surface) {
  const made = moreButton("More options");
  const entries = /** @type {Option[]} */ (element.options ?? []).map((option) => ({
    label: String(option.text?.text ?? ""),
    pick: () => void send(element, blockId, surface, { selected_option: option }),
  }));
  made.addEventListener("click", () => openMenu(made, entries, { label: "More options" }));
  return made;
}

/** @param {string} label */
export function moreButton(label) {
  return el(
    "button",
    { type: "button", class: "icon-button", "aria-label": label, "aria-haspopup": "menu", title: label },
    icon("more"),
  );
}

/**
 * @param {Element} element
 * @param {string} blockId
 * @param {Surface} surface
 */
function iconButton(element, blockId, surface) {
  const label = element.accessibility_label || element.text?.text || "Button";
  const made = el(
    "button",
    { type: "button", class: "icon-button", "aria-label": label, title: label },
    icon(element.icon === "trash" ? "trash" : "more"),
  );
  const press = () => send(element, blockId, surface, { value: element.value });
  made.addEventListener("click", () => void once(made, press));
  return made;
}

/** @type {Map<string, string>} which thumb was chosen, by the surface's memory key */
const chosen = new Map();

/**
 * @param {Element} element
 * @param {string} blockId
 * @param {Surface} surface
 */
function feedbackButtons(element, blockId, surface) {
  const key = surface.memoryKey(blockId, element.action_id ?? "");
  const sides = /** @type {const} */ ([
    ["up", element.positive_button, "Good answer"],
    ["down", element.negative_button, "Bad answer"],
  ]);
  const buttons = present(sides.map(([side, data, fallback]) => data && thumb(side, data, fallback)));
  return el("div", { class: "feedback", role: "group", "aria-label": "Rate this answer" }, ...buttons);

  /**
   * @param {"up" | "down"} side
   * @param {{[field: string]: any}} data
   * @param {string} fallback
   */
  function thumb(side, data, fallback) {
    const label = data.accessibility_label || data.text?.text || fallback;
    const made = el(
      "button",
      {
        type: "button",
        class: `icon-button thumb ${side}`,
        "aria-label": label,
        "aria-pressed": String(chosen.get(key) === side),
        title: label,
      },
      icon(side),
    );
    const press = async () => {
      const answer = await send(element, blockId, surface, { value: data.value, text: data.text });
      if (answer?.ok) choose(side);
    };
    made.addEventListener("click", () => void once(made, press));
    return made;
  }

  /** @param {"up" | "down"} side */
  function choose(side) {
    chosen.set(key, side);
    for (const made of buttons) {
      if (made instanceof HTMLElement) made.ariaPressed = String(made.classList.contains(side));
    }
  }
}

/**
 * @param {Element} element
 * @param {string} blockId
 * @param {Surface} surface
 * @param {{[field: string]: any}} payload
 */
export async function send(element, blockId, surface, payload) {
  if (element.confirm && !(await confirmed(element.confirm))) return undefined;
  const given = Object.fromEntries(Object.entries(payload).filter(([, value]) => value !== undefined));
  const { type, action_id = "" } = element;
  return surface.dispatch({ ...given, type, action_id, block_id: blockId });
}

/** @param {{[field: string]: any}} confirm Slack's confirmation object */
function confirmed(confirm) {
  return ask({
    title: String(confirm.title?.text ?? "Are you sure?"),
    text: [el("p", { dir: "auto" }, ...words(confirm.text))],
    confirm: String(confirm.confirm?.text ?? "Yes"),
    deny: String(confirm.deny?.text ?? "Cancel"),
    danger: confirm.style === "danger",
  });
}

/**
 * A double click must not count twice.
 * @param {HTMLElement} made
 * @param {() => Promise<any>} press
 */
async function once(made, press) {
  if (made.ariaBusy === "true") return;
  made.ariaBusy = "true";
  try {
    await press();
  } finally {
    made.ariaBusy = null;
  }
}
