/**
 * The one maker of DOM nodes. Foreign text can only become text nodes or attribute values:
 * there is no way from here to markup.
 */

/** @typedef {Node | string | null | undefined | false} Child */
/** @typedef {{[name: string]: any, on?: {[event: string]: (event: any) => void}}} Props */

/**
 * @param {string} tag
 * @param {Props} [props] attributes; `on` holds listeners, `data` the dataset; false leaves one out
 * @param {...(Child | Child[])} children
 * @returns {HTMLElement}
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) setProperty(node, name, value);
  node.append(...present(children));
  return node;
}

/**
 * @param {HTMLElement} node
 * @param {string} name
 * @param {any} value
 */
function setProperty(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "on") {
    for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
  } else if (name === "data") {
    Object.assign(node.dataset, value);
  } else if (name.startsWith("on")) {
    throw new TypeError(`${name}: listeners go into "on"`);
  } else {
    node.setAttribute(name, value === true ? "" : String(value));
  }
}

/**
 * @param {(Child | Child[])[]} children
 * @returns {(Node | string)[]}
 */
export function present(children) {
  return /** @type {(Node | string)[]} */ (
    children.flat().filter((child) => child !== null && child !== undefined && child !== false)
  );
}

/**
 * @param {(Child | Child[])[]} children
 * @returns {DocumentFragment}
 */
export function fragment(...children) {
  const node = document.createDocumentFragment();
  node.append(...present(children));
  return node;
}

/**
 * @param {string} id of an element that index.html promises
 * @returns {HTMLElement}
 */
export function byId(id) {
  const node = document.getElementById(id);
  if (!node) throw new Error(`index.html has no #${id}`);
  return node;
}

let lastId = 0;

/** @returns {string} an id that is unique on this page */
export function freshId() {
  lastId += 1;
  return `n${lastId}`;
}
