// A table that can be sorted, and of which only the rows in sight are in the page, however many there are.

import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';

export interface Column<Row> {
  title: string;
  /** By what it is sorted; without it, it isn't. null is last. */
  by?: (row: Row) => string | number | null;
  cell: (row: Row) => ComponentChildren;
  numeric?: boolean;
  /** What the row is called by. */
  names?: boolean;
}

interface Props<Row> {
  caption: string;
  /** The caption is for screen readers alone: a heading says it. */
  quiet?: boolean;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  id: (row: Row) => string | number;
  /** Shown in place of no rows. */
  empty?: ComponentChildren;
  sorted?: { column: number; down: boolean };
  class?: string;
}

/** Rows beyond those in sight. */
const MORE = 8;
/** As many are all in the page. */
const FEW = 60;
const names = new Intl.Collator(undefined, { numeric: true });

export function Table<Row>({ caption, quiet = true, columns, rows, id, empty, sorted, class: kind = '' }: Props<Row>): JSX.Element {
  const [order, setOrder] = useState(sorted);
  const arranged = useMemo(() => arrange(rows, order && columns[order.column]?.by, order?.down), [rows, order, columns]);
  const box = useRef<HTMLDivElement>(null);
  const sight = useSight(box, arranged.length);
  if (rows.length === 0 && empty !== undefined) return <p class="empty">{empty}</p>;
  const { first, last, height } = sight;
  return (
    <div class={`table ${kind}`} ref={box} tabIndex={0} role="region" aria-label={caption}>
      <table aria-rowcount={arranged.length + 1}>
        <caption class={quiet ? 'unseen' : ''}>{caption}</caption>
        <thead>
          <tr aria-rowindex={1}>
            {columns.map((column, i) => {
              const mine = order?.column === i;
              return (
                <th
                  key={column.title}
                  scope="col"
                  class={column.numeric ? 'numeric' : ''}
                  aria-sort={mine ? (order.down ? 'descending' : 'ascending') : undefined}
                >
                  {column.by ? (
                    <button type="button" class="sort" onClick={() => setOrder({ column: i, down: mine ? !order.down : column.numeric === true })}>
                      {column.title}
                      <span aria-hidden="true">{mine ? (order.down ? ' ↓' : ' ↑') : ''}</span>
                    </button>
                  ) : (
                    column.title
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          <Gap rows={first} height={height} columns={columns.length} />
          {arranged.slice(first, last).map((row, i) => (
            <tr key={id(row)} aria-rowindex={first + i + 2}>
              {columns.map((column) =>
                column.names ? (
                  <th key={column.title} scope="row" class={column.numeric ? 'numeric' : ''}>
                    {column.cell(row)}
                  </th>
                ) : (
                  <td key={column.title} class={column.numeric ? 'numeric' : ''}>
                    {column.cell(row)}
                  </td>
                ),
              )}
            </tr>
          ))}
          <Gap rows={arranged.length - last} height={height} columns={columns.length} />
        </tbody>
      </table>
    </div>
  );
}

/** In place of rows that are out of sight. */
export function Gap({ rows, height, columns }: { rows: number; height: number; columns: number }): JSX.Element | null {
  return rows <= 0 ? null : (
    <tr class="gap" aria-hidden="true">
      <td colSpan={columns} style={{ height: `${rows * height}px` }} />
    </tr>
  );
}

/** Which of so many rows of one height are in sight, and `more` above and below. `width`: that of the box, in pixels. */
export function useSight(box: { current: HTMLElement | null }, rows: number, more = MORE): { first: number; last: number; height: number; width: number } {
  const [{ top, room, height, width }, see] = useState({ top: 0, room: 800, height: 40, width: 1280 });
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const look = (): void => {
      const height = element.querySelector('tbody tr:not(.gap)')?.getBoundingClientRect().height || 40;
      see((before) => {
        const now = { top: element.scrollTop, room: element.clientHeight, height, width: element.clientWidth };
        // Within the same rows nothing is to be drawn.
        const same =
          Math.floor(before.top / height) === Math.floor(now.top / height) &&
          (['room', 'height', 'width'] as const).every((each) => before[each] === now[each]);
        return same ? before : now;
      });
    };
    element.addEventListener('scroll', look, { passive: true });
    const watch = new ResizeObserver(look);
    watch.observe(element);
    look();
    return () => {
      element.removeEventListener('scroll', look);
      watch.disconnect();
    };
  }, [box, rows > 0]);
  if (rows <= FEW) return { first: 0, last: rows, height, width };
  const first = Math.max(Math.min(Math.floor(top / height), rows - 1) - more, 0);
  return { first, last: Math.min(first + Math.ceil(room / height) + 2 * more, rows), height, width };
}

function arrange<Row>(rows: readonly Row[], by: Column<Row>['by'], down = false): readonly Row[] {
  if (!by) return rows;
  const keyed = rows.map((row) => ({ row, key: by(row) }));
  const sign = down ? -1 : 1;
  keyed.sort(({ key: a }, { key: b }) => {
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    return sign * (typeof a === 'number' && typeof b === 'number' ? a - b : names.compare(String(a), String(b)));
  });
  return keyed.map(({ row }) => row);
}
