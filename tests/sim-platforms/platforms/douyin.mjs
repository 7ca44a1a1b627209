// SPDX-License-Identifier: Apache-2.0
// Douyin private messages, from Douyin's side: webhooks signed with a plain
// SHA-1, answers that need the ids of what the customer did last, a consent of
// 15 and 30 days that may be renewed five times.
import { sha1 } from '../lib/crypto.mjs';
import { misfit, png } from '../lib/media.mjs';
import { Platform, hex, json, multipart, parse } from '../lib/platform.mjs';

const DAY = 24 * 3600_000;
const TEXTS = {
  10003: 'invalid client_key', 10008: 'access_token invalid', 10010: 'refresh_token expired', 10013: 'client_secret error', 10020: 'renew count exceeded', 10002: 'param error',
  2100004: 'system busy', 2190008: 'access_token expired', 2190002: 'access_token invalid', 2190015: 'token and open_id mismatch', 28003018: 'rate limited', 28003070: 'quota of this window exhausted',
  28003080: 'message id expired', 28003082: 'conversation mismatch', 2100005: 'param error', 28001038: 'content rejected',
};
const oauth = (data, code = 0) => json({ data: { ...data, error_code: code, description: TEXTS[code] ?? '' }, message: code ? 'error' : 'success' });

class Douyin extends Platform {
  constructor(given) {
    super('douyin', given, { resources: true,
      client_key: 'aw' + hex(7), client_secret: hex(16), open_id: '_000B' + hex(8), token_life_s: 15 * 24 * 3600, refresh_life_s: 30 * 24 * 3600, per_window: 6, customer: '_000ANNA0001',
    });
    this.renewals = 0;
    this.refresh = { token: 'rft.' + hex(16), till: this.now() + this.settings.refresh_life_s * 1000 };
    this.conversations = new Map();
    this.on_call('POST', '/oauth/client_token/', (c) => this.#client_token(c));
    this.on_call('POST', '/oauth/refresh_token/', (c) => this.#refresh(c));
    this.on_call('POST', '/oauth/renew_refresh_token/', (c) => this.#renew(c));
    this.on_call('POST', '/im/send/msg/', (c) => this.#send(c));
    this.on_call('POST', '/im/recall/msg/', (c) => this.#recall(c));
    this.on_call('POST', '/tool/imagex/client_upload/', (c) => this.#upload(c));
    this.on_call('GET', '/api/im/message/resources/', (c) => this.#resources(c));
    this.on_call('GET', /^\/obj\/(\w+)$/, (c) => this.#object(c.part[0]));
  }
  get config() {
    const s = this.settings;
    return { client_key: s.client_key, client_secret: s.client_secret, open_id: s.open_id, refresh_token: this.refresh.token, api: this.url };
  }

  // --- consent ------------------------------------------------------------------
  #client_token(c) {
    const b = parse(c.body) ?? {};
    if (b.client_key !== this.settings.client_key) return oauth({}, 10003);
    if (b.client_secret !== this.settings.client_secret) return oauth({}, 10013);
    return oauth({ access_token: this.issue(7200, 'clt.'), expires_in: 7200 });
  }
  #form(c) {
    if (!/^application\/x-www-form-urlencoded/.test(c.headers['content-type'] ?? '')) return undefined;
    return Object.fromEntries(new URLSearchParams(c.body.toString()));
  }
  #refresh(c) {
    const f = this.#form(c);
    if (!f || f.grant_type !== 'refresh_token') return oauth({}, 10002);
    if (f.client_key !== this.settings.client_key) return oauth({}, 10003);
    if (f.refresh_token !== this.refresh.token || this.refresh.till < this.now()) return oauth({}, 10010);
    if (this.state_of(this.user_token) !== 'good') this.user_token = this.issue(this.settings.token_life_s, 'act.');
    else this.tokens.get(this.user_token).till = this.now() + this.settings.token_life_s * 1000;
    return oauth({ access_token: this.user_token, expires_in: String(this.settings.token_life_s), refresh_token: this.refresh.token, refresh_expires_in: Math.floor((this.refresh.till - this.now()) / 1000), open_id: this.settings.open_id, scope: 'im.direct_message' });
  }
  #renew(c) {
    const f = this.#form(c);
    if (!f || f.client_key !== this.settings.client_key) return oauth({}, 10003);
    if (f.refresh_token !== this.refresh.token || this.refresh.till < this.now()) return oauth({}, 10010);
    if (this.renewals >= 5) return oauth({}, 10020);
    this.renewals++;
    this.refresh = { token: 'rft.' + hex(16), till: this.now() + this.settings.refresh_life_s * 1000 };
    return oauth({ refresh_token: this.refresh.token, expires_in: this.settings.refresh_life_s });
  }

  // --- answers ------------------------------------------------------------------
  #said(code, msg_id) {
    const extra = { error_code: code, sub_error_code: 0, description: TEXTS[code] ?? '', sub_description: '', logid: hex(8), now: this.now_s() };
    return json({ ...(msg_id ? { msg_id } : {}), data: { error_code: code, description: TEXTS[code] ?? '' }, extra });
  }
  #send(c) {
    const b = parse(c.body) ?? {};
    const code = this.#judge(c, b);
    if (code) {
      this.refuse(TEXTS[code] ?? String(code), c.body.toString().slice(0, 200));
      return this.#said(code);
    }
    const talk = this.conversations.get(b.conversation_id);
    talk.answers++;
    const id = `@${hex(12)}==`;
    const o = b.content;
    this.show(b.to_user_id, { kind: o.msg_type === 1 ? 'text' : 'image', text: o.msg_type === 1 ? o.text.text : `[image] ${this.media.get(o.image.media_id).name}`, body: o.image ?? o.text, id });
    return this.#said(0, id);
  }
  /** What is wrong with who asks; 0 = nothing. */
  #stranger(c) {
    const state = this.state_of(c.headers['access-token']);
    if (state !== 'good') return state === 'expired' ? 2190008 : 2190002;
    if (!c.headers['access-token'].startsWith('act.')) return 2190015;
    if (c.query.open_id !== this.settings.open_id) return 2190015;
    if (this.is_throttled()) return 28003018;
    return this.planned_error() ?? 0;
  }
  #recall(c) {
    const b = parse(c.body) ?? {};
    const talk = this.conversations.get(b.conversation_id);
    const judge = () => (b.conversation_type !== 1 || !talk ? 28003082 : this.take_back(talk.user, b.msg_id) ? 0 : 2100005);
    const code = this.#stranger(c) || judge();
    if (code) this.refuse(TEXTS[code] ?? String(code), c.body.toString().slice(0, 200));
    return this.#said(code);
  }
  #judge(c, b) {
    const stranger = this.#stranger(c);
    if (stranger) return stranger;
    const talk = this.conversations.get(b.conversation_id);
    if (!talk || talk.user !== b.to_user_id) return 28003082;
    const o = b.content;
    const good = o?.msg_type === 1 ? o.text?.text && [...o.text.text].length <= 1000 : o?.msg_type === 2 && this.media.get(o.image?.media_id)?.uploaded;
    if (!good) return 2100005;
    const enter = b.scene === 'im_enter_direct_msg';
    const right = enter ? talk.enter : talk.message;
    if (!right || right.id !== b.msg_id || this.now() > right.till) return 28003080;
    return talk.answers >= (enter ? 3 : this.settings.per_window) ? 28003070 : 0;
  }
  #upload(c) {
    const file = multipart(c);
    const no = (error_code, description) => (this.refuse(description, `${file?.name} ${file?.data?.length}`), json({ data: { error_code, description } }));
    const state = this.state_of(c.headers['access-token']);
    if (state !== 'good') return json({ data: { error_code: state === 'expired' ? 2190008 : 2190002, description: 'access_token' } });
    if (!c.headers['access-token'].startsWith('clt.')) return no(2190002, 'not the token of an app');
    if (file?.field !== 'image') return no(2100005, 'no image');
    if (misfit(file.data, [10, 'image/jpeg', 'image/png', 'image/bmp', 'image/webp'])) return no(2100005, 'image too large or of another format');
    this.count.uploads = (this.count.uploads ?? 0) + 1;
    const id = this.keep_file(file.name, file.type, file.data);
    this.media.get(id).uploaded = true;
    return json({ data: { error_code: 0, description: '', image_id: id, width: 1, height: 1 }, extra: { error_code: 0 } });
  }
  /** Where the file of a message lies: only of those sent from the customer's phone. */
  #resources(c) {
    const no = (error_code, description = TEXTS[error_code] ?? '') => json({ data: { error_code, description }, extra: { error_code } });
    const state = this.state_of(c.headers['access-token']);
    if (state !== 'good') return no(state === 'expired' ? 2190008 : 2190002);
    if (!c.headers['access-token'].startsWith('act.') || c.query.open_id !== this.settings.open_id) return no(2190015);
    if (!this.settings.resources) return no(28001018, 'no capability');
    if (this.faults.media > 0 && this.faults.media--) return no(2100004);
    const m = [...this.media.values()].find((f) => f.message === c.query.message_id && f.conversation === c.query.conversation_id);
    return m ? json({ data: { error_code: 0, description: '', url: `${this.url}/obj/${m.id}`, media_type: m.type.split('/')[0] }, extra: { error_code: 0 } }) : no(2100005, 'no such message');
  }
  #object(id) {
    const m = this.media.get(id);
    return m ? { status: 200, headers: { 'content-type': m.type }, body: m.data } : { status: 404, known: true };
  }

  // --- what the account does in Douyin's app -------------------------------------
  #own(event, user, id, more) {
    const content = { conversation_short_id: `@conv-${user}==`, server_message_id: id, conversation_type: 1, create_time: this.now(), user_infos: [{ open_id: user, nick_name: 'C', avatar: '' }, { open_id: this.settings.open_id, nick_name: 'shop', avatar: '' }], ...more };
    return this.#post({ event, client_key: this.settings.client_key, from_user_id: this.settings.open_id, to_user_id: user, log_id: hex(8), content: JSON.stringify(content) }, 'e' + id);
  }
  /** `source` is the app that said it: '' = Douyin's own. */
  async staff(text, source = '', user = this.settings.customer, id = `@${hex(12)}==`) {
    return { ...(await this.#own('im_send_msg', user, id, { message_type: 'text', text, source })), id };
  }
  staff_recalls(id) {
    return this.#own('im_recall_msg', this.settings.customer, id, { message_type: 'text' });
  }

  // --- what customers do --------------------------------------------------------
  #event(event, user, content, id) {
    const body = { event, client_key: this.settings.client_key, from_user_id: user, to_user_id: this.settings.open_id, log_id: hex(8), content: JSON.stringify(content) };
    return this.#post(body, id);
  }
  #post(body, id) {
    const raw = JSON.stringify(body);
    const make = (forged) => ({ body: raw, headers: { 'content-type': 'application/json', 'msg-id': id, 'x-douyin-signature': sha1(forged ? 'somebody-elses' : this.settings.client_secret, raw) } });
    return this.push(id, make, { takes: (a) => a.status === 200, tries: [5000, 5000, 5000] }).then((a) => ({ ...a, id }));
  }
  says(user = this.settings.customer, message = '你好', name) {
    const c = this.heard(user, name);
    const m = typeof message === 'string' ? { type: 'text', text: message } : message;
    const conversation = `@conv-${user}==`;
    const talk = this.conversations.get(conversation) ?? { user, answers: 0 };
    this.conversations.set(conversation, talk);
    const id = `@${hex(12)}==`;
    const content = { conversation_short_id: conversation, server_message_id: id, conversation_type: 1, create_time: this.now(), user_infos: [{ open_id: user, nick_name: c.name, avatar: '' }] };
    talk.answers = 0;
    if (m.type === 'recall') return this.#event('im_recall_msg', user, { ...content, server_message_id: m.id, message_type: 'text' }, m.id);
    if (m.type === 'enter') {
      talk.enter = { id, till: this.now() + 30_000 };
      return this.#event('im_enter_direct_msg', user, { ...content, scene_type: 4 }, id);
    }
    talk.message = { id, till: this.now() + DAY };
    const local = ['user_local_image', 'user_local_video'].includes(m.type);
    if (local && !m.gone) Object.assign(this.media.get(this.keep_file(m.name ?? 'f', m.mime ?? 'image/png', m.data ?? png())), { message: id, conversation });
    const kinds = { [local ? m.type : '']: { message_type: m.type }, text: { message_type: 'text', text: m.text }, image: { message_type: 'image' }, video: { message_type: 'video' }, card: { message_type: 'retain_consult_card', card_id: '1', card_status: 1, card_data: m.fields } };
    if (!kinds[m.type]) throw new Error(`douyin: nobody can send ${m.type}`);
    return this.#event('im_receive_msg', user, { ...content, ...kinds[m.type], source: '', scene_type: 100 }, id);
  }
  async verify() {
    const challenge = Math.floor(Math.random() * 1e9);
    const raw = JSON.stringify({ event: 'verify_webhook', client_key: '', content: { challenge } });
    const make = () => ({ body: raw, headers: { 'content-type': 'application/json', 'x-douyin-signature': sha1(this.settings.client_secret, raw) } });
    const a = await this.push('verify', make, { takes: (r) => r.status === 200 && parse(r.body)?.challenge === challenge });
    return a.taken;
  }
}

export const start = (given) => new Douyin(given).open();
