// SPDX-License-Identifier: Apache-2.0
// A DingTalk robot, from DingTalk's side: callbacks signed with the app's secret,
// a session webhook that ends, the robot's own interface, sealed events.
import { hmac, open as unseal, seal, sorted_sha1 } from '../lib/crypto.mjs';
import { misfit, png } from '../lib/media.mjs';
import { Platform, hex, json, multipart, parse } from '../lib/platform.mjs';

const said = (status, code, message) => json({ code, requestid: hex(8), message }, status);

/** What media/upload takes of each type: MB, and what is in it. */
const UPLOADS = { image: [20, 'image/png', 'image/jpeg', 'image/gif', 'image/bmp'], voice: [2, 'audio/amr', 'audio/mpeg'], video: [20, 'video/mp4'], file: [20] };
const FILE_TYPES = ['xlsx', 'pdf', 'zip', 'rar', 'doc', 'docx'];

class DingTalk extends Platform {
  constructor(given) {
    super('dingtalk', given, {
      app_key: 'ding' + hex(8), app_secret: hex(16), robot_code: undefined, token: hex(6), encoding_aes_key: '4g5j64qlyl3zvetqxz5jiocdr586fn2zvjpa8zls3ij',
      token_life_s: 7200, session_life_s: 5400, customer: 'anna01', // staff ids have no colon
    });
    this.sessions = new Map();
    this.on_call('POST', '/v1.0/oauth2/accessToken', (c) => this.#token(c));
    this.on_call('POST', '/v1.0/robot/oToMessages/batchSend', (c) => this.#signed(c) ?? this.#batch(c));
    this.on_call('POST', '/v1.0/robot/groupMessages/send', (c) => this.#signed(c) ?? this.#group(c));
    this.on_call('POST', '/v1.0/robot/messageFiles/download', (c) => this.#signed(c) ?? this.#download(c));
    this.on_call('POST', '/media/upload', (c) => this.#upload(c));
    this.on_call('POST', '/robot/sendBySession', (c) => this.#by_session(c));
    this.on_call('GET', /^\/file\/(\w+)$/, (c) => ({ status: 200, headers: { 'content-type': this.media.get(c.part[0])?.type ?? 'text/plain' }, body: this.media.get(c.part[0])?.data ?? '' }));
  }
  get config() {
    const s = this.settings;
    return { app_key: s.app_key, app_secret: s.app_secret, token: s.token, encoding_aes_key: s.encoding_aes_key, api: this.url };
  }
  get robot() {
    return this.settings.robot_code ?? this.settings.app_key;
  }
  #token(c) {
    const b = parse(c.body) ?? {};
    if (b.appKey !== this.settings.app_key || b.appSecret !== this.settings.app_secret) return said(400, 'invalidClientIdOrSecret', '无效的clientId或者clientSecret');
    if (this.state_of(this.current) !== 'good') this.current = this.issue(this.settings.token_life_s);
    return json({ accessToken: this.current, expireIn: Math.floor((this.tokens.get(this.current).till - this.now()) / 1000) });
  }
  #signed(c) {
    if (this.state_of(c.headers['x-acs-dingtalk-access-token']) !== 'good') return said(401, 'InvalidAuthentication', '不合法的access_token');
    return this.is_throttled() ? said(429, 'Throttling.User', 'too many requests') : null;
  }
  #param(b) {
    if (b.robotCode !== this.robot) return said(400, 'robotCode.invalid', 'robotCode不合法');
    const p = typeof b.msgParam === 'string' ? parse(b.msgParam) : undefined;
    const alive = (id, as) => this.media.get(id)?.as === as && this.now() - this.media.get(id).at < 72 * 3600_000;
    const good = { sampleText: () => p.content, sampleImageMsg: () => /^https?:/.test(p.photoURL) || alive(p.photoURL, 'image'), sampleFile: () => alive(p.mediaId, 'file') && p.fileName && FILE_TYPES.includes(p.fileType) }[b.msgKey];
    if (!p || !good?.()) return said(400, 'invalidParameter', 'msgParam不合法');
    const planned = this.planned_error();
    return planned === undefined ? null : said(planned === 'ServiceUnavailable' ? 503 : 400, String(planned), 'planned');
  }
  #batch(c) {
    const b = parse(c.body) ?? {};
    const no = this.#param(b);
    if (no) return (this.refuse('batchSend', no.body), no);
    const invalid = (b.userIds ?? []).filter((id) => !this.customers.has(id) || id.startsWith('$:'));
    for (const id of b.userIds ?? []) if (!invalid.includes(id)) this.#shows(id, b);
    return json({ processQueryKey: hex(12), invalidStaffIdList: invalid, flowControlledStaffIdList: [] });
  }
  #group(c) {
    const b = parse(c.body) ?? {};
    const no = this.#param(b);
    if (no) return (this.refuse('groupMessages', no.body), no);
    if (!this.groups?.has(b.openConversationId)) return said(400, 'invalidParameter.openConversationId', 'openConversationId不合法');
    this.#shows(b.openConversationId, b);
    return json({ processQueryKey: hex(12) });
  }
  #shows(to, b) {
    const p = parse(b.msgParam);
    const kind = { sampleText: 'text', sampleImageMsg: 'image', sampleFile: 'file' }[b.msgKey];
    this.show(to, { kind, text: p.content ?? `[${kind}] ${p.fileName ?? this.media.get(p.photoURL)?.name ?? p.photoURL}`, body: p, by: 'robot' });
  }
  #upload(c) {
    const state = this.state_of(c.query.access_token);
    if (state !== 'good') return json({ errcode: state === 'expired' ? 42001 : 40014, errmsg: '不合法的access_token' });
    const rule = UPLOADS[c.query.type];
    const file = multipart(c);
    const no = (errcode, errmsg) => (this.refuse(errmsg, `${c.query.type} ${file?.name} ${file?.data?.length}`), json({ errcode, errmsg }));
    if (!rule) return no(40004, '不合法的媒体文件类型');
    if (!file?.data || file.field !== 'media' || !file.name) return no(40035, '不合法的参数');
    const wrong = misfit(file.data, rule);
    if (wrong) return wrong === 'size' ? no(40006, '不合法的文件大小') : no(40005, '不合法的文件类型');
    this.count.uploads = (this.count.uploads ?? 0) + 1;
    const id = '@' + hex(12);
    this.media.set(id, { id, name: file.name, type: file.type, data: file.data, at: this.now(), as: c.query.type });
    return json({ errcode: 0, errmsg: 'ok', type: c.query.type, media_id: id, created_at: this.now() });
  }
  #by_session(c) {
    const session = this.sessions.get(c.query.session);
    const b = parse(c.body) ?? {};
    if (!session || session.till < this.now()) return json({ errcode: 400101, errmsg: 'session expired' });
    if (this.is_throttled()) return json({ errcode: 130101, errmsg: 'send too fast, exceed 20 times per minute' });
    const planned = this.planned_error();
    if (planned !== undefined) return json({ errcode: planned, errmsg: 'planned' });
    if (!['text', 'markdown'].includes(b.msgtype) || !(b.text?.content ?? b.markdown?.text)) return (this.refuse('sendBySession', c.body.toString().slice(0, 200)), json({ errcode: 310000, errmsg: 'param error' }));
    this.show(session.to, { kind: b.msgtype, text: b.text?.content ?? b.markdown.text, by: 'session', at_users: b.at?.atUserIds });
    return json({ errcode: 0, errmsg: 'ok' });
  }
  #download(c) {
    const b = parse(c.body) ?? {};
    if (this.faults.media > 0 && this.faults.media--) return said(429, 'Throttling.User', 'too many requests');
    if (b.robotCode !== this.robot) return said(400, 'robotCode.invalid', 'robotCode不合法');
    if (!this.media.has(b.downloadCode)) return said(400, 'invalidParameter.downloadCode', 'downloadCode不合法');
    return json({ downloadUrl: `${this.url}/file/${b.downloadCode}` });
  }

  // --- callbacks ------------------------------------------------------------------
  says(user = this.settings.customer, message = '你好', name) {
    const c = this.heard(user, name);
    const m = typeof message === 'string' ? { type: 'text', text: message } : message;
    const to = m.chat ?? user;
    if (m.chat) (this.groups ??= new Set()).add(m.chat);
    const session = hex(16);
    const till = this.now() + this.settings.session_life_s * 1000;
    this.sessions.set(session, { to, till });
    const code = (x) => (m.gone ? hex(16) : this.keep_file(x.name ?? 'file.bin', x.mime ?? 'image/png', x.data ?? png()));
    const file = () => ({ content: { downloadCode: code(m), fileName: m.name } });
    const rich = (p) => (p.data ? { type: 'picture', downloadCode: code(p) } : p);
    const content = { text: () => ({ text: { content: ' ' + m.text } }), picture: () => ({ content: { downloadCode: code(m) } }), file, audio: () => ({ content: { downloadCode: code(m), duration: 2000, recognition: m.text } }), video: () => ({ content: { downloadCode: code(m), duration: 2, videoType: 'mp4' } }), richText: () => ({ content: { richText: m.parts.map(rich) } }) }[m.type === 'image' ? 'picture' : m.type];
    if (!content) throw new Error(`dingtalk: nobody can send ${m.type}`);
    const body = JSON.stringify({
      msgId: 'msg' + hex(10), msgtype: m.type === 'image' ? 'picture' : m.type, ...content(), conversationId: m.chat ?? 'cid' + user, conversationType: m.chat ? '2' : '1', senderId: '$:LWCP_v1:$' + user, senderStaffId: user, senderNick: c.name,
      chatbotUserId: 'bot', robotCode: this.robot, createAt: this.now(), sessionWebhook: `${this.url}/robot/sendBySession?session=${session}`, sessionWebhookExpiredTime: till,
    });
    const make = (forged) => {
      const ts = String(this.now());
      return { body, headers: { 'content-type': 'application/json', timestamp: ts, sign: hmac(forged ? 'somebody-elses' : this.settings.app_secret, `${ts}\n${this.settings.app_secret}`, 'base64') } };
    };
    return this.push(parse(body).msgId, make, { tries: [] }).then((a) => ({ ...a, id: parse(body).msgId }));
  }
  /** The address of events is saved: it must answer the sealed word. */
  async verify() {
    const s = this.settings;
    const sealed = seal(s.encoding_aes_key, JSON.stringify({ EventType: 'check_url' }), s.app_key);
    const make = () => {
      const [timestamp, nonce] = [String(this.now()), hex(4)];
      return { query: { msg_signature: sorted_sha1(s.token, timestamp, nonce, sealed), signature: sorted_sha1(s.token, timestamp, nonce, sealed), timestamp, nonce }, body: JSON.stringify({ encrypt: sealed }), headers: { 'content-type': 'application/json' } };
    };
    const a = await this.push('check_url', make, { takes: (r) => {
      const x = parse(r.body);
      return r.status === 200 && x?.encrypt && x.msg_signature === sorted_sha1(s.token, x.timeStamp, x.nonce, x.encrypt) && unseal(s.encoding_aes_key, x.encrypt).message === 'success';
    } });
    return a.taken;
  }
}

export const start = (given) => new DingTalk(given).open();
