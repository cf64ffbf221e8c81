// Light or dark: as the system says, or as was chosen here.

import { Store } from './store';

export type Theme = 'system' | 'light' | 'dark';
const NAME = 'kafka-proxy-theme';

/** Counts the changes: what is drawn on a canvas is drawn again. */
export const repaint = new Store(0);
export const theme = new Store<Theme>(kept());
apply(theme.value);
theme.follow((chosen) => {
  apply(chosen);
  try {
    localStorage.setItem(NAME, chosen);
  } catch {
    // The browser keeps nothing: so it is for this time.
  }
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => repaint.set(repaint.value + 1));

function apply(chosen: Theme): void {
  if (chosen === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  repaint.set(repaint.value + 1);
}

function kept(): Theme {
  try {
    const text = localStorage.getItem(NAME);
    return text === 'light' || text === 'dark' ? text : 'system';
  } catch {
    return 'system';
  }
}
