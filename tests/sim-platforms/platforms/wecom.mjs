// SPDX-License-Identifier: Apache-2.0
// WeCom customer service (微信客服), from WeCom's side: a sealed callback that says
// only "there is news", sync_msg by a cursor, session states, send_msg with
// msgid as its idempotency key, 48 h and 5 for each word of the customer.
import { open as unseal, seal, sorted_sha1, to_xml } from '../lib/crypto.mjs';
import { as_file, misfit, png } from '../lib/media.mjs';
import { Platform, hex, json, multipart, parse } from '../lib/platform.mjs';

const HOUR = 3600_000;
const TEXTS = {
  '-1': 'system busy', 40001: 'invalid credential', 40013: 'invalid corpid', 40014: 'invalid access_token', 40058: 'invalid Request Parameter', 41001: 'access_token missing', 42001: 'access_token expired',
  40007: 'invalid media_id', 40201: 'sensitive content', 45009: 'api freq out of limit', 95000: 'invalid open_kfid', 95001: 'send msg session count limit', 95002: 'send msg session time limit', 95007: 'invalid msg token',
  95008: 'menu too long', 95013: 'conversation end', 95014: 'user is not a servicer', 95016: 'not allow to trans', 95018: 'send msg session status invalid', 95030: 'msg type forbidden', 45002: 'content size out of limit',
};
const err = (code) => json({ errcode: code, errmsg: `${TEXTS[code] ?? 'error'}, hint: [${hex(6)}]` });
const OK = { errcode: 0, errmsg: 'ok' };
/** What media/upload takes of each type: MB, and what is in it. */
const UPLOADS = { image: [10, 'image/png', 'image/jpeg'], voice: [2, 'audio/amr'], video: [10, 'video/mp4'], file: [20] };
const MOVES = { 0: [1, 2, 3], 1: [2, 3, 4], 2: [3, 4], 3: [3, 4], 4: [] };
const bytes = (s) => Buffer.byteLength(s ?? '');
const KINDS = {
  text: (o) => (!o.content ? 40058 : bytes(o.content) > 2048 ? 45002 : 0),
  image: 'media', voice: 'media', video: 'media', file: 'media',
  link: (o) => (o.title && o.url && bytes(o.title) <= 128 && bytes(o.desc) <= 512 ? 0 : 40058),
  miniprogram: (o) => (o.appid && o.thumb_media_id && o.pagepath ? 0 : 40058),
  location: (o) => (o.name && Number.isFinite(o.latitude) && Number.isFinite(o.longitude) ? 0 : 40058),
  msgmenu: (o) => (o.list?.length > 10 ? 95008 : o.list?.every((x) => x.type && (x.type !== 'click' || (x.click?.id && bytes(x.click.content) <= 128))) ? 0 : 40058),
};

