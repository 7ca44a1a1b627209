// SPDX-License-Identifier: Apache-2.0
// Telegram's Bot API, from Telegram's side: updates by webhook with the secret
// header, or by getUpdates; sends by token in the path; flood waits; who blocked.
import { misfit, png } from '../lib/media.mjs';
import { Platform, hex, json, multipart, parse } from '../lib/platform.mjs';

const ok = (result) => json({ ok: true, result });
const no = (status, description, parameters) => json({ ok: false, error_code: status, description, ...(parameters ? { parameters } : {}) }, status);
/** What may be uploaded as what: MB, and what is in it. */
const UPLOADS = { photo: [10, 'image/jpeg', 'image/png', 'image/webp'], voice: [50, 'audio/ogg'], audio: [50, 'audio/mpeg', 'video/mp4'], video: [50, 'video/mp4'], animation: [50, 'image/gif', 'video/mp4'], document: [50], sticker: [1] };
const DOWNLOAD_MB = 20;
const units = (s) => s.length; // UTF-16, as JavaScript counts

class Telegram extends Platform {
  constructor(given) {
    super('telegram', given, { token: `${1e9 + Math.floor(Math.random() * 1e9)}:${hex(17)}`, webhook_secret: hex(12), polled: false, customer: '4200000001' });
    this.updates = []; // not yet taken, by getUpdates
    this.waiting = [];
    this.update_id = 1000;
    this.on_call('*', /^\/bot([^/]+)\/(\w+)$/, (c) => (c.part[0] === this.settings.token ? this.#method(c, c.part[1]) : no(401, 'Unauthorized')));
    this.on_call('GET', /^\/file\/bot([^/]+)\/files\/(\w+)\.bin$/, (c) => (c.part[0] === this.settings.token && this.media.has(c.part[1]) ? { status: 200, headers: { 'content-type': 'application/octet-stream' }, body: this.media.get(c.part[1]).data } : (this.refuse('nobody may fetch that', c.path), { status: 404, known: true })));
  }
  get config() {
    const s = this.settings;
    return { token: s.token, ...(s.polled ? {} : { webhook_secret: s.webhook_secret }), api: this.url };
  }
  #method(c, method) {
    const b = /^multipart/.test(c.headers['content-type'] ?? '') ? multipart(c) : { ...c.query, ...(parse(c.body) ?? Object.fromEntries(new URLSearchParams(c.body.toString()))) };
    const args = b?.fields ? { ...b.fields, file: b } : b;
    const name = method.toLowerCase();
    if (name === 'getme') return ok({ id: 1, is_bot: true, first_name: 'Shop', username: 'shop_bot' });
    if (name === 'getwebhookinfo') return ok({ url: this.settings.polled ? '' : (this.hook ?? ''), pending_update_count: 0 });
    if (name === 'setwebhook') return ((this.hook = args.url), (this.settings.webhook_secret = args.secret_token), ok(true));
    if (name === 'getupdates') return this.#poll(c, args);
    if (name === 'getfile') return this.#file(args.file_id);
    if (name === 'answercallbackquery') return this.queries?.delete(args.callback_query_id) ? ok(true) : no(400, 'Bad Request: query is too old and response timeout expired or query ID is invalid');
    if (name === 'sendchataction') return (this.emit('typing', String(args.chat_id)), ok(true));
    if (name === 'deletemessage') return this.#delete(args);
    if (name.startsWith('send')) return this.#send(name, args);
    return no(404, 'Not Found');
  }
  #delete(a) {
    if (this.is_throttled()) return no(429, 'Too Many Requests: retry after 1', { retry_after: 1 });
    const planned = this.planned_error();
    if (planned !== undefined) return no(planned, 'planned', planned === 429 ? { retry_after: 1 } : undefined);
    return this.take_back(String(a.chat_id), Number(a.message_id)) ? ok(true) : no(400, 'Bad Request: message to delete not found');
  }
  #file(id) {
    const m = this.media.get(id);
    if (this.faults.media > 0 && this.faults.media--) return no(502, 'Bad Gateway');
    if (!m) return no(400, 'Bad Request: wrong file_id or the file is temporarily unavailable');
    if (m.data.length > DOWNLOAD_MB << 20) return no(400, 'Bad Request: file is too big');
    return ok({ file_id: id, file_unique_id: id.slice(0, 8), file_size: m.data.length, file_path: `files/${id}.bin` });
  }
  async #poll(c, args) {
    if (!this.settings.polled) return no(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first");
    c.quiet = true;
    const offset = Number(args.offset ?? 0);
    this.updates = this.updates.filter((u) => u.update_id >= offset);
    if (!this.updates.length && args.timeout > 0) await new Promise((wake) => {
      this.waiting.push(wake);
      setTimeout(wake, Math.min(50, args.timeout) * 1000).unref();
    });
    return ok(this.updates.slice(0, 100));
  }
  #send(name, a) {
    const chat = String(a.chat_id);
    const refuse = (status, why, more) => (this.refuse(why, JSON.stringify(a).slice(0, 200)), no(status, why, more));
    if (this.is_throttled()) return refuse(429, 'Too Many Requests: retry after 1', { retry_after: 1 });
    const planned = this.planned_error();
    if (planned !== undefined) return refuse(planned, 'planned', planned === 429 ? { retry_after: 1 } : undefined);
    const customer = this.customers.get(chat);
    if (!customer) return refuse(400, 'Bad Request: chat not found');
    if (customer.blocked) return refuse(403, 'Forbidden: bot was blocked by the user');
    let [text, file, bears] = [];
    if (name === 'sendmessage') {
      if (!a.text) return refuse(400, 'Bad Request: message text is empty');
      if (units(a.text) > 4096) return refuse(400, 'Bad Request: message is too long');
      for (const row of a.reply_markup?.inline_keyboard ?? []) for (const b of row) if (b.callback_data && Buffer.byteLength(b.callback_data) > 64) return refuse(400, 'Bad Request: BUTTON_DATA_INVALID');
      text = a.text;
    } else if (name === 'sendlocation' || name === 'sendvenue') {
      if (!Number.isFinite(Number(a.latitude)) || !Number.isFinite(Number(a.longitude))) return refuse(400, 'Bad Request: latitude is empty');
      text = `[location] ${a.title ?? ''}`;
    } else {
      const field = name.slice(4);
      if (!UPLOADS[field]) return refuse(404, 'Not Found');
      if (units(a.caption ?? '') > 1024) return refuse(400, 'Bad Request: message caption is too long');
      if (a.file?.data && a.file.field === field) {
        const wrong = misfit(a.file.data, UPLOADS[field]);
        if (wrong === 'size') return refuse(413, 'Request Entity Too Large');
        if (wrong) return refuse(400, 'Bad Request: IMAGE_PROCESS_FAILED');
        this.count.uploads = (this.count.uploads ?? 0) + 1;
        file = this.keep_file(a.file.name, a.file.type, a.file.data);
      } else if (this.media.has(a[field])) file = a[field];
      else return refuse(400, a[field] ? 'Bad Request: wrong file identifier/HTTP URL specified' : `Bad Request: there is no ${field} in the request`);
      text = `[${field}] ${a.caption ?? a.file?.name ?? ''}`.trim();
      bears = { [field]: field === 'photo' ? [{ file_id: hex(16), width: 1 }, { file_id: file, width: 9 }] : { file_id: file } };
    }
    const message_id = this.serial();
    this.show(chat, { kind: name.slice(4), text, id: message_id, file, buttons: a.reply_markup?.inline_keyboard });
    return ok({ message_id, date: this.now_s(), chat: { id: Number(chat), type: 'private' }, text: a.text, ...bears });
  }

  // --- updates --------------------------------------------------------------------
  #update(content) {
    const update_id = ++this.update_id;
    const update = { update_id, ...content };
    if (this.settings.polled) {
      this.updates.push(update);
      this.waiting.splice(0).forEach((wake) => wake());
      return Promise.resolve({ status: 200, body: '', taken: true, tries: 1, id: update_id });
    }
    const make = (forged) => ({ body: JSON.stringify(update), headers: { 'content-type': 'application/json', 'x-telegram-bot-api-secret-token': forged ? 'somebody-elses' : this.settings.webhook_secret } });
    return this.push(update_id, make, { tries: [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000], deadline_ms: 10_000 }).then((a) => ({ ...a, id: update_id }));
  }
  says(user = this.settings.customer, message = '你好', name) {
    const c = this.heard(user, name);
    c.blocked = false;
    const m = typeof message === 'string' ? { type: 'text', text: message } : message;
    const who = { id: Number(user), is_bot: false, first_name: c.name, language_code: 'zh' };
    const chat = { id: Number(user), type: 'private', first_name: c.name };
    if (m.type === 'press') {
      const id = hex(8);
      (this.queries ??= new Set()).add(id);
      return this.#update({ callback_query: { id, from: who, message: { message_id: m.of ?? 1, chat, date: this.now_s() }, data: m.data } });
    }
    const file = (mime) => ({ file_id: m.gone ? hex(16) : this.keep_file(m.name ?? 'file.bin', m.mime ?? mime, m.data ?? png()), file_name: m.name, mime_type: m.mime ?? mime });
    const photo = () => [{ file_id: hex(16), width: 90 }, { file_id: file('image/jpeg').file_id, width: 800 }];
    const content = { text: () => ({ text: m.text }), image: () => ({ photo: photo(), caption: m.text }), file: () => ({ document: file('application/pdf'), caption: m.text }), voice: () => ({ voice: file('audio/ogg') }), audio: () => ({ audio: file('audio/mpeg') }), video: () => ({ video: file('video/mp4'), caption: m.text }), location: () => ({ location: { latitude: m.lat, longitude: m.lng } }) }[m.type];
    if (!content) throw new Error(`telegram: nobody can send ${m.type}`);
    return this.#update({ message: { message_id: this.serial(), from: who, chat, date: this.now_s(), ...content() } });
  }
  blocks(user) {
    this.customer(user).blocked = true;
  }
  async verify() {
    return true; // setWebhook asks nothing
  }
}

export const start = (given) => new Telegram(given).open();
