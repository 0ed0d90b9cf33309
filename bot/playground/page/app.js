/** The page's start: asks the server who is there, draws, and listens. */

import { get } from "./api.js";
import { ChannelPane } from "./channel_pane.js";
import { byId } from "./element.js";
import { session, status } from "./events.js";
import { load } from "./history.js";
import { HomePane } from "./home_pane.js";
import { listenToKeys } from "./keyboard.js";
import { Live } from "./live.js";
import { closeView, openView } from "./modal.js";
import { HOME, openAddress } from "./navigation.js";
import { drawSidebar, hideSidebar } from "./sidebar.js";
import { changed, on, store } from "./store.js";
import { ThreadPane } from "./thread_pane.js";
import { toast } from "./toast.js";

const FRAME_MS = 16;

async function start() {
  await bootstrap();
  const live = new Live(reload);
  await live.connect();
  await reload();
  draw();
  const ts = await openAddress();
  if (ts) byId("main").querySelector(`[data-ts="${CSS.escape(ts)}"]`)?.scrollIntoView({ block: "center" });
  document.body.dataset.ready = "true";
}

async function bootstrap() {
  const answer = await get("/playground/bootstrap");
  store.team = answer.team;
  store.botUserId = answer.bot_user_id;
  store.commands = answer.commands;
  store.shortcuts = answer.shortcuts;
  for (const user of answer.users) store.users.set(user.id, user);
  const people = [...store.users.values()].filter((user) => !user.is_bot);
  const wanted = new URLSearchParams(location.search).get("user");
  const found = people.find(({ id, name }) => id === wanted || name === wanted);
  store.me = (found ?? people[0]).id;
}

/** Reads everything anew that may have changed while nobody listened. */
async function reload() {
  const state = await get("/playground/state", { user: store.me });
  store.channels = new Map(state.channels.map((/** @type {any} */ channel) => [channel.id, channel]));
  store.home = state.home ?? null;
  store.prompts = new Map(Object.entries(state.suggested_prompts ?? {}));
  store.statuses.clear();
  store.working.clear();
  for (const known of state.statuses ?? []) status(known);
  for (const known of state.sessions ?? []) session(known);
  if (state.view) openView(state.view);
  else closeView(null);
  await Promise.all([...store.loaded].map((channel) => load(channel, { again: true })));
  changed("channels", "home", "prompts", "activity", "messages");
}

function draw() {
  const [channelPane, homePane, threadPane] = [new ChannelPane(), new HomePane(), new ThreadPane()];
  const refresh = batched(() => {
    if (store.channel !== HOME) channelPane.timeline.refresh();
    threadPane.refresh();
  });
  on("messages", refresh);
  on("activity", refresh);
  on("prompts", () => channelPane.drawPrompts());
  on("home", () => store.channel === HOME && homePane.refresh());
  on("channels", () => store.channel !== HOME && channelPane.drawHead());
  for (const topic of /** @type {const} */ (["channels", "place", "unread"])) on(topic, batched(drawSidebar));
  on("unread", title);
  on("place", () => {
    showMain(channelPane, homePane);
    threadPane.show();
    title();
  });
  byId("shade").addEventListener("click", hideSidebar);
  listenToKeys();
  drawSidebar();
}

/**
 * @param {ChannelPane} channelPane
 * @param {HomePane} homePane
 */
function showMain(channelPane, homePane) {
  const main = byId("main");
  const pane = store.channel === HOME ? homePane : channelPane;
  const isHere = main.firstElementChild === pane.node && main.dataset.channel === store.channel;
  if (isHere) return;
  main.dataset.channel = store.channel;
  main.replaceChildren(pane.node);
  pane.show(store.channel);
}

function title() {
  const count = store.unread.size;
  const name = store.channels.get(store.channel)?.name;
  const place = name ? `#${name} · ` : "";
  document.title = `${count ? `(${count}) ` : ""}${place}${store.team.name} playground`;
}

/**
 * A fast stream must not draw more often than the screen does.
 * @param {() => void} work
 * @returns {() => void}
 */
function batched(work) {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    setTimeout(() => {
      isDue = false;
      work();
    }, FRAME_MS);
  };
}

addEventListener("unhandledrejection", () => toast("Something went wrong on this page. Reload it.", "problem"));

start().catch((error) => {
  console.error(error);
  toast("The playground's server does not answer. Is it running?", "problem");
});
