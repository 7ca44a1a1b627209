// SPDX-License-Identifier: Apache-2.0
// A person plays the platform in a terminal: what is typed a customer says, what
// the shop answers is shown; lines that begin with / change the platform.
import { readFileSync } from 'node:fs';
import { basename, extname } from 'node:path';

export const HELP = `type a text: the customer says it; what the shop answers is shown
  /as ID [NAME]     be another customer          /image FILE   send a picture (/file FILE: a file)
  /place LAT LNG X  send a place                 /send JSON    any message: {"type":"event","event":"subscribe"}
  /repeat [N]       the last callback again      /reorder N    hold N callbacks back, the last comes first
  /down [SECONDS]   the platform is down         /up           it is back
  /expire           all tokens end               /throttle N   N calls a second at most, 0: no limit
  /error CODE       refuse the next message      /lose [N]     take N calls, but cut them off unanswered
  /forge TEXT       say it under a wrong key     /later HOURS  time passes: windows close, tokens end
  /verify           ask the webhook address      /state        counters, faults, what was refused
  /help  /quit`;

const MIME = { '.png': 'image/png', '.jpg': 'image/jpeg', '.jpeg': 'image/jpeg', '.gif': 'image/gif', '.webp': 'image/webp', '.pdf': 'application/pdf', '.mp4': 'video/mp4', '.amr': 'audio/amr', '.txt': 'text/plain' };
const number = (text, name) => {
  const n = Number(text);
  if (!Number.isFinite(n)) throw new Error(`${name} is a number`);
  return n;
};

/** call(what, body) talks with the simulator (see control.mjs), say(line) writes. */
export function player({ call, say, customer }) {
  const me = { user: customer, name: undefined, last: undefined };
  const told = (a) => {
    if (a.id !== undefined) me.last = a.id;
    if (!a.taken) return say(`   ! the shop did not take it: ${a.status ? 'HTTP ' + a.status : 'no answer'} ${String(a.body ?? '').slice(0, 200)}`);
    return say(`   ✓ ${a.tries > 1 ? `taken at try ${a.tries}` : 'taken'}`);
  };
  const says = async (message) => told(await call('says', { ...me, last: undefined, message }));
  const file = (type) => async (path) => {
    if (!path) throw new Error(`/${type} FILE`);
    const data = readFileSync(path);
    await says({ type, name: basename(path), mime: MIME[extname(path).toLowerCase()] ?? 'application/octet-stream', data: data.toString('base64'), base64: true });
  };
  const commands = {
    as: (id, ...name) => {
      if (!id) throw new Error('/as ID [NAME]');
      Object.assign(me, { user: id, name: name.join(' ') || undefined });
      say(`   you are ${me.name ?? me.user}`);
    },
    image: file('image'), file: file('file'),
    place: (lat, lng, ...label) => says({ type: 'location', lat: number(lat, 'LAT'), lng: number(lng, 'LNG'), label: label.join(' ') }),
    send: (...rest) => says(JSON.parse(rest.join(' '))),
    repeat: async (n = '1') => {
      if (me.last === undefined) throw new Error('nothing was said yet');
      for (let i = 0; i < number(n, 'N'); i++) told(await call('again', { id: me.last }));
    },
    reorder: (n) => call('faults', { reorder: number(n, 'N') }),
    down: async (s) => {
      await call('faults', { down: s ? (await call('state')).now + number(s, 'SECONDS') * 1000 : true });
      say(s ? `   down for ${s} s` : '   down; /up brings it back');
    },
    up: () => call('faults', { down: false }),
    expire: () => call('expire', {}),
    throttle: (n) => call('faults', { per_s: number(n, 'N') }),
    error: (code) => {
      if (!code) throw new Error('/error CODE');
      return call('faults', { errors: [/^-?\d+$/.test(code) ? Number(code) : code] });
    },
    lose: (n = '1') => call('faults', { lose_answers: number(n, 'N') }),
    forge: async (...words) => {
      await call('faults', { forge: 1 });
      await says(words.join(' ') || 'forged');
    },
    later: (h) => call('advance', { ms: number(h, 'HOURS') * 3600_000 }),
    verify: async () => say((await call('verify', {})).ok ? '   ✓ the shop proved itself' : '   ! the shop did not prove itself'),
    state: async () => say(JSON.stringify(await call('state'), null, 1)),
    help: () => say(HELP),
  };
  /** False when the person wants to leave. */
  return async function line(text) {
    text = text.trim();
    if (!text) return true;
    if (text === '/quit') return false;
    try {
      if (!text.startsWith('/')) await says(text);
      else {
        const [name, ...rest] = text.slice(1).split(/\s+/);
        if (!Object.hasOwn(commands, name)) say(`   there is no /${name}; /help lists them`);
        else if ((await commands[name](...rest)) !== undefined) say('   done');
      }
    } catch (e) {
      say(`   ! ${e.message}`);
    }
    return true;
  };
}
