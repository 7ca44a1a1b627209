// SPDX-License-Identifier: Apache-2.0
// Timers and Date.now under the test's hand (node:test's own mock has no Date
// on Node 18).
import type { TestContext } from 'node:test';

interface Job {
  id: number;
  at: number;
  every: number;
  fn: () => void;
}

export interface Clock {
  /** Runs everything due in the next ms, in order. */
  tick(ms: number): void;
  /** The clock leaps (a sleeping tab): nothing runs until the next tick. */
  leap(ms: number): void;
}

export function fakeClock(t: TestContext): Clock {
  const g = globalThis as unknown as Record<string, unknown>;
  const names = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] as const;
  const kept = names.map((n) => g[n]);
  const keptNow = Date.now;
  let now = 1_700_000_000_000;
  let next = 1;
  let jobs: Job[] = [];
  const add = (fn: () => void, ms: number, every: number) => {
    jobs.push({ id: next, at: now + ms, every, fn });
    return next++;
  };
  const drop = (id: number) => {
    jobs = jobs.filter((j) => j.id !== id);
  };
  g.setTimeout = (fn: () => void, ms = 0) => add(fn, ms, 0);
  g.setInterval = (fn: () => void, ms: number) => add(fn, ms, ms);
  g.clearTimeout = g.clearInterval = drop;
  Date.now = () => now;
  t.after(() => {
    names.forEach((n, i) => (g[n] = kept[i]));
    Date.now = keptNow;
  });
  return {
    leap(ms) {
      now += ms;
    },
    tick(ms) {
      const end = now + ms;
      for (;;) {
        const due = jobs.filter((j) => j.at <= end).sort((a, b) => a.at - b.at)[0];
        if (!due) break;
        now = Math.max(now, due.at);
        if (due.every) due.at = now + due.every;
        else drop(due.id);
        due.fn();
      }
      now = end;
    },
  };
}
