/** SVG charts in the manner of the benchmark's: lines over a number, and bars in pairs. Pure. */

export interface Series {
  readonly label: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Dots only. */
  readonly dots?: boolean;
  readonly ours?: boolean;
}

const WIDTH = 760;
const HEIGHT = 300;
const LEFT = 70;
const RIGHT = 190;
const TOP_MARGIN = 34;
const BOTTOM = 46;
const COLOURS = ["#8c959f", "#bf8700", "#8250df", "#0969da", "#cf222e"];
const OURS = "#1a7f37";

const STYLE = `<style>
text { fill: #24292f } .title { font-weight: bold; font-size: 14px } .axis { stroke: #8c959f; fill: none } .grid { stroke: #8c959f; stroke-opacity: 0.25 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
</style>`;

function svg(height: number, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">\n${STYLE}\n${parts.join("\n")}\n</svg>\n`;
}

/** 1, 2 or 5 times a power of ten. */
function step(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most / 4));
  return [1, 2, 5, 10].map((factor) => factor * power).find((each) => most / each <= 5) ?? power * 10;
}

function tick(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** Lines over a number, both axes from zero. */
export function lineChart(title: string, xLabel: string, yLabel: string, series: readonly Series[]): string {
  const points = series.flatMap((each) => each.points);
  const mostX = Math.max(...points.map(([x]) => x));
  const mostY = Math.max(...points.map(([, y]) => y)) * 1.05;
  const x = (value: number) => LEFT + (value / mostX) * (WIDTH - LEFT - RIGHT);
  const y = (value: number) => HEIGHT - BOTTOM - (value / mostY) * (HEIGHT - BOTTOM - TOP_MARGIN);
  const parts = [`<text class="title" x="0" y="16">${title}</text>`];
  for (let value = 0; value <= mostY; value += step(mostY))
    parts.push(
      `<path class="grid" d="M${LEFT} ${y(value).toFixed(1)}H${WIDTH - RIGHT}"/>`,
      `<text x="${LEFT - 8}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${tick(value)}</text>`,
    );
  for (let value = 0; value <= mostX; value += step(mostX))
    parts.push(
      `<text x="${x(value).toFixed(1)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${tick(value)}</text>`,
    );
  parts.push(
    `<path class="axis" d="M${LEFT} ${TOP_MARGIN}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}"/>`,
    `<text x="${LEFT}" y="${TOP_MARGIN - 4}">${yLabel}</text>`,
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${xLabel}</text>`,
  );
  let colour = 0;
  const labels: { at: number; text: string }[] = [];
  for (const { label, points, dots = false, ours = false } of series) {
    const stroke = ours ? OURS : (COLOURS[colour++ % COLOURS.length] ?? OURS);
    if (!dots)
      parts.push(
        `<path fill="none" stroke="${stroke}" stroke-width="2" d="M${points.map(([px, py]) => `${x(px).toFixed(1)} ${y(py).toFixed(1)}`).join("L")}"/>`,
      );
    for (const [px, py] of points)
      parts.push(`<circle cx="${x(px).toFixed(1)}" cy="${y(py).toFixed(1)}" r="${dots ? 4 : 2.5}" fill="${stroke}"/>`);
    labels.push({ at: y(points.at(-1)?.[1] ?? 0), text: `<tspan fill="${stroke}">●</tspan> ${label}` });
  }
  // Labels stand beside the lines' ends, and not on each other.
  let last = Number.NEGATIVE_INFINITY;
  for (const { at, text } of labels.sort((one, two) => one.at - two.at)) {
    last = Math.max(at, last + 16);
    parts.push(`<text x="${WIDTH - RIGHT + 10}" y="${(last + 4).toFixed(1)}">${text}</text>`);
  }
  return svg(Math.max(HEIGHT, Math.ceil(last + 10)), parts);
}

const BAR = 13;

/** For each group one bar of each kind; the last kind is ours. Groups' labels have `left` units of room. */
export function barChart(
  title: string,
  kinds: readonly string[],
  groups: readonly (readonly [label: string, values: readonly number[]])[],
  left = LEFT,
): string {
  const most = Math.max(...groups.flatMap(([, values]) => values).filter((value) => !Number.isNaN(value)));
  const scale = (value: number) => (value / most) * (WIDTH - left - 80);
  const colourOf = (kind: number) => (kind === kinds.length - 1 ? OURS : (COLOURS[kind % COLOURS.length] ?? OURS));
  const parts = [`<text class="title" x="0" y="16">${title}</text>`];
  let x = left;
  for (const [kind, label] of kinds.entries()) {
    parts.push(`<text x="${x}" y="36"><tspan fill="${colourOf(kind)}">■</tspan> ${label}</text>`);
    x += label.length * 7 + 34;
  }
  let y = 50;
  for (const [label, values] of groups) {
    parts.push(
      `<text x="${left - 8}" y="${y + (values.length * (BAR + 2)) / 2 + 3}" text-anchor="end">${label}</text>`,
    );
    for (const [kind, value] of values.entries()) {
      if (Number.isNaN(value)) continue;
      parts.push(
        `<rect fill="${colourOf(kind)}" x="${left}" y="${y}" width="${scale(value).toFixed(1)}" height="${BAR}"/>`,
        `<text x="${(left + scale(value) + 6).toFixed(1)}" y="${y + 11}">${tick(value)}</text>`,
      );
      y += BAR + 2;
    }
    y += 8;
  }
  return svg(y, parts);
}
