// SPDX-License-Identifier: Apache-2.0
// Chosen files outlive a reload: in IndexedDB until they are sent or taken out,
// a day at most. Each bears the `ref` of its message, so that one which was sent
// in the last moment, or by another tab, is still one message.
//
// A row has an owner, the page that shows it. Where Web Locks are (https), an
// owner holds a lock as long as it lives: rows of a page that is gone go to the
// next one, those of a tab that lives stay there. Without locks every page takes
// what it finds; the ref keeps it one message.
//
// Where there is no database (private windows, blocked storage) or no room,
// files live as long as their page.
import type { UploadedFile } from '../../../sdk/files.ts';

export interface Kept {
  ref: string;
  /** When it was chosen. */
  at: number;
  file: File;
  original: boolean;
  released: boolean;
  /** The server's name of its upload, to go on with. */
  upload?: string;
  info?: UploadedFile;
}

export interface Keeping {
  /** What another page left; may come again later, when a tab is closed. */
  load(found: (kept: Kept[]) => void): void;
  put(kept: Kept): void;
  drop(ref: string): void;
}

/** Whose files: who else comes to `place` finds nothing, and ends what was there. */
export interface Whose {
  place: string;
  who: string;
  tray: string;
}

type Row = Kept & Whose & { owner: string };

export const KEEP_MS = 24 * 3_600_000;
/** Of all trays of this browser together; what is beyond lives with its page. */
export const KEEP_BYTES = 200_000_000;
const STORE = 'kept';

const me = Date.now().toString(36) + Math.random().toString(36).slice(2);
const lockOf = (owner: string) => 'yl.files.' + owner;
let opened: Promise<IDBDatabase> | undefined;

function database(): Promise<IDBDatabase> {
  return (opened = opened || alive().then(open));
}

function open(): Promise<IDBDatabase> {
  return new Promise((ok, no) => {
    const r = indexedDB.open('yuelai.files', 1);
    r.onupgradeneeded = () => r.result.createObjectStore(STORE, { keyPath: 'ref' });
    r.onsuccess = () => ok(r.result);
    r.onerror = r.onblocked = () => no(r.error);
  });
}

/** Our own lock, before a row of ours can be seen. */
function alive(): Promise<void> {
  if (!navigator.locks) return Promise.resolve();
  return new Promise((ok) => void navigator.locks.request(lockOf(me), () => (ok(), new Promise(() => {}))));
}

/** All rows, and what is to become of them, in one transaction. */
function work<T>(act: (rows: Row[], store: IDBObjectStore) => T): Promise<T> {
  return database().then(
    (db) =>
      new Promise<T>((ok, no) => {
        const tx = db.transaction(STORE, 'readwrite');
        const store = tx.objectStore(STORE);
        const all = store.getAll() as IDBRequest<Row[]>;
        let out: T;
        all.onsuccess = () => (out = act(all.result, store));
        tx.oncomplete = () => ok(out);
        tx.onerror = tx.onabort = () => no(tx.error);
      }),
  );
}

/** No database, no room: see above. */
const without = () => undefined;

export class Keep implements Keeping {
  /** `holds`: there is something of this tray that a next page would find. */
  constructor(
    private whose: () => Whose,
    private holds: (any: boolean) => void = () => {},
  ) {}

  private mine(r: Row): boolean {
    const w = this.whose();
    return r.place === w.place && r.who === w.who && r.tray === w.tray;
  }

  load(found: (kept: Kept[]) => void): void {
    const w = this.whose();
    work((rows, store) => {
      const left = rows.filter((r) => {
        const over = Math.abs(Date.now() - r.at) > KEEP_MS || (r.place === w.place && r.who !== w.who);
        if (over) store.delete(r.ref);
        return !over && this.mine(r);
      });
      this.holds(left.length > 0);
      return left.map((r) => r.owner).filter((o, n, all) => o !== me && all.indexOf(o) === n);
    }).then((owners) => {
      for (const owner of owners) {
        if (navigator.locks) void navigator.locks.request(lockOf(owner), () => this.adopt(owner, found));
        else void this.adopt(owner, found);
      }
    }, without);
  }

  private adopt(owner: string, found: (kept: Kept[]) => void): Promise<void> {
    return work((rows, store) => {
      const left = rows.filter((r) => r.owner === owner && this.mine(r));
      for (const r of left) store.put({ ...r, owner: me });
      return left;
    }).then((left) => left.length > 0 && found(left), without) as Promise<void>;
  }

  put(kept: Kept): void {
    const w = this.whose();
    work((rows, store) => {
      const others = rows.reduce((n, r) => (r.ref === kept.ref ? n : n + r.file.size), 0);
      if (others + kept.file.size > KEEP_BYTES) return;
      store.put({ ...kept, place: w.place, who: w.who, tray: w.tray, owner: me });
      this.holds(true);
    }).catch(without);
  }

  drop(ref: string): void {
    work((rows, store) => {
      store.delete(ref);
      this.holds(rows.some((r) => r.ref !== ref && this.mine(r)));
    }).catch(without);
  }
}
