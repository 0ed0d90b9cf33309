/** Keys that work everywhere, and the list of them. */

import { openDialog, titleBar } from "./dialog.js";
import { el } from "./element.js";
import { closeThread } from "./navigation.js";
import { openSwitcher } from "./switcher.js";

const KEYS = [
  ["Ctrl or ⌘ K", "Go to a conversation"],
  ["Enter", "Send; on a message: open its thread"],
  ["Shift Enter", "New line"],
  ["/", "Slash commands, at the start of a message"],
  ["@ and #", "People and channels"],
  ["↑ in an empty composer", "To the last message"],
  ["↑ ↓ Home End", "From message to message"],
  ["Tab", "From a message to its buttons"],
  ["Esc", "Close a menu, a dialog or the thread"],
];

export function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openSwitcher();
    } else if (event.key === "Escape" && !document.querySelector("dialog[open]")) {
      closeThread();
    }
  });
}

export function showHelp() {
  const dialog = openDialog({ class: "help", onCancel: () => dialog.close() });
  const { bar, titleId } = titleBar("Keyboard shortcuts", () => dialog.close());
  dialog.setAttribute("aria-labelledby", titleId);
  const rows = KEYS.map(([key, does]) => el("div", {}, el("dt", {}, el("kbd", {}, key)), el("dd", {}, does)));
  dialog.append(bar, el("dl", { class: "dialog-body" }, ...rows));
}
