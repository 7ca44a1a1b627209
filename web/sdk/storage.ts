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
  private map = new Map<string, string>();
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

/** Over localStorage, which was seen to work; a full disk is no reason to throw. */
export class LocalStore implements Store {
  constructor(private ls: Storage) {}
  get(key: string): string | null {
    return this.ls.getItem(key);
  }
  set(key: string, value: string): void {
    try {
      this.ls.setItem(key, value);
    } catch {
      // quota: what is on screen stays on screen
    }
  }
  del(key: string): void {
    this.ls.removeItem(key);
  }
  keys(prefix: string): string[] {
    return Object.keys(this.ls).filter((k) => k.startsWith(prefix)).sort();
  }
}

export function browserStore(): Store {
  try {
    const ls = window.localStorage;
    const probe = 'yl.probe';
    ls.setItem(probe, '');
    return new LocalStore(ls);
  } catch {
    return new MemoryStore();
  }
}
