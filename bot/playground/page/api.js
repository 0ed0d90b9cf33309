/** Requests to the playground's server. */

import { store } from "./store.js";
import { toast } from "./toast.js";

/**
 * @param {string} path
 * @param {{[name: string]: string}} [query]
 * @returns {Promise<any>}
 */
export async function get(path, query = {}) {
  const search = new URLSearchParams(query).toString();
  const response = await fetch(search ? `${path}?${search}` : path);
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

/**
 * Posts in the name of the current person; a failure is shown as a toast.
 * @param {string} name the part after /playground/
 * @param {{[field: string]: any}} body
 * @param {{quiet?: boolean}} [options] `quiet`: the caller shows a failure itself
 * @returns {Promise<any>} the answer, `ok: false` when it failed
 */
export async function post(name, body, { quiet = false } = {}) {
  const answer = await send(`/playground/${name}`, { user: store.me, ...body });
  if (!answer.ok && !quiet) toast(`That did not work: ${readable(answer.error)}`, "problem");
  return answer;
}

/**
 * @param {string} path
 * @param {object} body
 * @returns {Promise<any>}
 */
async function send(path, body) {
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    return await response.json();
  } catch {
    return { ok: false, error: "the playground's server does not answer" };
  }
}

/** @param {any} error */
export function readable(error) {
  return String(error ?? "unknown error").replaceAll("_", " ");
}
