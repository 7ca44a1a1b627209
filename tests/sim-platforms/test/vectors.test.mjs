// SPDX-License-Identifier: Apache-2.0
// The simulators' own signatures and seals against the platforms' vectors.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { from_xml, hmac, lark_open, lark_seal, open, seal, sha1, sha256, sorted_sha1, to_xml } from '../lib/crypto.mjs';

const V3 = '+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04=';
const V4 = 'rTNFcsut4LfGuAFKEUVVpwcaCOTJzOd9twZdIW910jb3k+iicx2uvhttIZ3Qg9Qgty3BEF2xbOrz6boTfb30dMomcgrkTqdFPwnhqbk+kIQ7rZiwny9D7NUrTgA5kpX3KsZvrXzUZyP2x9YOlxbgm572lmxKvM7HAQQhIQ/p6HBmoY30bGXFK0BtIu1pW9TjhOYrLQoU18nWYjWqDA1ynkmOytpv7QRI1P1+0NoxL0q2zO1DgeSvnE8CZGo/o5Ap/WHK5W2RAsinpzN4/LjPnmB6U01I5XCoJoC0GK/yMZycd2Oh8Nq6+wBkC1U85oy0ktOY4nLvsQMLrourmMGdZHuTbqpeJ8Ao/5PRYJ+WBvRUwPfGKBL2+2IKZF49vAJqkcGWSHGE76ZN2erXeuNazf/o9o3lIE3q739o4c8t9QGPe31GT2Go/rOz1BsrASwvauNulCh+++yz+CQzBIuikA==';
const A43 = 'A'.repeat(43);

test('WeChat: V1 to V4', () => {
  assert.equal(sorted_sha1('AAAAA', '1714036504', '1514711492'), 'f464b24fc39322e44b38aa78f5edd27bd1441696');
  assert.equal(sorted_sha1('AAAAA', '1714037059', '486452656'), '899cf89e464efb63f54ddac96b0a0a235f53aa78');
  assert.equal(sorted_sha1('AAAAA', '1714112445', '415670741', V3), '046e02f8204d34f8ba5fa3b1db94908f3df2e9b3');
  const v3 = open(A43, V3);
  assert.equal(v3.id, 'wxba5fad812f8e6fb9');
  assert.equal(JSON.parse(v3.message).debug_str, 'hello world');
  assert.equal(seal(A43, '{"demo_resp":"good luck"}', 'wxba5fad812f8e6fb9', '707722b803182950'), 'ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ==');
  const v4 = open('abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG', V4);
  assert.equal(v4.id, 'wxb11529c136998cb6');
  assert.equal(from_xml(v4.message).Content, 'hello');
  assert.throws(() => open('B'.repeat(43), V3));
});

test('XML as WeChat writes it comes back', () => {
  const x = { A: 'a ]]> b <c>', N: 12345678901234567n };
  assert.deepEqual(from_xml(to_xml(x)), { A: 'a ]]> b <c>', N: '12345678901234567' });
  assert.equal(from_xml('<html></html>'), undefined);
});

test('Douyin: S1, S2', () => {
  assert.equal(sha1('test_client_secret', '{"event":"verify_webhook","client_key":"abc","content":{"challenge":12345}}'), 'ed6b1797456b888e29a8fcc49521ba7e1993f7bc');
  const s2 = String.raw`{"event":"im_receive_msg","from_user_id":"u1","to_user_id":"b1","client_key":"ck","content":"{\"message_type\":\"text\",\"text\":\"你好\"}"}`;
  assert.equal(sha1('test_client_secret', s2), '4963c83b3cc1bbee699c4e2fd51974713fe30822');
});

test('Feishu: its seal and its signature', () => {
  const sealed = 'P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk=';
  assert.equal(lark_open('test key', sealed), 'hello world');
  assert.equal(lark_open('k', lark_seal('k', '你好')), '你好');
  assert.equal(sha256('1735700000', 'nonce123', 'test key', `{"encrypt":"${sealed}"}`), '57cece29254d7f2bfbba5bb4d2d7c75f08b9d519dea1dc7fc13f49a45f836a61');
});

test('DingTalk: callback and robot', () => {
  const sealed = '1a3NBxmCFwkCJvfoQ7WhJHB+iX3qHPsc9JbaDznE1i03peOk1LaOQoRz3+nlyGNhwmwJ3vDMG+OzrHMeiZI7gTRWVdUBmfxjZ8Ej23JVYa9VrYeJ5as7XM/ZpulX8NEQis44w53h1qAgnC3PRzM7Zc/D6Ibr0rgUathB6zRHP8PYrfgnNOS9PhSBdHlegK+AGGanfwjXuQ9+0pZcy0w9lQ==';
  assert.equal(sorted_sha1('123456', '1445827045067', 'nEXhMP4r', sealed), '5a65ceeef9aab2d149439f82dc191dd6c5cbe2c0');
  const v = open('4g5j64qlyl3zvetqxz5jiocdr586fn2zvjpa8zls3ij', sealed);
  assert.equal(v.id, 'suite4xxxxxxxxxxxxxxx');
  assert.equal(JSON.parse(v.message).Random, 'LPIdSnlF');
  assert.equal(hmac('test_app_secret', '1735700000000\ntest_app_secret', 'base64'), 'rjg0xREzxoTwMYSZ707T5jRe68iOmobvqBM9ZSPXp18=');
});

test('LINE, Slack, WhatsApp, Standard Webhooks', () => {
  assert.equal(hmac('channel_secret', 'bodybodybodybody', 'base64'), '/gg9a+LvFevTH1sd7XCQycD7tsWclCsInj7MhBHxN7k=');
  const slack = 'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c';
  assert.equal('v0=' + hmac('8f742231b10e8888abcd99yyyzzz85a5', `v0:1531420618:${slack}`), 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503');
  assert.equal(hmac('test_app_secret', '{"object":"whatsapp_business_account","entry":[]}'), 'dec6a680679a968e7e0319355b23599cbfc54502c0784668e9618baa0c633756');
  assert.equal(hmac(Buffer.from('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64'), 'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}', 'base64'), 'g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
});
