// SPDX-License-Identifier: Apache-2.0
// Each simulator refuses what the real one refuses. The shop here is a few lines
// of this test; what our adapters do is told in house.test.mjs.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { control } from '../lib/control.mjs';
import { png } from '../lib/media.mjs';
import { platforms, start } from '../lib/load.mjs';
import { player } from '../lib/play.mjs';

const open = [];
/** A shop that answers callbacks by what `answer` says. */
const shop = { got: [], answer: () => [200, 'success'] };
before(async () => {
  shop.server = http.createServer(async (req, res) => {
    const parts = [];
    for await (const p of req) parts.push(p);
    const call = { method: req.method, url: req.url, headers: req.headers, body: Buffer.concat(parts).toString() };
    shop.got.push(call);
    const [status, body] = shop.answer(call);
    res.writeHead(status).end(body);
  });
  await new Promise((ok) => shop.server.listen(0, '127.0.0.1', ok));
  shop.url = `http://127.0.0.1:${shop.server.address().port}/hooks/ch_1`;
});
after(async () => {
  for (const s of open) await s.close();
  shop.server.closeAllConnections();
  shop.server.close();
});

async function sim(name, given = {}) {
  const s = await start(name, { pace: 0, hook: shop.url, ...given });
  open.push(s);
  shop.got = [];
  shop.answer = () => [200, 'success'];
  return s;
}
async function ask(s, method, path, body, headers = {}) {
  const json = body !== undefined && typeof body !== 'string';
  const res = await fetch(s.url + path, { method, headers: json ? { 'content-type': 'application/json', ...headers } : headers, body: json ? JSON.stringify(body) : body });
  const text = await res.text();
  return { status: res.status, headers: res.headers, ...(text.startsWith('{') ? JSON.parse(text) : { text }) };
}
const down = (p) => assert.rejects(p, /fetch failed/);

test('wechat: credentials, one stable token, 42001 and 40001', async () => {
  const s = await sim('wechat');
  const grant = { grant_type: 'client_credential', appid: s.settings.appid, secret: s.settings.secret };
  assert.equal((await ask(s, 'POST', '/cgi-bin/stable_token', { ...grant, secret: 'x' })).errcode, 40125);
  assert.equal((await ask(s, 'POST', '/cgi-bin/stable_token', { ...grant, appid: 'x' })).errcode, 40013);
  const one = await ask(s, 'POST', '/cgi-bin/stable_token', grant);
  assert.equal((await ask(s, 'POST', '/cgi-bin/stable_token', grant)).access_token, one.access_token);
  const send = (token, body) => ask(s, 'POST', '/cgi-bin/message/custom/send?access_token=' + token, body);
  assert.equal((await send('', {})).errcode, 41001);
  assert.equal((await send('nonsense', {})).errcode, 40001);
  s.advance(7201_000);
  assert.equal((await send(one.access_token, {})).errcode, 42001);
  const two = await ask(s, 'POST', '/cgi-bin/stable_token', grant);
  assert.notEqual(two.access_token, one.access_token);
  s.expire(true);
  assert.equal((await send(two.access_token, {})).errcode, 40001);
});

