// SPDX-License-Identifier: Apache-2.0
// A shop's own system on the generic HTTP channel: Standard Webhooks both ways.
import { hmac, same } from '../lib/crypto.mjs';
import { Platform, hex, json, parse } from '../lib/platform.mjs';

const TOLERANCE_S = 300;

class Http extends Platform {
  constructor(given) {
    super('http', given, { secret: 'whsec_' + Buffer.from(hex(16)).toString('base64'), customer: 'anna', receipts: false });
    this.ids = new Map();
    this.on_call('POST', '/in', (c) => this.#take(c));
  }
  get config() {
    return { url: this.url + '/in', secret: this.settings.secret };
  }
  get key() {
    return Buffer.from(this.settings.secret.replace(/^whsec_/, ''), 'base64');
  }
  #take(c) {
    const h = c.headers;
    const refuse = (status, why) => (this.refuse(why, c.body.toString().slice(0, 200)), json({ error: why }, status));
    const [id, ts] = [h['webhook-id'], h['webhook-timestamp']];
    const mine = 'v1,' + hmac(this.key, `${id}.${ts}.${c.body}`, 'base64');
    if (!id || !(h['webhook-signature'] ?? '').split(' ').some((s) => same(s, mine))) return refuse(401, 'the signature is wrong');
    if (Math.abs(this.now_s() - Number(ts)) > TOLERANCE_S) return refuse(401, 'the timestamp is old');
    if (this.is_throttled()) return json({ error: 'slow down' }, 429, { 'retry-after': '1' });
    const planned = this.planned_error();
    if (planned !== undefined) return refuse(planned, 'planned');
    const b = parse(c.body);
    if (b?.type !== 'message.created' || !b.data?.to) return refuse(400, 'no message');
    if (!this.customers.has(b.data.to)) return refuse(404, 'nobody of that name');
    if (this.ids.has(id)) return json({ id: this.ids.get(id), again: true }); // the same delivery
    const ours = hex(8);
    this.ids.set(id, ours);
    this.show(b.data.to, { kind: b.data.kind, text: b.data.text ?? `[${b.data.kind}]`, id: ours, ref: id });
    if (this.settings.receipts) void this.tells(ours, 'delivered');
    return json({ id: ours });
  }
  #post(data, what, path = '') {
    const raw = JSON.stringify(path ? data : { type: 'message.created', timestamp: new Date(this.now()).toISOString(), data });
    const make = (forged) => {
      const ts = String(this.now_s());
      return { body: raw, headers: { 'content-type': 'application/json', 'webhook-id': what, 'webhook-timestamp': ts, 'webhook-signature': 'v1,' + hmac(forged ? Buffer.from('somebody-elses') : this.key, `${what}.${ts}.${raw}`, 'base64') } };
    };
    return this.push(what, make, { path, tries: [1000, 2000, 4000, 8000] }).then((a) => ({ ...a, id: what }));
  }
  tells(sent, status, why) {
    return this.#post({ sent, status, why }, 'r' + hex(8), '/receipts');
  }
  says(user = this.settings.customer, message = '你好', name) {
    const c = this.heard(user, name);
    const m = typeof message === 'string' ? { type: 'text', text: message } : message;
    const id = 'm' + hex(10);
    const body = { id, from: user, from_name: c.name === user ? undefined : c.name, kind: m.type, text: m.text, lat: m.lat, lng: m.lng, label: m.label };
    if (m.type === 'image' || m.type === 'file') body.url = `${this.url}/file/${this.keep_file(m.name ?? 'a.png', m.mime ?? 'image/png', m.data ?? Buffer.from('89504e47', 'hex'))}`;
    return this.#post(body, id);
  }
  async verify() {
    return true; // there is no handshake
  }
}

export const start = (given) => new Http(given).open();
