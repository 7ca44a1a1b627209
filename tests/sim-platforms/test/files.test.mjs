// SPDX-License-Identifier: Apache-2.0
// Each simulator's files: who may bring and fetch them, of which size and type,
// and for how long. What our adapters do is told in media.test.mjs.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { after, test } from 'node:test';
import { amr, mp4, ogg, pdf, png } from '../lib/media.mjs';
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

test('feishu: files by size and type, as the message that they are for, of that message', async () => {
  const s = await sim('feishu');
  s.customer('ou_1');
  const auth = { authorization: 'Bearer ' + s.issue(1e6) };
  const image = (data, fields = { image_type: 'message' }, headers = auth) => upload(s, '/open-apis/im/v1/images', 'image', data, { headers, fields }).then((a) => a.code || a.data.image_key);
  const file = (data, file_type, name = 'a.pdf') => upload(s, '/open-apis/im/v1/files', 'file', data, { headers: auth, fields: { file_type, ...(name ? { file_name: name } : {}) } }).then((a) => a.code || a.data.file_key);
  assert.deepEqual([await image(png(), {}, {}), await image(png(), undefined, { authorization: 'Bearer x' }), await image(png(), {}), await image(pdf()), await image(Buffer.alloc(0)), await image(Buffer.concat([png(), Buffer.alloc(10 << 20)]))], [99991661, 99991663, 234001, 234011, 234010, 234006]);
  assert.deepEqual([await file(pdf(), 'zip'), await file(pdf(), 'stream', ''), await file(pdf(), 'opus'), await file(Buffer.alloc((30 << 20) + 1), 'stream')], [234001, 234001, 234001, 234006]);
  const keys = { image: await image(png()), file: await file(pdf(), 'stream'), audio: await file(ogg(), 'opus'), media: await file(mp4(), 'mp4') };
  const send = (msg_type, key) => fetch(s.url + '/open-apis/im/v1/messages?receive_id_type=open_id', { method: 'POST', headers: auth, body: JSON.stringify({ receive_id: 'ou_1', msg_type, content: JSON.stringify({ [msg_type === 'image' ? 'image_key' : 'file_key']: key }) }) }).then(async (r) => (await r.json()).code);
  for (const type of Object.keys(keys)) assert.equal(await send(type, keys[type]), 0, type);
  assert.deepEqual([await send('image', 'none'), await send('file', keys.media), await send('audio', keys.file)], [230001, 230055, 230055]);
  const of = (message, key, type) => get(s, `/open-apis/im/v1/messages/${message}/resources/${key}?type=${type}`, auth);
  const key = s.keep_file('a.png', 'image/png', png());
  Object.assign(s.media.get(key), { message: 'om_1', from: 'image' });
  assert.deepEqual((await of('om_1', key, 'image')).data, png());
  for (const [m, k, t] of [['om_2', key, 'image'], ['om_1', 'none', 'image'], ['om_1', key, 'file']]) assert.equal(JSON.parse((await of(m, k, t)).data).code, 234003);
});

test('douyin: pictures by size and type with the app\'s token, files of phones with the account\'s', async () => {
  const s = await sim('douyin');
  const [app, account] = [s.issue(1e6, 'clt.'), s.issue(1e6, 'act.')];
  const up = (data, token = app, field = 'image') => upload(s, '/tool/imagex/client_upload/', field, data, { headers: { 'access-token': token } }).then((a) => a.data.error_code || a.data.image_id);
  assert.deepEqual([await up(png(), 'x'), await up(png(), account), await up(png(), app, 'media'), await up(pdf()), await up(Buffer.concat([png(), Buffer.alloc(10 << 20)]))], [2190002, 2190002, 2100005, 2100005, 2100005]);
  assert.ok(s.media.get(await up(png())).uploaded);
  const key = s.keep_file('a.png', 'image/png', png());
  Object.assign(s.media.get(key), { message: '@M==', conversation: '@C==' });
  const where = (token, message = '@M==') => fetch(`${s.url}/api/im/message/resources/?${new URLSearchParams({ conversation_id: '@C==', message_id: message, open_id: s.settings.open_id })}`, { headers: { 'access-token': token } }).then(async (r) => (await r.json()).data);
  assert.deepEqual(Buffer.from(await fetch((await where(account)).url).then((r) => r.arrayBuffer())), png());
  assert.deepEqual([(await where(app)).error_code, (await where('x')).error_code, (await where(account, '@N==')).error_code], [2190015, 2190002, 2100005]);
  s.settings.resources = false;
  assert.equal((await where(account)).error_code, 28001018);
});