test('wechat: who, what, when and how much', async () => {
  const s = await sim('wechat');
  const token = s.issue(7200);
  const send = (body) => ask(s, 'POST', '/cgi-bin/message/custom/send?access_token=' + token, body).then((a) => a.errcode);
  const text = (content, touser = 'oA') => ({ touser, msgtype: 'text', text: { content } });
  assert.equal(await send(text('hi')), 40003);
  await s.says('oA', 'hello');
  assert.equal(await send('{"touser":'), 47001);
  assert.equal(await send({ touser: 'oA', msgtype: 'file', file: {} }), 40008);
  assert.equal(await send(text('')), 44004);
  assert.equal(await send(text('汉'.repeat(683))), 45002);
  assert.equal(await send({ touser: 'oA', msgtype: 'image', image: { media_id: 'none' } }), 40007);
  for (let i = 0; i < 5; i++) assert.equal(await send(text('n' + i)), 0);
  assert.equal(await send(text('six')), 45047);
  await s.says('oA', 'again');
  s.advance(48 * 3600_000 + 1000);
  s.tokens.get(token).till = Infinity;
  assert.equal(await send(text('late')), 45015);
  await s.says('oA', 'back');
  s.faults.errors = [-1];
  assert.equal(await send(text('x')), -1);
  assert.equal(await send('{"touser":"oA","msgtype":"text","text":{"content":"\\u60a8"}}'), 0);
  assert.equal(s.shown.at(-1).text, '\\u60a8', 'escapes are shown as they are written');
  assert.deepEqual(s.texts('oA').slice(0, 5), ['n0', 'n1', 'n2', 'n3', 'n4']);
  const up = new FormData();
  up.append('media', new Blob([png()], { type: 'image/png' }), 'a.png');
  const media = await fetch(`${s.url}/cgi-bin/media/upload?access_token=${token}&type=image`, { method: 'POST', body: up }).then((r) => r.json());
  assert.equal(await send({ touser: 'oA', msgtype: 'image', image: { media_id: media.media_id } }), 0);
  assert.equal((await fetch(`${s.url}/cgi-bin/media/get?access_token=${token}&media_id=${media.media_id}`)).headers.get('content-type'), 'image/png');
});

test('wechat: three tries, passive replies, what cannot be read', async () => {
  for (const mode of ['plain', 'compatible', 'safe']) {
    const s = await sim('wechat', { mode });
    shop.answer = () => [500, ''];
    const lost = await s.says('oA', 'x');
    assert.deepEqual([lost.taken, lost.tries, s.lost.length], [false, 3, 1]);
    const ids = shop.got.map((c) => /<MsgId>(\d+)/.exec(c.body)?.[1]);
    if (mode === 'plain') assert.equal(new Set(ids).size, 1);
    assert.ok(shop.got.every((c) => c.body.includes('<Encrypt>') === (mode !== 'plain')));
    const notices = [];
    s.on('notice', (user) => notices.push(user));
    shop.answer = () => [200, '<xml><ToUserName>oA</ToUserName><FromUserName>gh_0123456789ab</FromUserName><CreateTime>1735700001</CreateTime><MsgType>text</MsgType><Content>sofort</Content></xml>'];
    await s.says('oA', 'y');
    assert.deepEqual([s.texts('oA'), notices.length], mode === 'plain' ? [['sofort'], 0] : [[], 1], mode);
    shop.answer = () => [200, 'oops'];
    await s.says('oA', 'z');
    assert.equal(notices.length, mode === 'plain' ? 1 : 2);
  }
});

test('weapp: kinds, two answers within a minute for who came in, wx.login', async () => {
  const s = await sim('weapp');
  const token = s.issue(1e6);
  const send = (body) => ask(s, 'POST', '/cgi-bin/message/custom/send?access_token=' + token, body).then((a) => a.errcode);
  await s.says('oA', { type: 'enter', from: 'order=42' });
  assert.equal(JSON.parse(shop.got[0].body).SessionFrom, 'order=42');
  const text = { touser: 'oA', msgtype: 'text', text: { content: 'hi' } };
  assert.deepEqual([await send(text), await send(text), await send(text)], [0, 0, 45047]);
  await s.says('oB', { type: 'enter' });
  s.advance(61_000);
  assert.equal(await send({ ...text, touser: 'oB' }), 45015);
  await s.says('oB', 'hi');
  assert.equal(await send({ touser: 'oB', msgtype: 'voice', voice: { media_id: 'x' } }), 40008);
  const code = s.login_code('oB');
  const login = (c) => ask(s, 'GET', `/sns/jscode2session?appid=${s.settings.appid}&secret=${s.settings.secret}&js_code=${c}&grant_type=authorization_code`);
  assert.equal((await login(code)).openid, 'oB');
  assert.equal((await login(code)).errcode, 40163);
  assert.equal((await login('x')).errcode, 40029);
});

