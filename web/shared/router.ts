// SPDX-License-Identifier: Apache-2.0
// The address is the state: a path below a base, kept in a signal.
import { signal } from '@preact/signals-core';

export const path = signal('/');
let base = '';

export function startRouter(b: string): void {
  base = b;
  const read = () => {
    const p = location.pathname;
    path.value = p.startsWith(base) ? p.slice(base.length) || '/' : '/';
  };
  addEventListener('popstate', read);
  read();
}

export function go(to: string, replace = false): void {
  if (to === path.value) return;
  history[replace ? 'replaceState' : 'pushState'](null, '', base + to);
  path.value = to;
}

export function href(to: string): string {
  return base + to;
}
