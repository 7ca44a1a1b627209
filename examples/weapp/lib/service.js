// The visitor of this mini program, and what a page draws of it.
const { WeappVisitor } = require('./yuelai');

// Who this is, signed by your own server; it changes the code for an openid.
function signer(wx, url) {
  return () => new Promise((done, fail) => {
    wx.login({
      fail: () => fail(new Error('login')),
      success: ({ code }) => wx.request({
        url, method: 'POST', data: { code },
        success: (r) => (r.statusCode === 200 ? done(r.data) : fail(new Error('HTTP ' + r.statusCode))),
        fail: () => fail(new Error('offline')),
      }),
    });
  });
}

function make(wx, config) {
  return new WeappVisitor({ wx, house: config.house, channel: config.channel,
    sign: config.sign ? signer(wx, config.sign) : undefined });
}

function tick(m, readBy) {
  return m.seq <= (readBy || 0) ? 'read' : 'stored';
}

// The rows of the chat page: what is stored, then what waits here.
function rows(visitor) {
  const read = visitor.timeline.readBy.agent;
  const stored = visitor.messages().map((m) => {
    const mine = m.sender.role === 'visitor';
    return { key: m.id, kind: m.kind, text: m.text || (m.file && m.file.name) || '', file: m.file && m.file.id, mine,
      who: mine ? '' : m.sender.name || '', tick: mine ? tick(m, read) : '' };
  });
  const waiting = visitor.outbox.of(undefined).map((i) => ({
    key: i.ref, kind: i.kind, text: i.text || (i.info && i.info.name) || '', file: i.file, mine: true, who: '',
    tick: i.state === 'failed' ? 'failed' : 'sending',
  }));
  return stored.concat(waiting);
}

// Messages of the other side behind the one that was read last.
function unread(visitor) {
  const from = visitor.timeline.readBy.visitor || 0;
  const mine = visitor.messages().reduce((n, m) => (m.sender.role === 'visitor' ? Math.max(n, m.seq) : n), 0);
  return visitor.messages().filter((m) => m.sender.role !== 'visitor' && m.seq > Math.max(from, mine)).length;
}

module.exports = { make, rows, unread };