test('wecom: news by cursor and token, states, msgid, fail events', async () => {
  const s = await sim('wecom', { page: 2 });
  const get = (q) => ask(s, 'GET', '/cgi-bin/gettoken?' + q);
  assert.equal((await get(`corpid=${s.settings.corpid}&corpsecret=x`)).errcode, 40001);
  const { access_token } = await get(`corpid=${s.settings.corpid}&corpsecret=${s.settings.secret}`);
  const kf = (name, body, token = access_token) => ask(s, 'POST', `/cgi-bin/kf/${name}?access_token=${token}`, body);
  for (const x of ['1', '2', '3']) await s.says('wmA', x);
  const open_kfid = s.settings.open_kfid;
  assert.equal((await kf('sync_msg', { open_kfid, token: 'old' })).errcode, 95007);
  const first = await kf('sync_msg', { open_kfid });
  assert.deepEqual([first.has_more, first.msg_list.map((m) => m.text.content)], [1, ['1', '2']]);
  const rest = await kf('sync_msg', { open_kfid, cursor: first.next_cursor });
  assert.deepEqual([rest.has_more, rest.msg_list.map((m) => m.text.content)], [0, ['3']]);
  const send = (text, msgid) => kf('send_msg', { touser: 'wmA', open_kfid, msgid, msgtype: 'text', text: { content: text } }).then((a) => a.errcode);
  assert.equal(await send('a', 'id_1'), 0);
  assert.equal(await send('a', 'id_1'), 40058, 'a msgid is good once');
  assert.equal(await send('a', 'no good'), 40058);
  assert.equal((await kf('service_state/trans', { open_kfid, external_userid: 'wmA', service_state: 0 })).errcode, 95016);
  assert.equal((await kf('service_state/trans', { open_kfid, external_userid: 'wmA', service_state: 3, servicer_userid: 'nobody' })).errcode, 95014);
  assert.equal((await kf('service_state/trans', { open_kfid, external_userid: 'wmA', service_state: 3, servicer_userid: 'zhangsan' })).errcode, 0);
  assert.equal(await send('b'), 95018);
  await s.says('wmB', 'x');
  for (let i = 0; i < 5; i++) await kf('send_msg', { touser: 'wmB', open_kfid, msgtype: 'text', text: { content: 'n' } });
  assert.equal((await kf('send_msg', { touser: 'wmB', open_kfid, msgtype: 'text', text: { content: 'n' } })).errcode, 95001);
  s.expire();
  assert.equal((await kf('sync_msg', { open_kfid })).errcode, 42001);
  assert.ok(shop.got.every((c) => /msg_signature=/.test(c.url) && !/text/.test(c.body)), 'a callback says nothing');
});

test('douyin: ids of what was said, scenes, consent', async () => {
  const s = await sim('douyin');
  const form = (o) => new URLSearchParams(o).toString();
  const oauth = (path, o) => ask(s, 'POST', path, form(o), { 'content-type': 'application/x-www-form-urlencoded' }).then((a) => a.data);
  const client_key = s.settings.client_key;
  assert.equal((await oauth('/oauth/refresh_token/', { client_key, grant_type: 'refresh_token', refresh_token: 'x' })).error_code, 10010);
  const got = await oauth('/oauth/refresh_token/', { client_key, grant_type: 'refresh_token', refresh_token: s.refresh.token });
  assert.match(got.access_token, /^act\./);
  const a = await s.says('_A', 'hi');
  const conversation_id = '@conv-_A==';
  const send = (more, token = got.access_token) => ask(s, 'POST', `/im/send/msg/?open_id=${s.settings.open_id}`, { msg_id: a.id, conversation_id, to_user_id: '_A', content: { msg_type: 1, text: { text: 'x' } }, ...more }, { 'access-token': token }).then((r) => r.data.error_code);
  assert.equal(await send({}, 'act.none'), 2190002);
  assert.equal(await send({ msg_id: '@other==' }), 28003080);
  assert.equal(await send({ to_user_id: '_B' }), 28003082);
  assert.equal(await send({ scene: 'im_enter_direct_msg' }), 28003080);
  for (let i = 0; i < 6; i++) assert.equal(await send({}), 0);
  assert.equal(await send({}), 28003070);
  for (let i = 0; i < 5; i++) assert.equal((await oauth('/oauth/renew_refresh_token/', { client_key, refresh_token: s.refresh.token })).error_code, 0);
  assert.equal((await oauth('/oauth/renew_refresh_token/', { client_key, refresh_token: s.refresh.token })).error_code, 10020);
});

