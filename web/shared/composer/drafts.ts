// SPDX-License-Identifier: Apache-2.0
// Words not yet sent, per conversation and mode. Saved 300 ms after typing
// and whenever the page may go away. Other tabs learn by the storage event.
import { signal } from '@preact/signals-core';
import type { Store } from '../../sdk/storage.ts';

const SAVE_MS = 300;

export class Drafts {
  /** Rises when another tab changed a draft, or one was saved or dropped. */
  readonly version = signal(0);
  private pending = new Map<string, string>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private store: Store,
    private prefix: string,
  ) {
    if (typeof window === 'undefined') return;
    const flush = () => this.flush();
    addEventListener('pagehide', flush);
    document.addEventListener('visibilitychange', flush);
    addEventListener('storage', (e) => {
      if (e.key === null || e.key.startsWith(prefix)) this.version.value++;
    });
  }

  get(key: string): string {
    const p = this.pending.get(key);
    return p !== undefined ? p : this.store.get(this.prefix + key) || '';
  }

  set(key: string, text: string): void {
    this.pending.set(key, text);
    if (this.timer === undefined) this.timer = setTimeout(() => this.flush(), SAVE_MS);
  }

  /** At once: the composer was emptied in the same step the outbox was written. */
  drop(key: string): void {
    this.pending.delete(key);
    this.store.del(this.prefix + key);
    this.version.value++;
  }

  has(key: string): boolean {
    return this.get(key).trim() !== '';
  }

  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (this.pending.size === 0) return;
    this.pending.forEach((text, key) => {
      if (text === '') this.store.del(this.prefix + key);
      else this.store.set(this.prefix + key, text);
    });
    this.pending.clear();
    this.version.value++;
  }
}
