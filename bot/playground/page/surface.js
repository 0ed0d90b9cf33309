/** Where blocks live: a message, a modal or the home tab. It carries what people do there to the
 * server and keeps the fields that a modal hands in. */

import { post } from "./api.js";
import { store } from "./store.js";

/** @typedef {import("./types.js").Action} Action */
/** @typedef {{channel: string, ts: string} | {view_id: string}} Place */
/** @typedef {{node: HTMLElement, control: HTMLElement, read: () => any, isEmpty: () => boolean}} Field */

export class Surface {
  /**
   * @param {Place} place
   * @param {import("./types.js").Values} [previous] what was typed before the view was redrawn
   */
  constructor(place, previous = {}) {
    this.place = place;
    this.previous = previous;
    /** @type {{blockId: string, actionId: string, field: Field, required: boolean}[]} */
    this.fields = [];
  }

  /** @param {Action} action */
  async dispatch(action) {
    const values = "view_id" in this.place ? { values: this.values() } : {};
    return post("action", { ...this.place, ...values, action });
  }

  /**
   * @param {string} blockId
   * @param {string} actionId
   * @returns {any} the earlier value of this field
   */
  valueOf(blockId, actionId) {
    return this.previous[blockId]?.[actionId];
  }

  /** @returns {import("./types.js").Values} */
  values() {
    /** @type {import("./types.js").Values} */
    const values = {};
    for (const { blockId, actionId, field } of this.fields) {
      (values[blockId] ??= {})[actionId] = field.read();
    }
    return values;
  }

  /** @returns {{[blockId: string]: string}} what a person still has to fill in */
  missing() {
    const missing = this.fields.filter(({ field, required }) => required && field.isEmpty());
    return Object.fromEntries(
      missing.map(({ blockId }) => [blockId, "Please fill in this required field."]),
    );
  }

  /**
   * @param {string} blockId
   * @param {string} actionId
   * @returns {string} a key for what this page remembers about one control
   */
  memoryKey(blockId, actionId) {
    const place = "view_id" in this.place ? this.place.view_id : `${this.place.channel}/${this.place.ts}`;
    return [store.me, place, blockId, actionId].join("/");
  }
}
