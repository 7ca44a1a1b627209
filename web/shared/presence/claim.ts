// SPDX-License-Identifier: Apache-2.0
// Of many tabs, one rings. Web Locks where they exist (https only), else a
// claim in localStorage: written, and read again after the others had a turn.
const KEEP_MS = 10_000;
const SETTLE_MS = 60;
const me = Math.random().toString(36).slice(2);

export function claim(event: string): Promise<boolean> {
  const name = 'yl.claim.' + event;
  if (navigator.locks) {
    return new Promise((done) => {
      void navigator.locks.request(name, { ifAvailable: true }, (lock) => {
        done(lock !== null);
        if (lock === null) return;
        return new Promise<void>((r) => setTimeout(r, KEEP_MS)); // late tabs
      });
    });
  }
  return new Promise((done) => {
    try {
      if (localStorage.getItem(name) !== null) return done(false);
      localStorage.setItem(name, me);
      setTimeout(() => {
        done(localStorage.getItem(name) === me);
        setTimeout(() => localStorage.removeItem(name), KEEP_MS);
      }, SETTLE_MS);
    } catch {
      done(true);
    }
  });
}
