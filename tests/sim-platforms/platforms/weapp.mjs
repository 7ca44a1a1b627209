// SPDX-License-Identifier: Apache-2.0
// A WeChat mini program's customer service: JSON, four kinds of answers, two
// answers within a minute for who has only come in; and the codes of wx.login.
import { hex, json } from '../lib/platform.mjs';
import { WeChat, err } from './wechat.mjs';

class WeApp extends WeChat {
  constructor(given) {
    super({ format: 'json', appid: 'wx5e1f00d0000000b2', original_id: 'gh_ba9876543210', ...given }, 'weapp', { kinds: ['text', 'image', 'link', 'miniprogrampage'], uploads: ['image'] });
    this.codes = new Map();
    this.on_call('GET', '/sns/jscode2session', (c) => this.#login(c));
  }
  right_of(customer) {
    return customer.came_at && !(customer.heard_at > customer.came_at) ? { till: customer.came_at + 60_000, most: 2 } : super.right_of(customer);
  }
  fields_of(m, user) {
    if (m.type === 'enter') {
      Object.assign(this.customer(user), { came_at: this.now(), heard_at: 0, answers: 0 });
      return { MsgType: 'event', Event: 'user_enter_tempsession', SessionFrom: m.from ?? '' };
    }
    if (m.type === 'page') {
      const thumb = this.keep_file('thumb.png', 'image/png', Buffer.from('89504e47', 'hex'));
      return { MsgType: 'miniprogrampage', MsgId: BigInt(this.serial()), Title: m.title, AppId: this.settings.appid, PagePath: m.path, ThumbUrl: `${this.url}/pic/${thumb}`, ThumbMediaId: thumb };
    }
    return super.fields_of(m, user);
  }
  /** What wx.login() gives to the page: good once, for five minutes. */
  login_code(user) {
    const code = hex(16);
    this.codes.set(code, { user, till: this.now() + 300_000 });
    return code;
  }
  #login(c) {
    const [s, known] = [this.settings, this.codes.get(c.query.js_code)];
    if (c.query.appid !== s.appid) return err(40013);
    if (c.query.secret !== s.secret) return err(40125);
    if (!known || known.till < this.now()) return json({ errcode: 40029, errmsg: 'invalid code' });
    if (known.used) return json({ errcode: 40163, errmsg: 'code been used' });
    known.used = true;
    return json({ openid: known.user, session_key: Buffer.from(hex(8)).toString('base64') });
  }
}

export const start = (given) => new WeApp(given).open();
