// The messages as rows, of which those in sight are in the page.

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Gap, useSight } from '../parts/table';
import { count, Foreign, Time } from '../parts/text';
import { preview } from './bytes';
import type { Entry } from './ring';
import type { Tail } from './stream';

const MOST_KEY = 60;
/** Pixels of the narrowest letter, and letters of the other columns: see .messages in style.css. */
const LETTER = 6.5;
const BESIDE = 50;
const LEAST_VALUE = 40;

/** What is live has the newest above, and stays still when somebody scrolls or looks at a row; the past is read from its beginning. */
export function Rows({ tail, topic, onOpen }: { tail: Tail; topic: string; onOpen: (entry: Entry) => void }): JSX.Element {
  tail.drawn.use();
  const box = useRef<HTMLDivElement>(null);
  /** How many there were when it was held. */
  const [held, hold] = useState<number>();
  const { shown, live } = tail;
  const until = live ? Math.min(held ?? shown.total, shown.total) : shown.total;
  const rows = Math.max(until - shown.first, 0);
  // While rows change with every drawing, those out of sight would cost as much as the others.
  const { first, last, height, width } = useSight(box, rows, live && held === undefined ? 0 : undefined);
  const most = Math.max(Math.ceil(width / LETTER) - BESIDE, LEAST_VALUE);
  useEffect(() => hold(undefined), [tail, shown]);
  useEffect(() => {
    const element = box.current;
    if (!element || !live) return;
    const scrolled = (): void =>
      hold((before) => (element.scrollTop > 0 || element.contains(document.activeElement) ? (before ?? tail.shown.total) : undefined));
    element.addEventListener('scroll', scrolled, { passive: true });
    return () => element.removeEventListener('scroll', scrolled);
  }, [tail, live]);
  // A row's elements stay where they are, and say the next message: new ones for each would cost most of a frame. Who points at one, or has the focus in
  // it, holds them all.
  const entries: (Entry | undefined)[] = [];
  for (let i = first; i < Math.min(last, rows); i++) {
    entries.push(shown.at(live ? until - 1 - i : shown.first + i));
  }
  const newer = shown.total - until;
  const toTop = (): void => {
    hold(undefined);
    box.current?.scrollTo(0, 0);
    box.current?.focus();
  };
  return (
    <div class="stream">
      {newer > 0 && (
        <button type="button" class="main newer" onClick={toTop}>
          {count(newer)} newer ↑
        </button>
      )}
      <div
        class="table tall messages"
        ref={box}
        tabIndex={0}
        role="region"
        aria-label={`Messages, ${live ? 'newest' : 'oldest'} first`}
        onPointerDown={(event) => live && event.target !== box.current && hold((before) => before ?? shown.total)}
        onFocusIn={(event) => live && event.target !== box.current && hold((before) => before ?? shown.total)}
      >
        <table aria-rowcount={rows + 1}>
          <caption class="unseen">Messages of {topic.length > 100 ? 'this topic' : <Foreign text={topic} />}</caption>
          <thead>
            <tr aria-rowindex={1}>
              <th scope="col" class="where">
                Part./Offset
              </th>
              <th scope="col" class="time">
                Time
              </th>
              <th scope="col" class="key">
                Key
              </th>
              <th scope="col">Value</th>
            </tr>
          </thead>
          <tbody>
            <Gap rows={first} height={height} columns={1} />
            {entries.map((entry, i) => entry && <Row key={first + i} entry={entry} index={first + i + 2} most={most} onOpen={onOpen} />)}
            <Gap rows={rows - Math.min(last, rows)} height={height} columns={1} />
          </tbody>
        </table>
        {rows === 0 && (
          <p class="soft nothing">
            {tail.all.length > 0
              ? 'None of the messages that have come fits.'
              : live
                ? 'Messages will appear here when they are written.'
                : 'No message has come yet.'}
          </p>
        )}
      </div>
    </div>
  );
}

/** `most`: letters of the value that have room. */
function Row({ entry, index, most, onOpen }: { entry: Entry; index: number; most: number; onOpen: (entry: Entry) => void }): JSX.Element {
  const { partition, offset, timestamp, key, value } = entry;
  const text = preview(entry);
  return (
    <tr aria-rowindex={index} onClick={() => getSelection()?.isCollapsed !== false && onOpen(entry)}>
      <th scope="row" class="where">
        <button
          type="button"
          class="plain"
          aria-label={`${partition}/${offset}: show the message`}
          onClick={(event) => {
            event.stopPropagation();
            onOpen(entry);
          }}
        >
          <span class="soft">{partition}/</span>
          {offset}
        </button>
      </th>
      <td class="time">
        <Time at={timestamp} clock />
      </td>
      <td class="key">{key === null ? <span class="soft">none</span> : <Foreign text={text.key} most={MOST_KEY} />}</td>
      <td class="value">{value === null ? <span class="word">tombstone</span> : <Foreign text={text.value} most={most} />}</td>
    </tr>
  );
}