test('feishu: uuid twice is one message, token codes, rate in headers', async () => {
  const s = await sim('feishu');
  await s.says('ou_a', 'hi');
  const token = s.issue(7200, 't-');
  const send = (body, t = token) => ask(s, 'POST', '/open-apis/im/v1/messages?receive_id_type=open_id', body, { authorization: 'Bearer ' + t });
  const one = { receive_id: 'ou_a', msg_type: 'text', content: JSON.stringify({ text: 'x' }), uuid: 'u1' };
  assert.equal((await send(one, 'x')).code, 99991663);
  const [a, b] = [await send(one), await send(one)];
  assert.deepEqual([a.code, a.data.message_id, s.shown.length], [0, b.data.message_id, 1]);
  assert.equal((await send({ ...one, content: { text: 'x' } })).code, 230001);
  assert.equal((await send({ ...one, receive_id: 'ou_b' })).code, 230002);
  s.faults.per_s = 1;
  s.bucket = { left: 0, at: Date.now() };
  const slow = await send(one);
  assert.deepEqual([slow.status, slow.code, slow.headers.get('x-ogw-ratelimit-reset')], [429, 99991400, '1']);
});

test('dingtalk: session webhooks end, staff must be known', async () => {
  const s = await sim('dingtalk');
  await s.says('u1', 'hi');
  const push = JSON.parse(shop.got[0].body);
  const say = () => ask(s, 'POST', push.sessionWebhook.slice(s.url.length), { msgtype: 'text', text: { content: 'x' } }).then((a) => a.errcode);
  assert.equal(await say(), 0);
  s.advance(5401_000);
  assert.equal(await say(), 400101);
  const token = s.issue(7200);
  const batch = (body, t = token) => ask(s, 'POST', '/v1.0/robot/oToMessages/batchSend', { robotCode: s.robot, msgKey: 'sampleText', msgParam: '{"content":"x"}', ...body }, { 'x-acs-dingtalk-access-token': t });
  assert.equal((await batch({ userIds: ['u1'] }, 'x')).status, 401);
  assert.deepEqual((await batch({ userIds: ['u1', 'u2'] })).invalidStaffIdList, ['u2']);
  assert.equal((await batch({ userIds: ['u1'], robotCode: 'x' })).code, 'robotCode.invalid');
});

test('telegram: token, unknown chats, blocks, floods, getUpdates', async () => {
  const s = await sim('telegram', { polled: true });
  const bot = (method, body, token = s.settings.token) => ask(s, 'POST', `/bot${token}/${method}`, body);
  assert.equal((await bot('getMe', {}, 'x')).error_code, 401);
  assert.equal((await bot('sendMessage', { chat_id: 1, text: 'x' })).error_code, 400);
  const u = await s.says('1', 'hi');
  assert.deepEqual((await bot('getUpdates', { offset: 0 })).result.map((x) => x.message.text), ['hi']);
  assert.deepEqual((await bot('getUpdates', { offset: u.id + 1 })).result, []);
  assert.equal((await bot('sendMessage', { chat_id: 1, text: 'x'.repeat(4097) })).error_code, 400);
  s.blocks('1');
  assert.equal((await bot('sendMessage', { chat_id: 1, text: 'x' })).error_code, 403);
  s.faults.per_s = 1;
  s.bucket = { left: 0, at: Date.now() };
  assert.equal((await bot('sendMessage', { chat_id: 1, text: 'x' })).parameters.retry_after, 1);
});

