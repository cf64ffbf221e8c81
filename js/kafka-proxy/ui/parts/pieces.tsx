// Small things that every view has.

import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Failed } from '../server';
import type { Polled } from './polled';
import { Foreign } from './text';

/** A view's heading, to which the focus goes. */
export function Heading({ children, beside }: { children: ComponentChildren; beside?: ComponentChildren }): JSX.Element {
  return (
    <div class="heading">
      <h1 id="heading" tabIndex={-1}>
        {children}
      </h1>
      {beside}
    </div>
  );
}

/** Kafka's codes, and the driver's, of requests that it has no answer to. */
const UNKNOWN_TO_KAFKA = new Set(['_UNSUPPORTED_FEATURE', 'UNSUPPORTED_VERSION']);

/** What went wrong, in words, and what to do. */
export function Trouble({ error }: { error: Failed | undefined }): JSX.Element | null {
  if (!error) return null;
  // A socket says it without a status.
  if (error.status === 403 || error.code === 'FORBIDDEN') {
    return (
      <Note>
        <strong>Not allowed.</strong> <Foreign text={error.message} most={2000} />
      </Note>
    );
  }
  if (UNKNOWN_TO_KAFKA.has(error.code)) {
    return (
      <Note>
        <strong>This Kafka does not tell.</strong> An embedded cluster, as that of <code>--demo</code>, and old brokers don't know this request (
        <Foreign text={error.code} />
        ). With a Kafka of your own it is here.
      </Note>
    );
  }
  return (
    <p class="trouble" role="alert">
      <strong>
        <Foreign text={error.code} />
      </strong>{' '}
      <Foreign text={error.message} most={2000} />
    </p>
  );
}

export function Note({ children }: { children: ComponentChildren }): JSX.Element {
  return (
    <p class="note" role="note">
      {children}
    </p>
  );
}

/** What was asked for; before there is an answer, that. A later one that fails is told above the one before. */
export function Answer<T>({ of, children }: { of: Polled<T>; children: (data: T) => ComponentChildren }): JSX.Element {
  // What is the proxy's absence is told once, at the top of the page.
  const error = of.error?.code === 'UNREACHABLE' && of.data !== undefined ? undefined : of.error;
  return (
    <>
      <Trouble error={error} />
      {of.data === undefined ? !of.error && <p class="waiting">Asking the proxy …</p> : children(of.data)}
    </>
  );
}

/** Figures with their names. */
export function Facts({ facts }: { facts: [string, ComponentChildren, string?][] }): JSX.Element {
  return (
    <dl class="facts">
      {facts.map(([name, value, more]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
          {more && <dd class="more">{more}</dd>}
        </div>
      ))}
    </dl>
  );
}

let ids = 0;
/** An id for a control and its label. */
export function useIds(): string {
  return useState(() => `c${++ids}`)[0];
}

export function Field({
  label,
  hint,
  error,
  children,
}: {
  label: string;
  hint?: ComponentChildren;
  error?: string | undefined;
  children: (attributes: { id: string; 'aria-describedby'?: string; 'aria-invalid'?: true }) => ComponentChildren;
}): JSX.Element {
  const id = useIds();
  const told = error ?? hint;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, ...(told && { 'aria-describedby': `${id}t` }), ...(error && { 'aria-invalid': true as const }) })}
      {told && (
        <p id={`${id}t`} class={error ? 'wrong' : 'hint'}>
          {told}
        </p>
      )}
    </div>
  );
}

/** A window over the page. Focus goes into it, and back to where it was. */
export function Dialog({ title, onClose, children }: { title: ComponentChildren; onClose: () => void; children: ComponentChildren }): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useIds();
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    const element = dialog.current;
    element?.showModal();
    return () => {
      // As long as it is open nothing below it takes the focus.
      element?.close();
      if (before?.isConnected) before.focus();
    };
  }, []);
  // The event comes with the next frame. By then the window may be gone, and opened again, and that one would close.
  const closed = (): unknown => dialog.current && onClose();
  return (
    <dialog ref={dialog} aria-labelledby={id} onClose={closed} onClick={(event) => event.target === event.currentTarget && event.currentTarget.close()}>
      <div class="inside">
        <div class="heading">
          <h2 id={id}>{title}</h2>
          <button type="button" class="quiet" onClick={() => dialog.current?.close()}>
            Close
          </button>
        </div>
        {children}
      </div>
    </dialog>
  );
}

/** Says that it has copied. */
export function Copy({ what, text }: { what: string; text: () => string }): JSX.Element {
  const [told, tell] = useState('');
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text());
      tell('Copied');
    } catch {
      tell("The browser doesn't let the page copy");
    }
    setTimeout(() => tell(''), 3000);
  };
  return (
    <span class="copy">
      <button type="button" class="quiet" onClick={copy}>
        Copy {what}
      </button>
      <span role="status">{told}</span>
    </span>
  );
}
