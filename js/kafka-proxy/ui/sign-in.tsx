// Who are you? What is said is kept in memory alone.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { Field, Heading, Note, Trouble } from './parts/pieces';
import { basic, Failed, signIn } from './server';

type Way = 'password' | 'token' | 'secret';
const WAYS: [Way, string][] = [
  ['password', 'Name and password'],
  ['token', 'Token'],
  ['secret', "The proxy's secret"],
];

export function SignIn({ reason }: { reason: string }): JSX.Element {
  const [way, setWay] = useState<Way>('password');
  const [name, setName] = useState('');
  const [secret, setSecret] = useState('');
  const [error, setError] = useState<Failed>();
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(undefined);
    try {
      await signIn(way === 'password' ? basic(name, secret) : way === 'token' ? `Bearer ${secret.trim()}` : `basic ${secret}`);
    } catch (problem) {
      setError(Failed.of(problem));
      setBusy(false);
    }
  };
  return (
    <div class="narrow">
      <Heading>Sign in</Heading>
      <Note>The proxy asks who you are: {reason}</Note>
      <form onSubmit={submit}>
        <fieldset class="choice">
          <legend>By</legend>
          {WAYS.map(([value, title]) => (
            <label key={value}>
              <input type="radio" name="way" value={value} checked={way === value} onChange={() => setWay(value)} /> {title}
            </label>
          ))}
        </fieldset>
        {way === 'password' && (
          <Field label="Name">
            {(attributes) => (
              <input {...attributes} type="text" autocomplete="username" required value={name} onInput={(event) => setName(event.currentTarget.value)} />
            )}
          </Field>
        )}
        <Field
          label={way === 'password' ? 'Password' : way === 'token' ? 'Token' : 'Secret'}
          hint="It stays in this tab's memory: after a reload you are asked again."
        >
          {(attributes) => (
            <input
              {...attributes}
              type="password"
              autocomplete={way === 'password' ? 'current-password' : 'off'}
              required
              value={secret}
              onInput={(event) => setSecret(event.currentTarget.value)}
            />
          )}
        </Field>
        <Trouble error={error} />
        <button type="submit" class="main" aria-disabled={busy}>
          Sign in
        </button>
      </form>
    </div>
  );
}