test('whatsapp: signature over escaped text, 24 hours, statuses', async () => {
  const s = await sim('whatsapp');
  await s.says('861', '你好');
  assert.match(shop.got[0].body, /\\u4f60\\u597d/);
  const send = (more, token = s.settings.access_token) => ask(s, 'POST', `/v21.0/${s.settings.phone_number_id}/messages`, { messaging_product: 'whatsapp', to: '861', type: 'text', text: { body: 'x' }, ...more }, { authorization: 'Bearer ' + token });
  assert.equal((await send({}, 'x')).error.code, 190);
  assert.match((await send({})).messages[0].id, /^wamid/);
  assert.equal((await send({ to: '862' })).error.code, 131026);
  assert.equal((await send({ text: { body: 'x'.repeat(4097) } })).error.code, 100);
  s.advance(24 * 3600_000 + 1000);
  assert.equal((await send({})).error.code, 131047);
});

test('line: reply tokens once and for a minute, retry keys, redelivery', async () => {
  const s = await sim('line');
  let n = 0;
  shop.answer = () => [n++ ? 200 : 500, ''];
  const a = await s.says('U1', 'hi');
  assert.deepEqual([a.taken, a.tries], [true, 2]);
  const [first, second] = shop.got.map((c) => JSON.parse(c.body).events[0]);
  assert.deepEqual([first.webhookEventId === second.webhookEventId, first.deliveryContext.isRedelivery, second.deliveryContext.isRedelivery], [true, false, true]);
  const call = (path, body, more = {}) => ask(s, 'POST', '/v2/bot/message/' + path, body, { authorization: 'Bearer ' + s.settings.access_token, ...more });
  const messages = [{ type: 'text', text: 'x' }];
  assert.equal((await call('reply', { replyToken: first.replyToken, messages })).status, 200);
  assert.equal((await call('reply', { replyToken: first.replyToken, messages })).status, 400);
  const key = { 'x-line-retry-key': '123e4567-e89b-12d3-a456-426614174000' };
  assert.equal((await call('push', { to: 'U1', messages }, key)).status, 200);
  assert.equal((await call('push', { to: 'U1', messages }, key)).status, 409);
  assert.equal((await call('push', { to: 'U2', messages })).status, 400);
  assert.equal((await call('push', { to: 'U1', messages: Array(6).fill(messages[0]) })).status, 400);
  assert.equal(s.shown.length, 2);
});

test('slack: ok:false in a 200, Retry-After, what is not escaped is noted', async () => {
  const s = await sim('slack');
  await s.says('UA', 'hi');
  const { channel } = JSON.parse(shop.got[0].body).event;
  const post = (body, token = s.settings.bot_token) => ask(s, 'POST', '/api/chat.postMessage', body, { authorization: 'Bearer ' + token });
  assert.equal((await post({ channel, text: 'x' }, 'x')).error, 'invalid_auth');
  assert.equal((await post({ channel: 'D0', text: 'x' })).error, 'channel_not_found');
  assert.equal((await post({ channel, text: 'a & b' })).ok, true);
  assert.equal(s.refused.at(-1).why, 'text is not escaped');
  s.faults.per_s = 1;
  s.bucket = { left: 0, at: Date.now() };
  const slow = await post({ channel, text: 'x' });
  assert.deepEqual([slow.status, slow.headers.get('retry-after')], [429, '1']);
});

test('http: both ways signed, the same delivery is shown once', async () => {
  const s = await sim('http');
  await s.says('anna', 'hi');
  assert.match(shop.got[0].headers['webhook-signature'], /^v1,/);
  assert.equal((await ask(s, 'POST', '/in', { type: 'message.created', data: { to: 'anna', text: 'x' } })).status, 401);
});

