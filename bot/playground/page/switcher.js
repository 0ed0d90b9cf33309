/** Ctrl+K: go to a conversation by typing its name. */

import { openDialog } from "./dialog.js";
import { el, freshId } from "./element.js";
import { icon } from "./icon.js";
import { openChannel, openDm, openHome } from "./navigation.js";
import { avatar, botName, userName } from "./people.js";
import { store } from "./store.js";

/** @typedef {{label: string, face: () => Node, open: () => unknown}} Goal */

export function openSwitcher() {
  if (document.querySelector("dialog[open]")) return;
  const dialog = openDialog({ label: "Go to a conversation", class: "switcher", onCancel: () => dialog.close() });
  const listId = freshId();
  const list = el("ul", { id: listId, class: "goals", role: "listbox", "aria-label": "Conversations" });
  const input = /** @type {HTMLInputElement} */ (
    el("input", {
      class: "input",
      role: "combobox",
      "aria-label": "Go to a conversation",
      "aria-expanded": "true",
      "aria-controls": listId,
      placeholder: "Channel or person…",
      dir: "auto",
    })
  );
  let at = 0;
  /** @type {Goal[]} */
  let found = [];
  const draw = () => {
    const options = found.map((goal, index) => option(goal, `${listId}-${index}`, index === at, () => choose(goal)));
    list.replaceChildren(...options, ...(found.length ? [] : [el("li", { class: "hint" }, "No such conversation.")]));
    input.setAttribute("aria-activedescendant", found.length ? `${listId}-${at}` : "");
    options[at]?.scrollIntoView({ block: "nearest" });
  };
  const search = () => {
    const typed = input.value.trim().replace(/^[#@]/, "").toLowerCase();
    found = goals().filter(({ label }) => label.toLowerCase().includes(typed));
    at = 0;
    draw();
  };
  const choose = (/** @type {Goal} */ goal) => {
    dialog.close();
    void goal.open();
    // The person wants to write there next.
    /** @type {HTMLElement | null} */ (document.querySelector("#main textarea"))?.focus();
  };
  input.addEventListener("input", search);
  input.addEventListener("keydown", (event) => {
    if (!found.length) return;
    if (event.key === "ArrowDown") at = (at + 1) % found.length;
    else if (event.key === "ArrowUp") at = (at + found.length - 1) % found.length;
    else if (event.key !== "Enter") return;
    // Also for Enter: otherwise it would land in the composer that gets the focus.
    event.preventDefault();
    if (event.key === "Enter") choose(found[at]);
    else draw();
  });
  dialog.append(input, list);
  search();
  input.focus();
}

/**
 * @param {Goal} goal
 * @param {string} id
 * @param {boolean} isActive
 * @param {() => void} choose
 */
function option(goal, id, isActive, choose) {
  return el(
    "li",
    { id, role: "option", "aria-selected": String(isActive), on: { click: choose } },
    goal.face(),
    el("bdi", {}, goal.label),
  );
}

/** @returns {Goal[]} */
function goals() {
  const channels = [...store.channels.values()].filter((channel) => !channel.is_im);
  const people = [...store.users.values()].filter(
    (user) => user.id === store.botUserId || (!user.is_bot && user.id !== store.me),
  );
  return [
    ...channels.map((channel) => ({
      label: channel.name,
      face: () => icon(channel.is_private ? "lock" : "hash"),
      open: () => openChannel(channel.id),
    })),
    ...people.map((user) => ({
      label: userName(user.id),
      face: () => avatar(user.id),
      open: () => openDm(user.id),
    })),
    { label: `${botName()} home`, face: () => icon("home"), open: openHome },
  ];
}
