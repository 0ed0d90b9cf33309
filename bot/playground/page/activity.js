/** What the bot does in a thread right now: its status line and the stop button. */

import { post } from "./api.js";
import { el } from "./element.js";
import { icon } from "./icon.js";
import { botName } from "./people.js";
import { store, threadKey } from "./store.js";

const ROTATION_MS = 2500;

/**
 * @param {string} channel
 * @param {string | null} threadTs
 * @returns {HTMLElement | null}
 */
export function activityLine(channel, threadTs) {
  const key = threadKey(channel, threadTs);
  const status = store.statuses.get(key);
  if (!status && !store.working.has(key)) return null;
  const line = el(
    "div",
    { class: "activity", role: "status" },
    el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i")),
    el("span", { class: "activity-text", dir: "auto" }, sentence(status?.status)),
    status?.loading.length ? el("span", { class: "hint loading", dir: "auto", "aria-hidden": "true" }) : null,
  );
  if (store.working.has(key)) line.append(stopButton(channel, threadTs));
  rotate(line, status);
  return line;
}

/** @param {string | undefined} status such as "is searching…", which continues the bot's name */
function sentence(status) {
  return status ? `${botName()} ${status}` : `${botName()} is answering…`;
}

/**
 * @param {HTMLElement} line
 * @param {import("./types.js").Status | undefined} status
 */
function rotate(line, status) {
  const target = line.querySelector(".loading");
  if (!target || !status) return;
  const show = () => {
    const turn = Math.floor((Date.now() - status.since) / ROTATION_MS);
    target.textContent = status.loading[turn % status.loading.length];
  };
  show();
  const timer = setInterval(() => (line.isConnected ? show() : clearInterval(timer)), ROTATION_MS / 5);
}

/**
 * @param {string} channel
 * @param {string | null} threadTs
 */
function stopButton(channel, threadTs) {
  const stop = () => void post("stop", { channel, thread_ts: threadTs });
  return el("button", { type: "button", class: "button stop", on: { click: stop } }, icon("stop"), "Stop");
}