test('any: down, 502, lost answers, repeats, another order, forgeries', async () => {
  const s = await sim('http');
  s.faults.down = true;
  await down(ask(s, 'GET', '/'));
  s.faults.down = '502';
  assert.equal((await ask(s, 'GET', '/')).status, 502);
  s.faults.down = false;
  s.faults.lose_answers = 1;
  await down(ask(s, 'POST', '/in', {}));
  assert.equal((await ask(s, 'POST', '/in', {})).status, 401);
  s.faults.repeat = 2;
  const a = await s.says('anna', 'thrice');
  assert.equal(shop.got.length, 3);
  s.faults.repeat = 0;
  await s.again(a.id);
  assert.equal(new Set(shop.got.map((c) => JSON.parse(c.body).data.id)).size, 1);
  shop.got = [];
  s.faults.reorder = 3;
  await Promise.all(['a', 'b', 'c'].map((t) => s.says('anna', t)));
  assert.deepEqual(shop.got.map((c) => JSON.parse(c.body).data.text), ['c', 'b', 'a']);
  s.faults.reorder = 0;
  s.faults.forge = 1;
  shop.answer = () => [401, ''];
  assert.deepEqual([(await s.says('anna', 'x')).tries, s.lost.at(-1).forged], [1, true]);
});

test('the control door: sets faults, says what is shown, lets no page in', async () => {
  const sims = new Map([['http', await sim('http')]]);
  const door = await control(sims);
  open.push(door);
  const call = async (path, body) => {
    const r = await fetch(door.url + path, body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) });
    return { status: r.status, ...(await r.json()) };
  };
  assert.equal((await call('/http/faults', { per_s: 5 })).per_s, 5);
  assert.match((await call('/http/faults', { nonsense: 1 })).error, /there is no fault/);
  assert.match((await call('/http/faults', { slow_ms: 'x' })).error, /cannot be/);
  assert.equal((await call('/http/nonsense', {})).status, 404);
  assert.equal((await call('/nobody/state')).status, 404);
  const waiting = call('/http/shown?after=0&wait_ms=5000');
  const http_sim = sims.get('http');
  while (!http_sim.listenerCount('shown')) await new Promise((r) => setImmediate(r));
  http_sim.show('anna', { kind: 'text', text: 'seen' });
  assert.equal((await waiting).items[0].text, 'seen');
  assert.equal((await fetch(door.url + '/', { headers: { origin: 'https://evil.example' } })).status, 403);
});

test('the player: texts, files, repeats, faults, what it does not know', async () => {
  const calls = [];
  const said = [];
  const line = player({
    customer: 'c1', say: (l) => said.push(l),
    call: async (what, body) => {
      calls.push([what, body]);
      return what === 'says' ? { id: 'm1', taken: true, tries: 1 } : what === 'again' ? { taken: false, status: 500 } : { ok: true, now: 1000 };
    },
  });
  for (const l of ['hello', '', '/repeat', '/down 60', '/expire', '/as u2 Uma', '/nonsense', '/throttle x', '/image', '/send {"type":"event"}']) assert.equal(await line(l), true);
  assert.equal(await line('/quit'), false);
  assert.deepEqual(calls.map((c) => c[0]), ['says', 'again', 'state', 'faults', 'expire', 'says']);
  assert.deepEqual([calls[0][1].user, calls[0][1].message, calls[1][1].id, calls[3][1].down, calls[5][1].user], ['c1', 'hello', 'm1', 61000, 'u2']);
  assert.match(said.join('\n'), /did not take it: HTTP 500[\s\S]*no \/nonsense[\s\S]*N is a number[\s\S]*\/image FILE/);
});

test('every platform has its settings, and is found by name', async () => {
  for (const name of platforms()) {
    const s = await sim(name);
    assert.equal(s.name, name);
    assert.ok(Object.keys(s.config).length > 1, name);
    await s.says(undefined, 'hello');
    assert.ok(shop.got.length > 0, name);
  }
  await assert.rejects(start('nonsense'), /there is no simulator "nonsense"/);
});
