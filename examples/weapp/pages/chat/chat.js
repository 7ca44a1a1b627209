const service = require('../../lib/service');
const words = require('../../lib/words');

Page({
  data: { t: {}, rows: [], text: '', state: '', queue: 0, typing: false, more: false, last: '', urls: {} },
  onLoad() {
    this.setData({ t: words(wx) });
    this.visitor = getApp().visitor;
    this.off = this.visitor.on('change', () => this.later());
    this.draw();
  },
  onShow() {
    this.shown = true;
    this.read();
  },
  onHide() {
    this.shown = false;
  },
  onUnload() {
    this.off();
    clearTimeout(this.timer);
  },
  // A burst of changes is drawn once.
  later() {
    if (!this.timer) this.timer = setTimeout(() => this.draw(), 30);
  },
  draw() {
    this.timer = undefined;
    const v = this.visitor;
    const rows = service.rows(v);
    this.setData({ rows, state: v.session.state, queue: v.queue ? v.queue.position : 0, typing: v.typers().length > 0,
      more: v.timeline.more, last: rows.length ? 'r-' + rows[rows.length - 1].key : '' });
    rows.filter((r) => r.kind === 'image' && r.file && !(r.file in this.data.urls)).forEach((r) => this.fetch(r.file));
    this.read();
  },
  fetch(id) {
    this.data.urls[id] = ''; // asked; drawn when it is known
    this.visitor.fileUrl(id).then((url) => this.setData({ urls: Object.assign({}, this.data.urls, { [id]: url }) }),
      () => delete this.data.urls[id]);
  },
  read() {
    const top = this.visitor.timeline.top;
    if (this.shown && top > (this.told || 0) && this.visitor.read(top)) this.told = top;
  },
  type(e) {
    this.setData({ text: e.detail.value });
    this.visitor.type(e.detail.value);
  },
  send() {
    const text = this.data.text.trim();
    if (!text) return;
    this.visitor.send(text);
    this.setData({ text: '' });
  },
  retry(e) {
    this.visitor.outbox.retry(e.currentTarget.dataset.ref);
  },
  older() {
    void this.visitor.older();
  },
  photo() {
    wx.chooseMedia({ count: 1, mediaType: ['image'], success: ({ tempFiles }) => {
      this.visitor.sendFile(tempFiles[0].tempFilePath).catch(() => wx.showToast({ title: this.data.t.unable, icon: 'none' }));
    } });
  },
});
