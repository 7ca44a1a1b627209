// SPDX-License-Identifier: Apache-2.0
// Files on their way: chunks that break and go on, and the tray's order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { upload, UploadError, type UploadedFile } from '../../sdk/files.ts';
import { acceptOf, refusalOf } from '../../shared/composer/files/limits.ts';
import type { Keeping, Kept } from '../../shared/composer/files/keep.ts';
import { MOST_FILES, Tray, type TrayOptions } from '../../shared/composer/files/tray.ts';

type Answer = { status: number; body?: unknown; after?: string } | 'break';

/** The server's side of an upload in chunks; `act` may answer otherwise. */
class Server {
  got = Buffer.alloc(0);
  size = 0;
  id = 0;
  live = false;
  calls: string[] = [];
  act: (call: string) => Answer | undefined = () => undefined;

  async answer(method: string, path: string, headers: Record<string, string>, body: unknown): Promise<Answer> {
    const call = method + ' ' + path.replace('/api/v1/files', '');
    this.calls.push(call);
    const other = this.act(call);
    const state = (status: number) => ({ status, body: { id: 'up' + this.id, offset: this.got.length, size: this.size, chunk_bytes: 4_000_000, file: this.live && this.got.length === this.size ? { id: 'f1', mime: 'image/png', sum: this.got.reduce((a, b) => (a * 31 + b) >>> 0, 7) } : null } });
    if (other && !(other === 'break' && method === 'PATCH')) return other;
    if (path.endsWith('/files')) return { status: 201, body: { id: 'f1', mime: 'text/plain' } };
    if (method === 'POST') {
      this.id++;
      this.live = true;
      this.got = Buffer.alloc(0);
      this.size = (JSON.parse(String(body)) as { size: number }).size;
      return state(201);
    }
    if (!this.live) return { status: 404, body: { error: { code: 'not_found', message: 'gone' } } };
    if (method === 'PATCH') {
      if (Number(headers['Upload-Offset']) !== this.got.length) return { status: 409, body: { error: { code: 'conflict', message: 'elsewhere' } } };
      const bytes = Buffer.from(await (body as Blob).arrayBuffer());
      this.got = Buffer.concat([this.got, other === 'break' ? bytes.subarray(0, bytes.length / 2) : bytes]);
      if (other === 'break') return 'break';
    }
    if (method === 'DELETE') this.live = false;
    return state(200);
  }
}

function online(server: Server): void {
  class Xhr {
    upload: { onprogress?: (e: { loaded: number }) => void } = {};
    onload = () => {};
    onerror = () => {};
    onabort = () => {};
    status = 0;
    responseText = '';
    private line: [string, string] = ['', ''];
    private headers: Record<string, string> = {};
    private after: string | null = null;
    private over = false;
    open(m: string, p: string) {
      this.line = [m, p];
    }
    setRequestHeader(k: string, v: string) {
      this.headers[k] = v;
    }
    getResponseHeader() {
      return this.after;
    }
    abort() {
      this.over = true;
      this.onabort();
    }
    send(body: unknown) {
      void server.answer(this.line[0], this.line[1], this.headers, body).then((a) => {
        if (this.over) return;
        this.over = true;
        if (a === 'break') return this.onerror();
        this.upload.onprogress?.({ loaded: 1 });
        this.status = a.status;
        this.after = a.after ?? null;
        this.responseText = a.body === undefined ? '' : JSON.stringify(a.body);
        this.onload();
      });
    }
  }
  (globalThis as { XMLHttpRequest?: unknown }).XMLHttpRequest = Xhr;
}

/** Waits of the code under test become nothing. */
async function hurried<T>(work: () => Promise<T>): Promise<T> {
  const real = globalThis.setTimeout;
  globalThis.setTimeout = ((fn: () => void, ms?: number) => real(fn, ms && ms < 20_000 ? 0 : ms)) as typeof setTimeout;
  try {
    return await work();
  } finally {
    globalThis.setTimeout = real;
  }
}

const BIG = new Blob([Buffer.alloc(3_500_000, 7), Buffer.from('end')], { type: 'image/png' });
const sum = async (b: Blob) => Buffer.from(await b.arrayBuffer()).reduce((a, x) => (a * 31 + x) >>> 0, 7);

test('a big file comes in chunks, whole, though the line breaks in the middle of one and the server forgets all once', async () => {
  const s = new Server();
  online(s);
  let patches = 0;
  s.act = (call) => {
    if (!call.startsWith('PATCH')) return undefined;
    patches++;
    if (patches === 2) return 'break';
    if (patches === 4) s.live = false; // a restart
    return undefined;
  };
  const shares: number[] = [];
  const f = await hurried(() => upload(BIG, { name: 'a.png', onProgress: (x) => void shares.push(x) }).done);
  assert.equal((f as UploadedFile & { sum: number }).sum, await sum(BIG), 'every byte, once');
  assert.equal(s.calls.filter((c) => c === 'POST /uploads').length, 2, 'begun anew once');
  assert.ok(s.calls.includes('GET /uploads/up1'), 'asked how far it is');
  assert.ok(shares.includes(-1), 'said that it waits');
  assert.ok(shares.every((x) => x <= 1));
});

