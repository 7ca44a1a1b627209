// SPDX-License-Identifier: Apache-2.0
// A list of the server, page by page, and fresh while somebody looks at it.
// What is shown stays when an answer fails; the failure stands beside it.
import { signal } from '@preact/signals';
import type { Page } from '../../sdk/types.ts';
import * as app from './app.ts';

type Query = Record<string, string | number | undefined>;
const PAGE = 50;

export class Paged<T> {
  readonly items = signal<T[] | null>(null);
  readonly total = signal(0);
  readonly failed = signal<unknown>(null);
  private want = PAGE;
  private asked = 0;

  constructor(
    private path: string,
    private query: () => Query = () => ({}),
  ) {}

  /** Everything shown so far, anew; an older answer never wins. */
  async load(): Promise<void> {
    const turn = ++this.asked;
    const all: T[] = [];
    try {
      for (;;) {
        const page = await app.rest.get<Page<T>>(this.path, { ...this.query(), limit: PAGE, offset: all.length || undefined });
        if (turn !== this.asked) return;
        all.push(...page.items);
        this.total.value = page.total ?? all.length;
        if (page.items.length < PAGE || all.length >= this.want) break;
      }
      this.items.value = all;
      this.failed.value = null;
    } catch (e) {
      if (turn === this.asked) this.failed.value = e;
    }
  }

  get more(): boolean {
    return (this.items.value?.length ?? 0) < this.total.value;
  }

  loadMore(): Promise<void> {
    this.want += PAGE;
    return this.load();
  }

  /** Another filter: what is shown is not of it. */
  reset(): Promise<void> {
    this.items.value = null;
    this.want = PAGE;
    return this.load();
  }

  /** Shown at once; the next answer has the last word. */
  drop(gone: (x: T) => boolean): void {
    if (!this.items.value) return;
    const left = this.items.value.filter((x) => !gone(x));
    this.total.value -= this.items.value.length - left.length;
    this.items.value = left;
    this.asked++;
  }
}

/** Asks now and then every `ms`, as long as the tab is seen and connected. */
export function watch(ask: () => void, ms: number): () => void {
  ask();
  const again = () => {
    if (document.visibilityState === 'visible' && app.link.value === 'open' && !app.expired.value) ask();
  };
  const timer = setInterval(again, ms);
  document.addEventListener('visibilitychange', again);
  return () => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', again);
  };
}

/** One thing of the server: undefined while unknown. */
export class One<T> {
  readonly value = signal<T | undefined>(undefined);
  readonly failed = signal<unknown>(null);
  private path = '';
  private asked = 0;

  open(path: string): void {
    if (path === this.path) return;
    this.path = path;
    this.value.value = undefined;
    this.failed.value = null;
  }

  async load(): Promise<void> {
    const turn = ++this.asked;
    try {
      const v = await app.rest.get<T>(this.path);
      if (turn !== this.asked) return;
      this.value.value = v;
      this.failed.value = null;
    } catch (e) {
      if (turn === this.asked) this.failed.value = e;
    }
  }

  /** What an order answered. */
  put(v: T): void {
    this.asked++;
    this.value.value = v;
  }
}

const RANK = { agent: 0, supervisor: 1, admin: 2 };

/** May whoever is signed in do what asks for this role? */
export function may(role: 'supervisor' | 'admin'): boolean {
  return RANK[app.me.value?.role ?? 'agent'] >= RANK[role];
}
