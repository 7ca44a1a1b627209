// SPDX-License-Identifier: Apache-2.0
// Feishu / Lark, from its side: events sealed with the Encrypt Key and signed, or
// plain with the Verification Token; a tenant token; uuid as idempotency key.
import { lark_seal, sha256 } from '../lib/crypto.mjs';
import { as_file, misfit, png } from '../lib/media.mjs';
import { Platform, hex, json, multipart, parse } from '../lib/platform.mjs';

const said = (code, msg, data, status) => json({ code, msg, ...(data ? { data } : {}) }, status ?? (code ? 400 : 200));

const IMAGES = [10, 'image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/bmp'];
const FILES = { opus: [30, 'audio/ogg'], mp4: [30, 'video/mp4'], pdf: [30], doc: [30], xls: [30], ppt: [30], stream: [30] };
/** Of each type of message: its key, and as what the file must have been uploaded. */
const SHOWS = { image: ['image_key', (as) => as === 'image'], file: ['file_key', (as) => !['image', 'opus', 'mp4'].includes(as)], audio: ['file_key', (as) => as === 'opus'], media: ['file_key', (as) => as === 'mp4'] };

class Feishu extends Platform {
  constructor(given) {
    super('feishu', given, { app_id: 'cli_' + hex(8), app_secret: hex(16), encrypt_key: hex(8), verification_token: hex(8), sealed: true, token_life_s: 7200, customer: 'ou_anna0001' });
    this.uuids = new Map();
    this.on_call('POST', '/open-apis/auth/v3/tenant_access_token/internal', (c) => this.#token(c));
    this.on_call('POST', '/open-apis/im/v1/messages', (c) => this.#signed(c) ?? this.#send(c));
    this.on_call('POST', /^\/open-apis\/im\/v1\/messages\/([^/]+)\/reply$/, (c) => this.#signed(c) ?? this.#send(c));
    this.on_call('DELETE', /^\/open-apis\/im\/v1\/messages\/([^/]+)$/, (c) => this.#signed(c) ?? this.#delete(c.part[0]));
    this.on_call('POST', '/open-apis/im/v1/images', (c) => this.#signed(c) ?? this.#upload(c, 'image', 'image_key'));
    this.on_call('POST', '/open-apis/im/v1/files', (c) => this.#signed(c) ?? this.#upload(c, 'file', 'file_key'));
    this.on_call('GET', /^\/open-apis\/im\/v1\/messages\/([^/]+)\/resources\/([^/]+)$/, (c) => this.#signed(c) ?? this.#download(c));
  }
  get config() {
    const s = this.settings;
    return { app_id: s.app_id, app_secret: s.app_secret, verification_token: s.verification_token, ...(s.sealed ? { encrypt_key: s.encrypt_key } : {}), api: this.url };
  }
  /** A new one is given out when less than 30 minutes remain. */
  #token(c) {
    const b = parse(c.body) ?? {};
    if (b.app_id !== this.settings.app_id) return said(10003, 'invalid param', undefined, 200);
    if (b.app_secret !== this.settings.app_secret) return said(10014, 'app secret invalid', undefined, 200);
    const t = this.tokens.get(this.current);
    if (!t || t.invalid || t.till - this.now() < 1800_000) this.current = this.issue(this.settings.token_life_s, 't-');
    return json({ code: 0, msg: 'ok', tenant_access_token: this.current, expire: Math.floor((this.tokens.get(this.current).till - this.now()) / 1000) });
  }
  #signed(c) {
    const token = /^Bearer (.+)$/.exec(c.headers.authorization ?? '')?.[1];
    if (!token) return said(99991661, 'Missing access token for authorization.');
    if (this.state_of(token) !== 'good') return said(99991663, 'Invalid access token for authorization.');
    if (this.is_throttled()) return { ...said(99991400, 'request trigger frequency limit', undefined, 429), headers: { 'content-type': 'application/json', 'x-ogw-ratelimit-limit': String(this.faults.per_s), 'x-ogw-ratelimit-reset': '1' } };
    return null;
  }
  #send(c) {
    const b = parse(c.body) ?? {};
    const no = (code, msg) => (this.refuse(msg, c.body.toString().slice(0, 200)), said(code, msg));
    const planned = this.planned_error();
    if (planned !== undefined) return no(planned, 'planned');
    const content = typeof b.content === 'string' ? parse(b.content) : undefined;
    if (!content) return no(230001, 'Your request contains an invalid request parameter: content');
    const user = c.part[0] ? this.messages?.get(c.part[0]) : b.receive_id;
    if (!c.part[0] && !['open_id', 'chat_id', 'user_id', 'union_id'].includes(c.query.receive_id_type)) return no(99992402, 'field validation failed: receive_id_type');
    if (!this.customers.has(user) && !this.chats?.has(user)) return no(230002, 'The bot can not be outside the group / no such user.');
    if (b.uuid !== undefined && (typeof b.uuid !== 'string' || b.uuid.length > 50)) return no(230001, 'invalid request parameter: uuid');
    const shows = SHOWS[b.msg_type];
    const media = shows && this.media.get(content[shows[0]]);
    const good = b.msg_type === 'text' ? typeof content.text === 'string' && content.text : shows ? media : ['interactive', 'post'].includes(b.msg_type);
    if (!good) return no(230001, 'invalid request parameter: msg_type');
    if (media && !shows[1](media.as)) return no(230055, "The type of file upload does not match the type of message being sent.");
    const known = this.uuids.get(b.uuid);
    if (known && this.now() - known.at < 3600_000) return said(0, 'success', { message_id: known.id });
    const id = 'om_' + hex(16);
    if (b.uuid) this.uuids.set(b.uuid, { id, at: this.now() });
    this.show(user, { kind: b.msg_type, text: content.text ?? `[${b.msg_type}] ${media?.name ?? ''}`, body: content, id });
    return said(0, 'success', { message_id: id });
  }
  #delete(id) {
    const planned = this.planned_error();
    if (planned !== undefined) return said(planned, 'planned');
    for (const user of this.customers.keys()) if (this.take_back(user, id)) return said(0, 'success', {});
    return said(230110, 'Action unavailable as the message has been deleted.');
  }
  #upload(c, field, key) {
    const file = multipart(c);
    const no = (code, msg) => (this.refuse(msg, `${field} ${file?.name} ${file?.data?.length} ${JSON.stringify(file?.fields)}`), said(code, msg));
    const as = field === 'image' ? (file?.fields.image_type === 'message' ? 'image' : '') : file?.fields.file_type;
    const rule = field === 'image' ? IMAGES : FILES[as];
    if (file?.field !== field || !as || !rule || (field === 'file' && !file.fields.file_name)) return no(234001, 'Invalid request param.');
    if (!file.data.length) return no(234010, "File's size can't be 0.");
    const wrong = misfit(file.data, rule);
    if (wrong) return wrong === 'size' ? no(234006, 'The file size exceed the max value.') : no(field === 'image' ? 234011 : 234001, "Can't recognize the format.");
    this.count.uploads = (this.count.uploads ?? 0) + 1;
    const id = this.keep_file(file.fields.file_name ?? file.name, file.type, file.data);
    this.media.get(id).as = as;
    return said(0, 'success', { [key]: id });
  }
  #download(c) {
    const m = this.media.get(c.part[1]);
    if (this.faults.media > 0 && this.faults.media--) return json({ code: 99991400, msg: 'request trigger frequency limit' }, 429, { 'x-ogw-ratelimit-reset': '1' });
    if (!['image', 'file'].includes(c.query.type)) return said(234001, 'Invalid request param.');
    if (!m || m.message !== c.part[0] || (m.from === 'image') !== (c.query.type === 'image')) return said(234003, 'File not in msg.');
    return as_file(m);
  }

  // --- events -------------------------------------------------------------------
  #event(type, event, id) {
    return this.#post({ schema: '2.0', header: { event_id: id, event_type: type, create_time: String(this.now()), token: this.settings.verification_token, app_id: this.settings.app_id, tenant_key: 'tenant1' }, event }, id);
  }
  #post(body, id, takes) {
    const s = this.settings;
    const make = (forged) => {
      const raw = JSON.stringify(s.sealed ? { encrypt: lark_seal(s.encrypt_key, JSON.stringify(body)) } : forged ? { ...body, header: { ...body.header, token: 'somebody-elses' } } : body);
      const [ts, nonce] = [String(this.now_s()), hex(6)];
      const headers = { 'content-type': 'application/json' };
      if (s.sealed) Object.assign(headers, { 'x-lark-request-timestamp': ts, 'x-lark-request-nonce': nonce, 'x-lark-signature': sha256(ts, nonce, forged ? 'somebody-elses' : s.encrypt_key, raw) });
      return { body: raw, headers };
    };
    return this.push(id, make, { takes: takes ?? ((a) => a.status === 200), tries: [15_000, 300_000, 3600_000, 6 * 3600_000], deadline_ms: 3000 }).then((a) => ({ ...a, id }));
  }
  says(user = this.settings.customer, message = '你好', name) {
    this.heard(user, name);
    const m = typeof message === 'string' ? { type: 'text', text: message } : message;
    const id = 'om_' + hex(12);
    const keep = (name, mime, data, from) => {
      const key = this.keep_file(name ?? 'file.bin', mime ?? 'image/png', data ?? png());
      Object.assign(this.media.get(key), { message: id, from });
      return key;
    };
    const file = m.gone ? hex(16) : ['image', 'file', 'audio', 'media'].includes(m.type) ? keep(m.name, m.mime, m.data, m.type) : undefined;
    const lines = m.type === 'post' ? m.lines.map((l) => l.map((p) => (p.data ? { tag: 'img', image_key: keep('i.png', 'image/png', p.data, 'image') } : { tag: 'text', text: p }))) : [];
    const content = { text: { text: m.text }, image: { image_key: file }, file: { file_key: file, file_name: m.name }, audio: { file_key: file, duration: 2000 }, media: { file_key: file, image_key: file, file_name: m.name, duration: 2000 }, post: { title: m.title ?? '', content: lines }, location: { name: m.label, longitude: String(m.lng), latitude: String(m.lat) } }[m.type];
    if (!content) throw new Error(`feishu: nobody can send ${m.type}`);
    const chat = m.chat ?? 'oc_' + user;
    if (m.chat) (this.chats ??= new Set()).add(m.chat);
    (this.messages ??= new Map()).set(id, m.chat ?? user);
    return this.#event('im.message.receive_v1', {
      sender: { sender_id: { open_id: user, union_id: 'on_' + user }, sender_type: 'user', tenant_key: 'tenant1' },
      message: { message_id: id, create_time: String(this.now()), chat_id: chat, chat_type: m.chat ? 'group' : 'p2p', message_type: m.type, content: JSON.stringify(content), mentions: m.chat ? [{ key: '@_user_1', id: { open_id: 'ou_bot' }, name: '客服' }] : [] },
    }, hex(16)).then((a) => ({ ...a, message: id, chat }));
  }
  recalls(user, message_id, chat = 'oc_' + user) {
    return this.#event('im.message.recalled_v1', { message_id, chat_id: chat, recall_time: String(this.now()), recall_type: 'message_owner' }, hex(16));
  }
  reads(user, ids) {
    return this.#event('im.message.message_read_v1', { reader: { reader_id: { open_id: user }, read_time: String(this.now()) }, message_id_list: ids }, hex(16));
  }
  async verify() {
    const challenge = hex(12);
    const a = await this.#post({ type: 'url_verification', challenge, token: this.settings.verification_token }, 'verify', (r) => r.status === 200 && parse(r.body)?.challenge === challenge);
    return a.taken;
  }
}

export const start = (given) => new Feishu(given).open();
