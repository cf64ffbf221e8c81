// Lines over time. Who can't see them has their figures in words, and as a table.

import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { Foreign, Time } from './text';
import { repaint } from './theme';

export interface Line {
  name: string;
  values: (number | null)[];
}

interface Props {
  title: string;
  /** Milliseconds since 1970. */
  at: number[];
  lines: Line[];
  /** How a figure is written. */
  format: (value: number | null) => string;
}

const HEIGHT = 170;
/** Lines of the table. */
const ROWS = 15;
export const COLORS = 6;

export function Chart({ title, at, lines, format }: Props): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef<uPlot | undefined>(undefined);
  const painted = repaint.use();
  const shape = `${lines.map(({ name }) => name).join('\n')}`;
  const data: uPlot.AlignedData = [at.map((time) => time / 1000), ...lines.map(({ values }) => values)];
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const element = place.current!;
    const color = (name: string): string => {
      element.style.color = `var(--${name})`;
      return getComputedStyle(element).color;
    };
    const axis = { stroke: color('soft'), grid: { stroke: color('line'), width: 1 }, ticks: { show: false }, font: '12px system-ui' };
    const plot = new uPlot(
      {
        width: element.clientWidth || 300,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        scales: { y: { range: (_, __, most) => [0, Math.max(most || 0, 1) * 1.1] } },
        axes: [
          { ...axis, values: (_, splits) => splits.map((seconds) => clock.format(seconds * 1000)), space: 80, size: 30 },
          // Not the same figure twice, where it is rounded.
          { ...axis, values: (_, splits) => splits.map(format).map((text, i, all) => (text === all[i - 1] ? '' : text)), size: 74, space: 34 },
        ],
        series: [
          {},
          ...lines.map((_, i) => ({ stroke: color(`chart-${i % COLORS}`), width: 2, dash: i % 2 ? [6, 4] : [], points: { show: false }, spanGaps: false })),
        ],
      },
      latest.current,
      element,
    );
    drawn.current = plot;
    const watch = new ResizeObserver(() => plot.setSize({ width: element.clientWidth || 300, height: HEIGHT }));
    watch.observe(element);
    return () => {
      watch.disconnect();
      plot.destroy();
      drawn.current = undefined;
    };
  }, [shape, painted]);
  useEffect(() => drawn.current?.setData(latest.current), [at, lines]);
  const rows = at
    .map((time, i) => ({ time, i }))
    .slice(-ROWS)
    .reverse();
  return (
    <figure class="chart">
      <figcaption>{title}</figcaption>
      {at.length === 0 && <p class="hint">Nothing is measured yet; it begins now.</p>}
      <div class="plot" ref={place} aria-hidden="true" />
      <ul class="legend">
        {lines.map(({ name, values }, i) => (
          <li key={name}>
            <span class={`swatch chart-${i % COLORS} ${i % 2 ? 'dashed' : ''}`} aria-hidden="true" />
            <Foreign text={name} /> <Summary values={values} format={format} />
          </li>
        ))}
      </ul>
      {rows.length > 0 && (
        <details>
          <summary>As a table</summary>
          <div class="table" tabIndex={0} role="region" aria-label={`${title}, as a table`}>
            <table>
              <caption class="unseen">
                {title}: the last {rows.length} measurements
              </caption>
              <thead>
                <tr>
                  <th scope="col">Time</th>
                  {lines.map(({ name }) => (
                    <th key={name} scope="col" class="numeric">
                      <Foreign text={name} />
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {rows.map(({ time, i }) => (
                  <tr key={time}>
                    <th scope="row">
                      <Time at={time} clock />
                    </th>
                    {lines.map(({ name, values }) => (
                      <td key={name} class="numeric">
                        {format(values[i] ?? null)}
                      </td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </details>
      )}
    </figure>
  );
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });

function Summary({ values, format }: { values: (number | null)[]; format: Props['format'] }): JSX.Element {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return <span class="soft">not known yet</span>;
  return (
    <span>
      <strong>{format(known.at(-1)!)}</strong> <span class="soft">now, most {format(known.reduce((a, b) => Math.max(a, b)))}</span>
    </span>
  );
}
