// SPDX-License-Identifier: Apache-2.0
// Files on their way to a message: waiting, coming up, there, failed. No DOM
// in here (view.ts draws it), so it is tested without one.
//
// Each is uploaded as soon as it is chosen, two at a time. Its message goes
// out when it is released - at once in the chat, by send() in the console -
// and whole, in the order of choosing: a later one waits for an earlier one
// unless that has failed or was taken out. With `keep` they outlive a reload.
import { kindOf, upload as realUpload, type UploadedFile, type UploadError } from '../../../sdk/files.ts';
import type { Keeping, Kept } from './keep.ts';
import { refusalOf, type FileLimits } from './limits.ts';
import { shrink as realShrink } from './shrink.ts';

export interface TrayItem {
  readonly key: number;
  /** Its message's, whichever page sends it. */
  readonly ref: string;
  readonly at: number;
  readonly file: File;
  state: 'waiting' | 'uploading' | 'ready' | 'failed';
  /** Of the upload; -1: the network is away. */
  share: number;
  /** too_large, unsupported, empty or the server's code. */
  code?: string;
  /** The server's sentence. */
  reason?: string;
  /** No use in trying again. */
  final?: boolean;
  released: boolean;
  /** Sent as it is, not smaller (原图). */
  original: boolean;
  /** Begun on the server under this name. */
  upload?: string;
  info?: UploadedFile;
}

export interface TrayOptions {
  limits: () => FileLimits;
  /** Visitors: their token. Agents come by cookie. */
  token?: () => string | null;
  conversation?: () => string | undefined;
  /** Files wait for send(). Else each goes as soon as it is there. */
  hold?: boolean;
  /** An uploaded file whose turn it is: write the outbox, once for a ref. */
  onFile: (file: UploadedFile, kind: ReturnType<typeof kindOf>, ref: string) => void;
  /** sdk/id.ts, which is in every first chunk: not imported, or it would be one of its own. */
  newRef: () => string;
  keep?: Keeping;
  /** For tests. */
  upload?: typeof realUpload;
  shrink?: (file: File) => Promise<Blob>;
}

const AT_ONCE = 2;
/** The server throws away after a day what no message names. */
const INFO_MS = 12 * 3_600_000;
/** In one tray; more is a mistake of the hand. */
export const MOST_FILES = 20;

export class Tray {
  items: TrayItem[] = [];
  /** Whoever draws it. */
  changed: () => void = () => {};
  private last = 0;
  private running = new Map<number, { cancel?: () => void }>();

  constructor(readonly o: TrayOptions) {
    if (o.keep) o.keep.load((kept) => this.restore(kept));
  }

  /** How many were taken; the others are beyond MOST_FILES. */
  add(files: File[]): number {
    const room = Math.max(0, MOST_FILES - this.items.length);
    const taken = files.slice(0, room);
    for (const file of taken) {
      const i = this.make({ ref: this.o.newRef(), at: Date.now(), file, released: !this.o.hold, original: false });
      this.items.push(i);
      this.save(i);
    }
    this.pump();
    return taken.length;
  }

  /** Of a page that is gone: before what was chosen since. */
  private restore(kept: Kept[]): void {
    const here = this.items.map((i) => i.ref);
    const back = kept.filter((k) => here.indexOf(k.ref) < 0).slice(0, Math.max(0, MOST_FILES - here.length));
    this.items = back.map((k) => this.make(k)).concat(this.items);
    this.items.sort((a, b) => (a.ref < b.ref ? -1 : 1));
    this.pump();
  }

  private make(k: Kept): TrayItem {
    const code = refusalOf(k.file, this.o.limits());
    const info = k.info && Date.now() - k.at < INFO_MS ? k.info : undefined;
    return { ...k, info, key: ++this.last, state: code ? 'failed' : info ? 'ready' : 'waiting', code, final: !!code, share: 0 };
  }