class WeCom extends Platform {
  constructor(given) {
    super('wecom', given, {
      corpid: 'ww0123456789abcdef', secret: hex(22), token: hex(8), encoding_aes_key: 'jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C',
      open_kfid: 'wkAAAAkf01', token_life_s: 7200, per_message: 5, customer: 'wmANNA00000000000000000001',
    });
    this.news = []; // what sync_msg gives; a cursor is a place in it
    this.msgids = new Map();
    this.codes = new Map();
    this.servicers = new Set(['zhangsan']);
    this.on_call('GET', '/cgi-bin/gettoken', (c) => this.#token(c));
    const kf = (name, work) => this.on_call('POST', '/cgi-bin/kf/' + name, (c) => this.#signed(c) ?? work(parse(c.body) ?? {}));
    kf('sync_msg', (b) => this.#sync(b));
    kf('send_msg', (b) => this.#send(b));
    kf('send_msg_on_event', (b) => this.#on_event(b));
    kf('recall_msg', (b) => this.#recall(b));
    kf('service_state/get', (b) => this.#known(b) ?? json({ ...OK, service_state: this.customer(b.external_userid).state ?? 0 }));
    kf('service_state/trans', (b) => this.#trans(b));
    kf('account/list', () => json({ ...OK, account_list: [{ open_kfid: this.settings.open_kfid, name: '客服', manage_privilege: true }] }));
    kf('customer/batchget', (b) => json({ ...OK, customer_list: (b.external_userid_list ?? []).filter((id) => this.customers.has(id)).map((id) => ({ external_userid: id, nickname: this.customers.get(id).name, avatar: '', gender: 0 })), invalid_external_userid: [] }));
    this.on_call('POST', '/cgi-bin/media/upload', (c) => this.#signed(c) ?? this.#upload(c));
    this.on_call('GET', '/cgi-bin/media/get', (c) => this.#signed(c) ?? this.#download(c));
  }
  get config() {
    const s = this.settings;
    return { corpid: s.corpid, secret: s.secret, token: s.token, encoding_aes_key: s.encoding_aes_key, open_kfid: s.open_kfid, api: this.url };
  }

  #token(c) {
    const s = this.settings;
    if (c.query.corpid !== s.corpid) return err(40013);
    if (c.query.corpsecret !== s.secret) return err(40001);
    if (this.state_of(this.current) !== 'good') this.current = this.issue(s.token_life_s);
    return json({ ...OK, access_token: this.current, expires_in: Math.floor((this.tokens.get(this.current).till - this.now()) / 1000) });
  }
  #signed(c) {
    if (!c.query.access_token) return err(41001);
    const state = this.state_of(c.query.access_token);
    if (state !== 'good') return err(state === 'expired' ? 42001 : 40014);
    return this.is_throttled() ? err(45009) : null;
  }
  #known(b) {
    if (b.open_kfid !== this.settings.open_kfid) return err(95000);
    return this.customers.has(b.external_userid ?? b.touser) ? null : err(40058);
  }

  // --- news ---------------------------------------------------------------------
  #sync(b) {
    if (b.open_kfid !== undefined && b.open_kfid !== this.settings.open_kfid) return err(95000);
    if (b.token && !(this.codes.get('sync:' + b.token) > this.now())) return err(95007);
    const from = b.cursor ? Number(/^C(\d+)$/.exec(b.cursor)?.[1] ?? NaN) : 0;
    if (Number.isNaN(from)) return err(40058);
    const limit = Math.min(b.limit || 1000, this.settings.page ?? 1000);
    const to = Math.min(from + limit, this.news.length);
    const floor = this.now() / 1000 - 3 * 24 * 3600;
    return json({ ...OK, next_cursor: 'C' + to, has_more: to < this.news.length ? 1 : 0, msg_list: this.news.slice(from, to).filter((m) => m.send_time > floor) });
  }
  /** Puts it on the list and says so. */
  #tell(message) {
    const msgid = 'm' + hex(12);
    // Whoever forges a callback cannot put anything on WeCom's list.
    if (!this.faults.forge) this.news.push({ msgid, open_kfid: this.settings.open_kfid, send_time: this.now_s(), ...message });
    return this.notify(msgid).then((a) => ({ ...a, id: msgid }));
  }
  notify(what = 'news') {
    const s = this.settings;
    const token = 'ENC' + hex(16);
    this.codes.set('sync:' + token, this.now() + 600_000);
    const make = (forged) => {
      const [timestamp, nonce] = [String(this.now_s()), hex(5)];
      const sealed = seal(s.encoding_aes_key, to_xml({ ToUserName: s.corpid, CreateTime: this.now_s(), MsgType: 'event', Event: 'kf_msg_or_event', Token: token, OpenKfId: s.open_kfid }), s.corpid);
      return { query: { msg_signature: sorted_sha1(forged ? 'somebody-elses' : s.token, timestamp, nonce, sealed), timestamp, nonce }, body: to_xml({ ToUserName: s.corpid, Encrypt: sealed, AgentID: 1000002 }), headers: { 'content-type': 'text/xml' } };
    };
    return this.push(what, make, { takes: (a) => a.status === 200, tries: [5000, 5000, 5000] });
  }

  // --- answers ------------------------------------------------------------------
  #send(b) {
    const no = this.#judge(b);
    if (no) {
      this.refuse(JSON.parse(no.body).errmsg, JSON.stringify(b).slice(0, 200));
      return no;
    }
    const customer = this.customers.get(b.touser);
    customer.answers++;
    if ((customer.state ?? 0) === 0) customer.state = 1;
    const msgid = b.msgid ?? hex(12);
    this.msgids.set(msgid, true);
    this.show(b.touser, { kind: b.msgtype, text: this.text_of(b), body: b[b.msgtype], id: msgid });
    return json({ ...OK, msgid });
  }
  /** Within two minutes. */
  #recall(b) {
    const planned = this.planned_error();
    if (planned !== undefined) return err(planned);
    if (b.open_kfid !== this.settings.open_kfid) return err(95000);
    for (const user of this.customers.keys()) if (this.take_back(user, b.msgid, 120_000)) return json(OK);
    return (this.refuse('nothing to recall', b.msgid), err(40058));
  }
  #judge(b) {
    const planned = this.planned_error();
    if (planned !== undefined) return err(planned);
    const known = this.#known(b);
    if (known) return known;
    if (b.msgid !== undefined && !/^[0-9a-zA-Z_-]{1,32}$/.test(b.msgid)) return err(40058);
    if (b.msgid !== undefined && this.msgids.has(b.msgid)) return json({ errcode: 40058, errmsg: 'msgid duplicated' });
    const bad = this.#kind(b);
    if (bad) return err(bad);
    const customer = this.customers.get(b.touser);
    const state = customer.state ?? 0;
    if (state === 4) return err(95013);
    if (state > 1) return err(95018);
    if (this.now() - customer.heard_at > 48 * HOUR) return err(95002);
    return customer.answers >= this.settings.per_message ? err(95001) : null;
  }
  #kind(b) {
    const kind = KINDS[b.msgtype];
    const o = b[b.msgtype];
    if (!kind || !o) return 40058;
    return kind === 'media' ? (this.#alive(o.media_id) ? 0 : 40007) : kind(o);
  }
  text_of(b) {
    const o = b[b.msgtype];
    if (b.msgtype === 'text') return o.content;
    if (b.msgtype === 'msgmenu') return [o.head_content, ...o.list.map((x) => `[${x[x.type].content}]`), o.tail_content].filter(Boolean).join('\n');
    if (b.msgtype === 'location') return `[location] ${o.name}`;
    return `[${b.msgtype}] ${this.media.get(o.media_id)?.name ?? o.title ?? ''}`;
  }
  #on_event(b) {
    const code = this.codes.get('event:' + b.code);
    if (!code || code.till < this.now()) return json({ errcode: 40058, errmsg: 'invalid code' });
    if (b.msgtype !== 'text' && b.msgtype !== 'msgmenu') return err(95030);
    this.codes.delete('event:' + b.code);
    const msgid = b.msgid ?? hex(12);
    this.show(code.user, { kind: b.msgtype, text: this.text_of(b), id: msgid, welcome: true });
    return json({ ...OK, msgid });
  }
  #trans(b) {
    const no = this.#known(b);
    if (no) return no;
    const customer = this.customers.get(b.external_userid);
    const to = b.service_state;
    if (!MOVES[customer.state ?? 0].includes(to)) return err(95016);
    if (to === 3 && !this.servicers.has(b.servicer_userid)) return err(95014);
    customer.state = to;
    return json(to === 1 ? OK : { ...OK, msg_code: hex(12) });
  }

