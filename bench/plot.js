'use strict';
// Horizontal bars as SVG: one row a contender, medians with a line from the lowest to the highest round.

const { CONTENDERS } = require('./contenders.js');
const { FIGURES, number } = require('./figures.js');

const COLOURS = { baseline: '#8a8f98', ours: '#1f7a4d', binding: '#b3541e', javascript: '#3b6fb6' };
const [ROW, BAR, LABELS, PANEL, GAP, TOP] = [26, 16, 280, 300, 90, 62];

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/**
 * @param {string} title
 * @param {{ label: string, contender: string, figures: object }[]} rows
 * @param {string[]} names of figures, a panel each
 */
function plot(title, rows, names) {
  const width = LABELS + names.length * (PANEL + GAP);
  const height = TOP + rows.length * ROW + 12;
  const parts = [`<text x="12" y="24" font-size="16" font-weight="bold">${escape(title)}</text>`];
  rows.forEach(({ label }, i) => parts.push(`<text x="${LABELS - 10}" y="${TOP + i * ROW + 17}" text-anchor="end">${escape(label)}</text>`));
  names.forEach((name, panel) => {
    const left = LABELS + panel * (PANEL + GAP);
    const highest = Math.max(...rows.map(({ figures }) => figures[name]?.max ?? 0));
    const x = (value) => (left + (value / highest) * PANEL).toFixed(1);
    parts.push(`<text x="${left}" y="${TOP - 10}" fill="#555">${escape(FIGURES[name].title)}</text>`);
    rows.forEach(({ contender, figures }, i) => {
      const figure = figures[name];
      if (figure === undefined) return;
      const [y, middle] = [TOP + i * ROW + (ROW - BAR) / 2, TOP + i * ROW + ROW / 2];
      parts.push(
        `<rect x="${left}" y="${y}" width="${(Number(x(figure.median)) - left).toFixed(1)}" height="${BAR}" fill="${COLOURS[CONTENDERS[contender].kind]}"/>`,
        `<path d="M${x(figure.min)} ${middle}H${x(figure.max)}" stroke="#222" stroke-width="1.5"/>`,
        `<text x="${Number(x(figure.max)) + 6}" y="${middle + 4}">${number(figure.median)}</text>`,
      );
    });
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

module.exports = { plot };