  /** What a next page needs of it; of what was refused, nothing. */
  private save(i: TrayItem): void {
    if (!this.o.keep) return;
    const { ref, at, file, original, released, upload, info } = i;
    if (i.final) this.o.keep.drop(ref);
    else this.o.keep.put({ ref, at, file, original, released, upload, info });
  }

  retry(key: number): void {
    const i = this.find(key);
    if (!i || i.state !== 'failed' || i.final) return;
    i.state = 'waiting';
    i.share = 0;
    i.code = i.reason = undefined;
    this.pump();
  }

  /** Taken out; an upload under way is given up. */
  remove(key: number): void {
    const i = this.find(key);
    if (i && this.o.keep) this.o.keep.drop(i.ref);
    this.stop(key);
    this.items = this.items.filter((i) => i.key !== key);
    this.pump();
  }

  /** As it is, or smaller: the upload begins anew. */
  setOriginal(key: number, original: boolean): void {
    const i = this.find(key);
    if (!i || i.original === original || i.final) return;
    this.stop(key);
    i.original = original;
    i.info = i.upload = undefined;
    i.state = 'waiting';
    i.share = 0;
    this.save(i);
    this.pump();
  }

  /** Lets go of all that is here: each message follows its upload. */
  send(): void {
    for (const i of this.items) {
      if (i.released) continue;
      i.released = true;
      this.save(i);
    }
    this.pump();
  }

  /** Still to be sent, not counting what was refused. */
  get pending(): number {
    return this.items.filter((i) => !i.final).length;
  }

  private find(key: number): TrayItem | undefined {
    return this.items.find((i) => i.key === key);
  }

  private stop(key: number): void {
    const job = this.running.get(key);
    this.running.delete(key);
    if (job && job.cancel) job.cancel();
  }

  private pump(): void {
    for (const i of this.items) if (i.state === 'waiting' && this.running.size < AT_ONCE) void this.bring(i);
    this.release();
    this.changed();
  }

  private release(): void {
    const left: TrayItem[] = [];
    let held = false;
    for (const i of this.items) {
      if (!held && i.released && i.state === 'ready') {
        this.o.onFile(i.info!, kindOf(i.info!.mime), i.ref);
        if (this.o.keep) this.o.keep.drop(i.ref);
        continue;
      }
      if (i.state !== 'failed') held = true;
      left.push(i);
    }
    this.items = left;
  }

  private async bring(i: TrayItem): Promise<void> {
    const me: { cancel?: () => void } = {};
    const mine = () => this.running.get(i.key) === me;
    this.running.set(i.key, me);
    i.state = 'uploading';
    try {
      const blob = i.original ? i.file : await (this.o.shrink || realShrink)(i.file);
      if (!mine()) return; // taken out meanwhile, or begun anew
      const job = (this.o.upload || realUpload)(blob, {
        name: i.file.name,
        token: this.o.token?.(),
        conversation: this.o.conversation?.(),
        // What was made smaller is made anew: another upload.
        resume: blob === i.file ? i.upload : undefined,
        onBegun: (id) => {
          if (!mine() || blob !== i.file || i.upload === id) return;
          i.upload = id;
          this.save(i);
        },
        onProgress: (share) => {
          i.share = share;
          this.changed();
        },
      });
      me.cancel = job.cancel;
      const info = await job.done;
      if (!mine()) return;
      i.info = info;
      i.state = 'ready';
    } catch (e) {
      if (!mine()) return;
      const u = e as UploadError;
      i.state = 'failed';
      i.code = u.code || 'other';
      i.reason = u.message;
      if (u.code !== 'offline') i.upload = undefined;
      i.final = u.code === 'too_large' || u.code === 'unsupported' || u.code === 'forbidden' || u.code === 'unprocessable';
    }
    this.running.delete(i.key);
    this.pump();
    if (this.find(i.key)) this.save(i);
  }
}
