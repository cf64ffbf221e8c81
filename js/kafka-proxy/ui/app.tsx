// What is around every view: where one can go, who one is, and whether the proxy is there.

import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Heading, Note, Trouble } from './parts/pieces';
import { Store } from './parts/store';
import { Foreign, plain, Time } from './parts/text';
import { theme, type Theme } from './parts/theme';
import { place, to, type Place } from './route';
import { away, Failed, hasSignedIn, session, signOut, whoAmI } from './server';
import { SignIn } from './sign-in';
import { AlertsView } from './views/alerts';
import { GroupView } from './views/group';
import { GroupsView } from './views/groups';
import { Overview } from './views/overview';
import { ProduceView } from './views/produce';
import { SocketsView } from './views/sockets';
import { TailView } from './views/tail';
import { TopicView } from './views/topic';
import { TopicsView } from './views/topics';

const LINKS: [string, string, Place['view'][]][] = [
  ['Overview', to(), ['overview']],
  ['Topics', to('topics'), ['topics', 'topic', 'tail', 'produce']],
  ['Groups', to('groups'), ['groups', 'group']],
  ['Sockets', to('sockets'), ['sockets']],
  ['Alerts', to('alerts'), ['alerts']],
];
const RETRY = 3000;
const failed = new Store<Failed | undefined>(undefined);

export function App(): JSX.Element {
  const where = place.use();
  const now = session.use();
  const trouble = failed.use();
  useStart(now.state);
  useTitle(where);
  useFocus(now.state);
  const who = now.state === 'known' ? now.who : undefined;
  return (
    <>
      <a class="skip" href="#main" onClick={toMain}>
        Skip to the content
      </a>
      <header class="top">
        <span class="brand">kafka-proxy</span>
        <nav aria-label="Views">
          {LINKS.map(([name, href, views]) => (
            <a key={name} href={href} aria-current={views.includes(where.view) ? 'page' : undefined}>
              {name}
            </a>
          ))}
        </nav>
        <ThemeSwitch />
      </header>
      <Away />
      <main id="main" tabIndex={-1}>
        {now.state === 'known' && <View where={where} key={JSON.stringify(where)} />}
        {now.state === 'unknown' && <SignIn reason={now.reason} />}
        {now.state === 'asking' && (trouble ? <Trouble error={trouble} /> : <p class="waiting">Asking the proxy …</p>)}
      </main>
      <footer class="bottom">
        {who && <span>kafka-proxy {who.version}</span>}
        {who?.name != null && (
          <span>
            You are <Foreign text={who.name} />
            {who.expires !== null && (
              <>
                {' '}
                until <Time at={who.expires} clock />
              </>
            )}
          </span>
        )}
        {hasSignedIn() && (
          <button type="button" class="quiet" onClick={signOut}>
            Sign out
          </button>
        )}
        <a href="LICENSES.txt">Licences</a>
      </footer>
    </>
  );
}

function View({ where }: { where: Place }): ComponentChildren {
  switch (where.view) {
    case 'overview':
      return <Overview />;
    case 'topics':
      return <TopicsView />;
    case 'topic':
      return <TopicView topic={where.topic} />;
    case 'tail':
      return <TailView topic={where.topic} />;
    case 'produce':
      return <ProduceView topic={where.topic} />;
    case 'groups':
      return <GroupsView />;
    case 'group':
      return <GroupView group={where.group} />;
    case 'sockets':
      return <SocketsView />;
    case 'alerts':
      return <AlertsView />;
    default:
      return (
        <>
          <Heading>Nothing is here</Heading>
          <Note>
            The page has no such view. <a href={to()}>Go to the overview.</a>
          </Note>
        </>
      );
  }
}

/** Asks who this is, until the proxy says it. */
function useStart(state: string): void {
  useEffect(() => {
    if (state !== 'asking') return;
    let timer: ReturnType<typeof setTimeout>;
    const start = (): void =>
      void whoAmI().catch((error) => {
        if (session.value.state !== 'asking') return;
        failed.set(Failed.of(error));
        timer = setTimeout(start, RETRY);
      });
    start();
    return () => clearTimeout(timer);
  }, [state]);
}

function titleOf(where: Place): string {
  switch (where.view) {
    case 'topic':
      return `Topic ${plain(where.topic)}`;
    case 'tail':
      return `Messages of ${plain(where.topic)}`;
    case 'produce':
      return `Write to ${plain(where.topic)}`;
    case 'group':
      return `Group ${plain(where.group)}`;
    case 'nowhere':
      return 'Nothing is here';
    default:
      return where.view[0]!.toUpperCase() + where.view.slice(1);
  }
}

/** Behind a link the title is that of the view, and the focus at its heading. */
function useTitle(where: Place): void {
  const first = useRef(true);
  useEffect(() => {
    document.title = `${titleOf(where)} – kafka-proxy`;
    if (first.current) first.current = false;
    else {
      scrollTo(0, 0);
      document.getElementById('heading')?.focus({ preventScroll: true });
    }
  }, [where]);
}

/** Who signs in or out, or is asked again, goes on at the heading of what is there now. */
function useFocus(state: string): void {
  const before = useRef(state);
  useEffect(() => {
    if (before.current !== 'asking' && before.current !== state) document.getElementById('heading')?.focus();
    before.current = state;
  }, [state]);
}

/** Not by the address: that is the view's. */
function toMain(event: Event): void {
  event.preventDefault();
  document.getElementById('main')!.focus();
}

function Away(): JSX.Element {
  const since = away.use();
  return (
    <div role="status" class="status">
      {since !== undefined && (
        <p class="trouble">
          <strong>The proxy does not answer</strong> since <Time at={since} clock />. What you see is from before; the page tries again by itself.
        </p>
      )}
    </div>
  );
}

function ThemeSwitch(): JSX.Element {
  const chosen = theme.use();
  return (
    <label class="theme">
      <span class="unseen">Colours</span>
      <select value={chosen} onChange={(event) => theme.set(event.currentTarget.value as Theme)}>
        <option value="system">Auto</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  );
}
