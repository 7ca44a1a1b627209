// SPDX-License-Identifier: Apache-2.0
// Each simulator's files: who may bring and fetch them, of which size and type,
// and for how long. What our adapters do is told in media.test.mjs.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { amr, mp4, pdf, png } from '../lib/media.mjs';
import { start } from '../lib/load.mjs';

const open = [];
after(async () => {
  for (const s of open) await s.close();
});
async function sim(name, given = {}) {
  const s = await start(name, { pace: 0, hook: 'http://127.0.0.1:9/hooks/ch_1', ...given });
  open.push(s);
  return s;
}
/** A file in a form, as a browser sends it; extra fields beside it. */
async function upload(s, path, field, data, { name = 'a.png', headers = {}, fields = {} } = {}) {
  const form = new FormData();
  for (const [key, value] of Object.entries(fields)) form.append(key, value);
  form.append(field, new Blob([data], { type: 'application/octet-stream' }), name);
  const res = await fetch(s.url + path, { method: 'POST', body: form, headers });
  return { status: res.status, ...(await res.json()) };
}
test('wecom: files by size, by what is in them, for three days', async () => {
  const s = await sim('wecom');
  const token = s.issue(1e6);
  const up = (type, data, t = token) => upload(s, `/cgi-bin/media/upload?access_token=${t}&type=${type}`, 'media', data).then((a) => a.errcode || a.media_id);
  assert.deepEqual([await up('image', png(), ''), await up('image', png(), 'x'), await up('thumb', png()), await up('image', pdf()), await up('voice', mp4()), await up('file', Buffer.alloc(5)), await up('file', Buffer.alloc((20 << 20) + 1))], [41001, 40014, 40004, 40005, 40005, 40006, 40006]);
  for (const [type, data] of [['image', png()], ['voice', amr()], ['video', mp4()], ['file', pdf()]]) {
    const id = await up(type, data);
    assert.deepEqual((await get(s, `/cgi-bin/media/get?access_token=${token}&media_id=${id}`)).data, data, type);
  }
  const id = await up('image', png());
  s.advance(3 * 24 * 3600_000);
  assert.equal(parse_code(await get(s, `/cgi-bin/media/get?access_token=${token}&media_id=${id}`)), 40007);
});

const parse_code = (a) => JSON.parse(a.data.toString()).errcode;
const get = (s, path, headers = {}) => fetch(s.url + path, { headers }).then(async (r) => ({ status: r.status, name: r.headers.get('content-disposition'), data: Buffer.from(await r.arrayBuffer()) }));

test('wechat, weapp: files by size, by what is in them, for three days', async () => {
  for (const name of ['wechat', 'weapp']) {
    const s = await sim(name);
    const token = s.issue(1e6);
    const up = (type, data, t = token, field = 'media') => upload(s, `/cgi-bin/media/upload?access_token=${t}&type=${type}`, field, data).then((a) => a.errcode ?? a.media_id);
    const others = [await up('voice', amr()), await up('video', mp4())];
    if (name === 'weapp') assert.deepEqual(others, [40004, 40004]);
    else assert.ok(others.every((id) => s.media.get(id)));
    assert.deepEqual([await up('image', png(), ''), await up('image', png(), 'x'), await up('file', pdf()), await up('image', pdf()), await up('image', Buffer.concat([png(), Buffer.alloc(10 << 20)])), await up('image', png(), token, 'file')], [41001, 40001, 40004, 40005, 45001, 41005]);
    const id = await up('image', png());
    const path = (t) => `/cgi-bin/media/get?access_token=${t}&media_id=${id}`;
    assert.deepEqual((await get(s, path(token))).data, png());
    assert.equal(parse_code(await get(s, path('x'))), 40001);
    s.faults.media = 1;
    assert.equal(parse_code(await get(s, path(token))), -1);
    s.advance(3 * 24 * 3600_000);
    assert.equal(parse_code(await get(s, path(token))), 40007);
    assert.equal((await get(s, `/pic/${id}`)).status, 404);
  }
});