  // --- files ----------------------------------------------------------------------
  #alive(id) {
    const m = this.media.get(id);
    return m && this.now() - m.at < 72 * HOUR ? m : undefined;
  }
  #upload(c) {
    const rule = UPLOADS[c.query.type];
    const file = multipart(c);
    const no = (errcode, errmsg) => (this.refuse(errmsg, `${c.query.type} ${file?.name} ${file?.data?.length}`), json({ errcode, errmsg }));
    if (!rule) return no(40004, 'invalid media type');
    if (!file?.data || file.field !== 'media' || !file.name) return no(41005, 'media data missing');
    const wrong = misfit(file.data, rule, 6);
    if (wrong) return wrong === 'size' ? no(40006, 'invalid file size') : no(40005, 'invalid file type');
    this.count.uploads = (this.count.uploads ?? 0) + 1;
    return json({ ...OK, type: c.query.type, media_id: this.keep_file(file.name, file.type, file.data), created_at: String(this.now_s()) });
  }
  #download(c) {
    const m = this.#alive(c.query.media_id);
    if (this.faults.media > 0 && this.faults.media--) return err(-1);
    return m ? as_file(m) : err(40007);
  }

  // --- what customers do --------------------------------------------------------
  says(user = this.settings.customer, message = '你好', name) {
    const c = this.heard(user, name);
    if (c.state === 4) c.state = 0;
    const m = typeof message === 'string' ? { type: 'text', text: message } : message;
    const media = () => ({ media_id: this.keep_file(m.name ?? 'file.bin', m.mime ?? 'image/png', m.data ?? png()) });
    const lost = () => ({ media_id: hex(16) }); // a file that is over
    if (m.type === 'enter') {
      const code = hex(12);
      this.codes.set('event:' + code, { user, till: this.now() + 20_000 });
      return this.#tell({ origin: 4, msgtype: 'event', event: { event_type: 'enter_session', open_kfid: this.settings.open_kfid, external_userid: user, scene: m.scene ?? '', scene_param: m.param ?? '', welcome_code: code } });
    }
    if (m.type === 'recall') return this.#tell({ origin: 4, msgtype: 'event', event: { event_type: 'user_recall_msg', open_kfid: this.settings.open_kfid, external_userid: user, recall_msgid: m.id } });
    const body = {
      text: () => ({ content: m.text, ...(m.menu_id ? { menu_id: m.menu_id } : {}) }), ...Object.fromEntries(['image', 'voice', 'video', 'file'].map((t) => [t, m.gone ? lost : media])),
      location: () => ({ latitude: m.lat, longitude: m.lng, name: m.label ?? '', address: m.address ?? '' }),
      link: () => ({ title: m.title, desc: m.text ?? '', url: m.url, pic_url: '' }),
    }[m.type];
    if (!body) throw new Error(`wecom: nobody can send ${m.type}`);
    return this.#tell({ external_userid: user, origin: 3, msgtype: m.type, [m.type]: body() });
  }
  /** A member of the enterprise answers in the WeCom app, and takes it back. */
  staff(text, who = 'zhangsan', user = this.settings.customer) {
    return this.#tell({ external_userid: user, origin: 5, servicer_userid: who, msgtype: 'text', text: { content: text } });
  }
  staff_recalls(msgid) {
    return this.#tell({ origin: 4, msgtype: 'event', event: { event_type: 'servicer_recall_msg', open_kfid: this.settings.open_kfid, external_userid: this.settings.customer, recall_msgid: msgid, servicer_userid: 'zhangsan' } });
  }
  /** A message that was taken does not arrive after all. */
  fails(msgid, type = 10) {
    return this.#tell({ origin: 4, msgtype: 'event', event: { event_type: 'msg_send_fail', open_kfid: this.settings.open_kfid, fail_msgid: msgid, fail_type: type } });
  }
  async verify() {
    const s = this.settings;
    const echo = String(BigInt('0x' + hex(7)));
    const sealed = seal(s.encoding_aes_key, echo, s.corpid);
    const make = () => {
      const [timestamp, nonce] = [String(this.now_s()), hex(5)];
      return { method: 'GET', query: { msg_signature: sorted_sha1(s.token, timestamp, nonce, sealed), timestamp, nonce, echostr: sealed } };
    };
    const a = await this.push('echostr', make, { takes: (r) => r.status === 200 && r.body === echo });
    return a.taken && unseal(s.encoding_aes_key, sealed).id === s.corpid;
  }
}

export const start = (given) => new WeCom(given).open();
