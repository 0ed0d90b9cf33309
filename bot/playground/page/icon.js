/** Line icons of our own, drawn on a 20 by 20 grid. */

const SVG = "http://www.w3.org/2000/svg";

/** @type {{[name: string]: string}} */
const PATHS = {
  hash: "M7.5 3 6 17M14 3l-1.5 14M3.5 7.5h14M2.5 12.5h14",
  lock: "M5 9h10v8H5zM7 9V6a3 3 0 0 1 6 0v3",
  home: "M3 9.5 10 3l7 6.5V17h-4.5v-5h-5v5H3z",
  smile: "M10 17.5a7.5 7.5 0 1 0 0-15 7.5 7.5 0 0 0 0 15M6.5 11.5c1.5 3 5.5 3 7 0M7.5 7.5v.8M12.5 7.5v.8",
  reply: "M3 4h14v9.5H9L5.5 17v-3.5H3z",
  more: "M4.5 10h.1M10 10h.1M15.5 10h.1",
  close: "m4.5 4.5 11 11M15.5 4.5l-11 11",
  send: "M3 10 17 3.5 13 17l-3.5-5.5zM9.5 11.5 17 3.5",
  stop: "M5.5 5.5h9v9h-9z",
  menu: "M3 5.5h14M3 10h14M3 14.5h14",
  up: "M7 17H3.5V9H7zM7 9l3-6c1.800 0 2.300 1 2 2.5L11.5 8H16c1 0 1.5.8 1.300 1.800l-1.200 5.700c-.2 1-.9 1.5-1.800 1.5H7",
  down: "M7 3H3.5v8H7zM7 11l3 6c1.800 0 2.300-1 2-2.5l-.5-2.5H16c1 0 1.5-.8 1.300-1.800l-1.200-5.700c-.2-1-.9-1.5-1.800-1.5H7",
  trash: "M4 5.5h12M8 5V3h4v2M5.5 5.5 6.5 17h7l1-11.5M8.5 8.5v5.5M11.5 8.5v5.5",
  arrow: "M10 4v12M5 11l5 5 5-5",
  keyboard: "M2.5 5h15v10h-15zM5.5 8h.1M8.5 8h.1M11.5 8h.1M14.5 8h.1M6 12h8",
  search: "M9 14.5a5.5 5.5 0 1 0 0-11 5.5 5.5 0 0 0 0 11M13 13l4 4",
};

/**
 * @param {string} name one of PATHS
 * @returns {SVGElement} decoration only: its button carries the label
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name] ?? PATHS.more);
  svg.append(path);
  return svg;
}