test('a refusal is final, an overloaded server is asked again and given up at the end', async () => {
  const s = new Server();
  online(s);
  s.act = () => ({ status: 415, body: { error: { code: 'unsupported', message: 'an executable' } } });
  const small = new Blob(['x']);
  await assert.rejects(upload(small).done, (e: UploadError) => e.code === 'unsupported' && e.status === 415);
  assert.equal(s.calls.length, 1);
  s.act = () => (s.calls.length < 4 ? { status: 503, after: '1' } : undefined);
  assert.equal((await hurried(() => upload(small).done)).id, 'f1');
  s.calls = [];
  s.act = () => 'break';
  await assert.rejects(hurried(() => upload(small).done), (e: UploadError) => e.code === 'offline');
  assert.equal(s.calls.length, 6);
});

test('cancel ends it and tells the server', async () => {
  const s = new Server();
  online(s);
  const up = upload(BIG, { name: 'a.png' });
  s.act = (call) => {
    if (call.startsWith('PATCH')) queueMicrotask(() => up.cancel());
    return undefined;
  };
  await assert.rejects(up.done, (e: UploadError) => e.code === 'cancelled');
  assert.equal(s.calls.filter((c) => c.startsWith('PATCH')).length, 1);
  assert.equal(s.calls[s.calls.length - 1], 'DELETE /uploads/up1');
});

// --- the tray ----------------------------------------------------------------

const fileOf = (name: string, size = 10, type = 'text/plain') => ({ name, size, type }) as File;

function stage(o: Partial<TrayOptions> = {}) {
  const jobs: { name: string; ok: (f: UploadedFile) => void; no: (e: Error) => void; cancelled: boolean }[] = [];
  const sent: string[] = [];
  let n = 0;
  const tray = new Tray({
    newRef: () => 'r' + ++n,
    limits: () => ({ file_bytes: 1000 }),
    onFile: (f, kind) => void sent.push(f.name + ' ' + kind),
    shrink: async (f) => f,
    upload: (_blob, u) => {
      const job = { name: u!.name!, ok: (_: UploadedFile) => {}, no: (_: Error) => {}, cancelled: false };
      jobs.push(job);
      const done = new Promise<UploadedFile>((ok, no) => Object.assign(job, { ok, no }));
      return { done, cancel: () => ((job.cancelled = true), job.no(new UploadError('cancelled', ''))) };
    },
    ...o,
  });
  const finish = async (name: string, mime = 'text/plain') => {
    jobs.filter((j) => j.name === name).pop()!.ok({ id: 'f-' + name, name, mime });
    await new Promise((r) => setTimeout(r, 0));
  };
  return { tray, jobs, sent, finish };
}
const soon = () => new Promise((r) => setTimeout(r, 0));

test('two at a time; messages go in the order of choosing, whichever comes first', async () => {
  const { tray, jobs, sent, finish } = stage();
  tray.add([fileOf('a'), fileOf('b'), fileOf('c')]);
  await soon();
  assert.deepEqual(jobs.map((j) => j.name), ['a', 'b']);
  await finish('b', 'image/png');
  assert.deepEqual(sent, [], 'a goes first');
  assert.equal(jobs.length, 3);
  await finish('a');
  assert.deepEqual(sent, ['a file', 'b image']);
  await finish('c', 'video/mp4');
  assert.deepEqual(sent, ['a file', 'b image', 'c video']);
  assert.equal(tray.items.length, 0);
});

test('what fails holds up nobody, can be tried again; what is refused cannot', async () => {
  const { tray, jobs, sent, finish } = stage();
  tray.add([fileOf('a'), fileOf('b'), fileOf('big', 1001), fileOf('none', 0)]);
  await soon();
  jobs[0]!.no(new UploadError('offline', 'network'));
  await finish('b');
  assert.deepEqual(sent, ['b file']);
  assert.deepEqual(tray.items.map((i) => [i.file.name, i.state, i.code, !!i.final]), [
    ['a', 'failed', 'offline', false],
    ['big', 'failed', 'too_large', true],
    ['none', 'failed', 'empty', true],
  ]);
  tray.retry(tray.items[1]!.key);
  tray.retry(tray.items[0]!.key);
  await soon();
  await finish('a');
  assert.deepEqual(sent, ['b file', 'a file']);
  assert.equal(jobs.length, 3, 'nothing of the refused ones was uploaded');
});

test('held: uploaded while one writes, sent by send(), taken out is given up, 原图 begins anew', async () => {
  const { tray, jobs, sent, finish } = stage({ hold: true });
  tray.add([fileOf('a', 10, 'image/jpeg'), fileOf('b')]);
  await soon();
  await finish('a');
  assert.deepEqual(sent, []);
  tray.setOriginal(tray.items[0]!.key, true);
  await soon();
  tray.remove(tray.items[1]!.key);
  assert.equal(jobs[1]!.cancelled, true);
  tray.send();
  assert.deepEqual(sent, [], 'still coming up');
  jobs[0]!.ok({ id: 'f1', name: 'a', mime: 'image/jpeg' });
  await soon();
  assert.deepEqual(sent, []); // the first job's answer is nobody's any more
  await finish('a', 'image/jpeg');
  assert.deepEqual(sent, ['a image']);
  assert.equal(tray.add(Array.from({ length: MOST_FILES + 5 }, (_, n) => fileOf('n' + n))), MOST_FILES);
});

