const service = require('../../lib/service');
const words = require('../../lib/words');

Page({
  data: { t: {}, unread: 0 },
  onLoad() {
    this.setData({ t: words(wx) });
    const { visitor } = getApp();
    this.off = visitor.on('change', () => this.count());
  },
  onShow() {
    this.count();
  },
  onUnload() {
    this.off();
  },
  count() {
    const unread = service.unread(getApp().visitor);
    if (unread !== this.data.unread) this.setData({ unread });
  },
  ask() {
    wx.navigateTo({ url: '/pages/chat/chat' });
  },
});
