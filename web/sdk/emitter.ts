// SPDX-License-Identifier: Apache-2.0
// A typed event emitter; a listener that throws does not stop the others.

export class Emitter<E extends object> {
  private lists = new Map<keyof E, Set<(v: never) => void>>();

  /** Returns the function that takes the listener off again. */
  on<K extends keyof E>(name: K, fn: (v: E[K]) => void): () => void {
    let set = this.lists.get(name);
    if (!set) this.lists.set(name, (set = new Set()));
    set.add(fn as (v: never) => void);
    return () => {
      set.delete(fn as (v: never) => void);
    };
  }

  protected emit<K extends keyof E>(name: K, value: E[K]): void {
    const set = this.lists.get(name);
    if (!set) return;
    for (const fn of Array.from(set)) {
      try {
        (fn as (v: E[K]) => void)(value);
      } catch (e) {
        setTimeout(() => {
          throw e;
        });
      }
    }
  }
}
