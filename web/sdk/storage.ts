// SPDX-License-Identifier: Apache-2.0
// Where small lasting things go. Browsers may forbid localStorage (blocked
// third-party storage, private windows): then memory, so nothing throws.

export interface Store {
  get(key: string): string | null;
  set(key: string, value: string): void;
  del(key: string): void;
  keys(prefix: string): string[];
}

export class MemoryStore implements Store {
  protected map = new Map<string, string>();
  get(key: string): string | null {
    const v = this.map.get(key);
    return v === undefined ? null : v;
  }
  set(key: string, value: string): void {
    this.map.set(key, value);
  }
  del(key: string): void {
    this.map.delete(key);
  }
  keys(prefix: string): string[] {
    return Array.from(this.map.keys()).filter((k) => k.startsWith(prefix)).sort();
  }
}

/** Over the browser's localStorage; a full or refused disk falls to memory. */
export class LocalStore extends MemoryStore {
  constructor(private ls: Storage) {
    super();
  }
  override get(key: string): string | null {
    const kept = super.get(key);
    if (kept !== null) return kept;
    try {
      return this.ls.getItem(key);
    } catch {
      return null;
    }
  }
  override set(key: string, value: string): void {
    try {
      this.ls.setItem(key, value);
      super.del(key);
    } catch {
      super.set(key, value);
    }
  }
  override del(key: string): void {
    super.del(key);
    try {
      this.ls.removeItem(key);
    } catch {
      // nothing was there
    }
  }
  override keys(prefix: string): string[] {
    const all = new Set(super.keys(prefix));
    try {
      for (let i = 0; i < this.ls.length; i++) {
        const k = this.ls.key(i);
        if (k !== null && k.startsWith(prefix)) all.add(k);
      }
    } catch {
      // memory only
    }
    return Array.from(all).sort();
  }
}

export function browserStore(): Store {
  try {
    const ls = window.localStorage;
    const probe = 'yl.probe';
    ls.setItem(probe, '1');
    ls.removeItem(probe);
    return new LocalStore(ls);
  } catch {
    return new MemoryStore();
  }
}