test('dingtalk: files by size and type, for three days, and as what they were uploaded', async () => {
  const s = await sim('dingtalk');
  s.customer('u1');
  const token = s.issue(1e6);
  const up = (type, data, t = token) => upload(s, `/media/upload?access_token=${t}&type=${type}`, 'media', data).then((a) => a.errcode || a.media_id);
  assert.deepEqual([await up('image', png(), 'x'), await up('thumb', png()), await up('image', pdf()), await up('voice', Buffer.concat([amr(), Buffer.alloc(2 << 20)])), await up('file', Buffer.alloc((20 << 20) + 1))], [40014, 40004, 40005, 40006, 40006]);
  const call = (path, body) => fetch(s.url + path, { method: 'POST', headers: { 'x-acs-dingtalk-access-token': token }, body: JSON.stringify({ robotCode: s.robot, ...body }) }).then((r) => r.json());
  const send = (msgKey, param) => call('/v1.0/robot/oToMessages/batchSend', { userIds: ['u1'], msgKey, msgParam: JSON.stringify(param) }).then((a) => a.code ?? 'sent');
  const [image, file] = [await up('image', png()), await up('file', pdf())];
  assert.equal(await send('sampleImageMsg', { photoURL: image }), 'sent');
  assert.equal(await send('sampleFile', { mediaId: file, fileName: 'a.pdf', fileType: 'pdf' }), 'sent');
  for (const [key, p] of [['sampleImageMsg', { photoURL: file }], ['sampleFile', { mediaId: file, fileName: 'a', fileType: 'exe' }], ['sampleFile', { mediaId: '@none', fileName: 'a.pdf', fileType: 'pdf' }]]) assert.equal(await send(key, p), 'invalidParameter');
  const code = s.keep_file('a.png', 'image/png', png());
  const { downloadUrl } = await call('/v1.0/robot/messageFiles/download', { downloadCode: code });
  assert.deepEqual(Buffer.from(await fetch(downloadUrl).then((r) => r.arrayBuffer())), png());
  assert.equal((await call('/v1.0/robot/messageFiles/download', { downloadCode: 'none' })).code, 'invalidParameter.downloadCode');
  s.advance(72 * 3600_000);
  assert.equal(await send('sampleImageMsg', { photoURL: image }), 'invalidParameter');
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

test('http: a file for the house only, both ways signed', async () => {
  const s = await sim('http', { customer: 'anna' });
  s.customer('anna');
  const id = s.keep_file('a.png', 'image/png', png());
  assert.equal((await get(s, `/file/${id}`)).status, 401);
  const event = JSON.stringify({ type: 'message.created', data: { to: 'anna', kind: 'image', file: { name: 'a.png' } } });
  const signs = (text, key = s.key) => ({ 'webhook-id': 'm1', 'webhook-timestamp': String(s.now_s()), 'webhook-signature': 'v1,' + createHmac('sha256', key).update(`m1.${s.now_s()}.${text}`).digest('base64') });
  assert.deepEqual((await get(s, `/file/${id}`, signs(''))).data, png());
  s.faults.media = 1;
  assert.equal((await get(s, `/file/${id}`, signs(''))).status, 503);
  const up = (headers, fields = { event }) => upload(s, '/in', 'file', png(), { headers, fields }).then((a) => a.status);
  assert.deepEqual([await up(signs(event, 'another')), await up(signs('')), await up(signs(event))], [401, 401, 200]);
  assert.deepEqual(s.media.get(s.shown[0].file).data, png());
});

test('telegram: files by size and by what is in them, and again by their id', async () => {
  const s = await sim('telegram', { polled: true });
  s.customer('1');
  const up = (method, field, data, more = {}) => upload(s, `/bot${more.token ?? s.settings.token}/${method}`, field, data, { fields: { chat_id: '1', ...more.fields } });
  assert.deepEqual([(await up('sendPhoto', 'photo', png(), { token: 'x' })).error_code, (await up('sendPhoto', 'document', png())).error_code, (await up('sendPhoto', 'photo', pdf())).description, (await up('sendPhoto', 'photo', Buffer.concat([png(), Buffer.alloc(10 << 20)]))).error_code], [401, 400, 'Bad Request: IMAGE_PROCESS_FAILED', 413]);
  const sent = (await up('sendPhoto', 'photo', png(), { fields: { caption: 'x'.repeat(1024) } })).result;
  const id = sent.photo.at(-1).file_id;
  assert.equal((await up('sendPhoto', 'photo', png(), { fields: { caption: 'x'.repeat(1025) } })).error_code, 400);
  const ask = (method, body) => fetch(`${s.url}/bot${s.settings.token}/${method}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }).then((r) => r.json());
  assert.ok((await ask('sendPhoto', { chat_id: '1', photo: id })).ok);
  assert.match((await ask('sendPhoto', { chat_id: '1', photo: 'x' })).description, /wrong file identifier/);
  const path = (await ask('getFile', { file_id: id })).result.file_path;
  assert.deepEqual((await get(s, `/file/bot${s.settings.token}/${path}`)).data, png());
  assert.equal((await get(s, `/file/botx/${path}`)).status, 404);
  const big = s.keep_file('b', 'video/mp4', Buffer.alloc((20 << 20) + 1));
  assert.match((await ask('getFile', { file_id: big })).description, /too big/);
  s.faults.media = 1;
  assert.equal((await ask('getFile', { file_id: id })).error_code, 502);
});

test('whatsapp: files with the token only, by what is in them', async () => {
  const s = await sim('whatsapp', { receipts: false });
  s.heard('861');
  const bearer = (token = s.settings.access_token) => ({ authorization: 'Bearer ' + token });
  const up = (data, token, fields = { messaging_product: 'whatsapp', type: 'image/png' }) => upload(s, '/v21.0/1/media', 'file', data, { headers: bearer(token), fields });
  assert.deepEqual([(await up(png(), 'x')).error.code, (await up(png(), undefined, {})).error.code], [190, 100]);
  const id = (await up(png())).id;
  const send = (type, media) => fetch(`${s.url}/v21.0/${s.settings.phone_number_id}/messages`, { method: 'POST', headers: { ...bearer(), 'content-type': 'application/json' }, body: JSON.stringify({ messaging_product: 'whatsapp', to: '861', type, [type]: { id: media } }) }).then(async (r) => (await r.json()).error?.code);
  assert.deepEqual([await send('image', id), await send('image', 'x'), await send('audio', id), await send('document', id)], [undefined, 100, 100, undefined]);
  const url = JSON.parse((await get(s, `/v21.0/${id}`, bearer())).data).url;
  assert.deepEqual((await get(s, new URL(url).pathname, bearer())).data, png());
  assert.equal((await get(s, new URL(url).pathname, bearer('x'))).status, 401);
  s.faults.media = 1;
  assert.equal((await get(s, `/v21.0/${id}`, bearer())).status, 500);
});

test('slack: three steps, each once; a page to sign in at for who has no right', async () => {
  const s = await sim('slack');
  await s.says(undefined, 'hi').catch(() => {});
  const call = (method, body) => fetch(`${s.url}/api/${method}`, { method: 'POST', headers: { authorization: 'Bearer ' + s.settings.bot_token, 'content-type': 'application/json' }, body: JSON.stringify(body) }).then((r) => r.json());
  const data = png();
  const a = await call('files.getUploadURLExternal', { filename: 'a.png', length: data.length });
  const done = () => call('files.completeUploadExternal', { files: [{ id: a.file_id }], channel_id: [...s.customers.values()][0].channel });
  assert.equal((await done()).error, 'file_not_found');
  assert.equal((await fetch(a.upload_url, { method: 'POST', body: data.subarray(1) })).status, 400);
  assert.equal((await fetch(a.upload_url, { method: 'POST', body: data })).status, 200);
  assert.deepEqual([(await done()).ok, (await done()).error, s.shown.length], [true, 'file_not_found', 1]);
  assert.equal((await call('files.info', { file: a.file_id })).file.ims.length, 1);
  assert.deepEqual((await get(s, `/files/${a.file_id}`, { authorization: 'Bearer ' + s.settings.bot_token })).data, data);
  assert.match((await get(s, `/files/${a.file_id}`)).data.toString(), /Sign in/);
});

test('line: content with the token only; a picture is fetched, and must be one', async () => {
  const pictures = { '/good': png(), '/long': Buffer.concat([png(), Buffer.alloc(1 << 20)]), '/pdf': pdf() };
  const shop = createServer((req, res) => res.end(pictures[req.url]));
  await new Promise((ok) => shop.listen(0, '127.0.0.1', ok));
  const s = await sim('line', { reach: (url) => url.replace('https://shop.example', `http://127.0.0.1:${shop.address().port}`) });
  s.heard('U1');
  const token = { authorization: 'Bearer ' + s.settings.access_token };
  const id = s.keep_file('a.png', 'image/png', png());
  assert.deepEqual((await get(s, `/v2/bot/message/${id}/content`, token)).data, png());
  assert.equal((await get(s, `/v2/bot/message/${id}/content`)).status, 401);
  assert.equal((await get(s, '/v2/bot/message/0/content', token)).status, 404);
  const push = (url) => fetch(`${s.url}/v2/bot/message/push`, { method: 'POST', headers: { ...token, 'content-type': 'application/json' }, body: JSON.stringify({ to: 'U1', messages: [{ type: 'image', originalContentUrl: url, previewImageUrl: url }] }) }).then((r) => r.status);
  assert.equal(await push('http://shop.example/good'), 400);
  for (const path of Object.keys(pictures)) assert.equal(await push('https://shop.example' + path), 200);
  assert.deepEqual(s.shown.map((m) => s.media.get(m.file)?.data.length), [png().length, undefined, undefined]);
  shop.close();
});
