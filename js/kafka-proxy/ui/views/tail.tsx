// A topic's messages, as they come, or from a place in the past.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { TopicDetail } from '../../src/http/api';
import { Field, Heading, Trouble } from '../parts/pieces';
import { usePolled } from '../parts/polled';
import { compact, count, Foreign, plural, rate } from '../parts/text';
import { to } from '../route';
import { path } from '../server';
import { Details } from '../tail/details';
import { Places } from '../tail/places';
import type { Entry } from '../tail/ring';
import { Rows } from '../tail/rows';
import { MOST, STEP, Tail, type State, type Wish } from '../tail/stream';

const LIVE: Wish = { from: 'newest', partition: undefined, key: undefined };

export function TailView({ topic }: { topic: string }): JSX.Element {
  const about = usePolled<TopicDetail>(path`topics/${topic}`, 30_000);
  const [wish, setWish] = useState(LIVE);
  const [tail, setTail] = useState<Tail>();
  const [words, setWords] = useState('');
  const [open, setOpen] = useState<Entry>();
  useEffect(() => {
    const made = new Tail(topic, wish);
    made.filter(words);
    setTail(made);
    return () => made.end();
  }, [topic, wish]);
  useEffect(() => tail?.filter(words), [words]);
  return (
    <>
      <Heading
        beside={
          <div class="actions">
            <a class="button" href={to('topics', topic)}>
              About the topic
            </a>
            <a class="button" href={to('topics', topic, 'produce')}>
              Write a message
            </a>
          </div>
        }
      >
        Messages of <Foreign text={topic} />
      </Heading>
      <Places partitions={about.data?.partitions} onGo={setWish} />
      <div class="tools">
        <Field label="Find in key, value and headers">
          {(attributes) => <input {...attributes} type="search" placeholder="Words" value={words} onInput={(event) => setWords(event.currentTarget.value)} />}
        </Field>
        {tail && <Buttons tail={tail} onLive={() => setWish({ ...LIVE })} />}
      </div>
      {tail && <Told tail={tail} />}
      {tail && <Rows tail={tail} topic={topic} onOpen={setOpen} />}
      {tail && <Left tail={tail} />}
      {open && <Details entry={open} onClose={() => setOpen(undefined)} />}
    </>
  );
}

function Buttons({ tail, onLive }: { tail: Tail; onLive: () => void }): JSX.Element {
  const { is } = tail.state.use();
  return (
    <div class="actions">
      {is === 'rest' ? (
        <button type="button" class="main" onClick={() => tail.resume()}>
          Read the next {STEP}
        </button>
      ) : is === 'paused' ? (
        <button type="button" class="main" onClick={() => tail.resume()}>
          Resume
        </button>
      ) : (
        <button type="button" onClick={() => tail.pause()} disabled={is === 'failed'}>
          Pause
        </button>
      )}
      {!tail.live && (
        <button type="button" onClick={onLive}>
          Go live
        </button>
      )}
      <button type="button" onClick={() => tail.clear()}>
        Clear
      </button>
    </div>
  );
}

const SAYS: Record<State['is'], [string, string]> = {
  connecting: ['connecting', ''],
  reading: ['reading', 'good'],
  live: ['live', 'good'],
  paused: ['paused', 'warn'],
  rest: [`${STEP} are read`, ''],
  away: ['no connection; it is tried again', 'bad'],
  failed: ['ended', 'bad'],
};

/** The state is spoken when it changes; figures are for the eye alone. */
function Told({ tail }: { tail: Tail }): JSX.Element {
  const state = tail.state.use();
  tail.drawn.use();
  const [word, kind] = SAYS[state.is];
  return (
    <>
      <p class="tail-state">
        <span role="status" class={`word ${kind}`}>
          {word}
        </span>
        <span class="soft">
          {plural(tail.all.total, 'message')} came
          {tail.rate > 0 && `, ${rate(tail.rate)}`}
          {tail.shown !== tail.all && `; ${count(tail.shown.length)} fit`}
          {tail.live && tail.behind > 1000 && `; ${compact(tail.behind)} behind`}
        </span>
      </p>
      {(state.is === 'failed' || state.is === 'away') && <Trouble error={state.error} />}
    </>
  );
}

/** What is not here, in numbers. */
function Left({ tail }: { tail: Tail }): JSX.Element {
  tail.drawn.use();
  const gone = tail.shown.first;
  return (
    <p class="hint">
      {gone > 0 ? `The newest ${count(tail.shown.length)} are kept; ${count(gone)} older ones are left out. ` : `The page keeps the newest ${count(MOST)}. `}
      {tail.skipped > 0 && `${count(tail.skipped)} were not read, to keep up with what is live. `}
      {tail.warning && (
        <>
          The proxy says: <Foreign text={tail.warning} />
        </>
      )}
    </p>
  );
}