test('the policy, told before a byte is sent', () => {
  const of = (type: string, file_types?: string, size = 1) => refusalOf({ type, size }, { file_bytes: 10, file_types });
  assert.equal(of('image/png'), undefined);
  assert.equal(of('image/png', '* !executable'), undefined);
  assert.equal(of('image/png', 'image/* application/pdf'), undefined);
  assert.equal(of('video/mp4', 'image/* application/pdf'), 'unsupported');
  assert.equal(of('video/mp4', '* !video/*'), 'unsupported');
  assert.equal(of('video/mp4', '!video/*'), 'unsupported');
  assert.equal(of('image/png', '!video/*'), undefined, 'only what is not taken is named');
  assert.equal(of('', 'image/*'), undefined, 'a type the browser does not know is the server’s to judge');
  assert.equal(of('image/png', undefined, 11), 'too_large');
  assert.equal(acceptOf({ file_bytes: 1, file_types: 'image/* application/pdf !image/gif' }), 'image/*,application/pdf');
  assert.equal(acceptOf({ file_bytes: 1, file_types: '* !executable' }), '');
  assert.equal(acceptOf({ file_bytes: 1 }), '');
});

function keeping() {
  const rows = new Map<string, Kept>();
  const keep: Keeping = { load: (found) => rows.size && found(Array.from(rows.values())), put: (k) => void rows.set(k.ref, { ...k }), drop: (ref) => void rows.delete(ref) };
  return { rows, keep };
}

test('kept: another page goes on with what was not sent, in its order, with its refs; what is sent, taken out or refused is not kept', async () => {
  const { rows, keep } = keeping();
  const refs: string[] = [];
  const a = stage({ keep, hold: true });
  a.tray.add([fileOf('a'), fileOf('b'), fileOf('out'), fileOf('big', 1001)]);
  await soon();
  await a.finish('a');
  a.tray.remove(a.tray.items[2]!.key);
  assert.deepEqual(Array.from(rows.values(), (k) => [k.file.name, k.info?.id, k.released]), [['a', 'f-a', false], ['b', undefined, false]]);
  a.tray.send();
  assert.deepEqual(a.sent, ['a file']);
  assert.deepEqual(Array.from(rows.values(), (k) => [k.file.name, k.released]), [['b', true]]);

  const b = stage({ keep, hold: true, onFile: (f, _kind, ref) => void refs.push(f.name + ' ' + ref) });
  await soon();
  assert.deepEqual(b.jobs.map((j) => j.name), ['b'], 'sent already by hand: it goes by itself');
  await b.finish('b');
  assert.deepEqual(refs, ['b r2']);
  assert.equal(rows.size, 0);
});

test('kept too long ago for the server, it comes up again; its policy counts anew', async () => {
  const { rows, keep } = keeping();
  const info = { id: 'f-old', name: 'old' };
  rows.set('r8', { ref: 'r8', at: Date.now() - 13 * 3_600_000, file: fileOf('old'), original: false, released: false, info });
  rows.set('r9', { ref: 'r9', at: Date.now() - 60_000, file: fileOf('new'), original: false, released: false, info: { ...info, name: 'new' } });
  rows.set('r7', { ref: 'r7', at: Date.now(), file: fileOf('wide', 1001), original: false, released: false });
  const { tray, jobs } = stage({ keep, hold: true });
  await soon();
  assert.deepEqual(tray.items.map((i) => [i.file.name, i.state]), [['wide', 'failed'], ['old', 'uploading'], ['new', 'ready']]);
  assert.deepEqual(jobs.map((j) => j.name), ['old']);
});

test('an upload that another page began goes on; one that is of another file begins anew', async () => {
  const s = new Server();
  online(s);
  await s.answer('POST', '/api/v1/files/uploads', {}, JSON.stringify({ size: BIG.size }));
  await s.answer('PATCH', '/api/v1/files/uploads/up1', { 'Upload-Offset': '0' }, BIG.slice(0, 1_000_000));
  s.calls = [];
  const begun: string[] = [];
  const f = await upload(BIG, { resume: 'up1', onBegun: (id) => begun.push(id) }).done;
  assert.equal((f as unknown as { sum: number }).sum, await sum(BIG));
  assert.deepEqual([s.calls[0], s.calls.filter((c) => c.startsWith('PATCH')).length, s.calls.filter((c) => c.startsWith('POST')).length], ['GET /uploads/up1', 3, 0]);
  await upload(BIG.slice(0, 2_000_000), { resume: 'up1', onBegun: (id) => begun.push(id) }).done;
  assert.deepEqual(begun, ['up2']);
});
