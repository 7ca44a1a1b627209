// Both languages of the sample; the phone decides.
const WORDS = {
  zh: { shop: '悦来小店', ask: '联系客服', say: '说点什么…', send: '发送', photo: '图片', connecting: '连接中…',
    offline: '网络断开，恢复后自动发送', expired: '登录已失效', queue: '排队第 %d 位', sending: '发送中', failed: '未发送，点按重试',
    stored: '已送达', read: '已读', typing: '对方正在输入…', older: '更早的消息', unable: '图片没有发出去' },
  en: { shop: 'Yuelai shop', ask: 'Ask us', say: 'Say something…', send: 'Send', photo: 'Photo', connecting: 'Connecting…',
    offline: 'No network; it will be sent by itself', expired: 'Please sign in again', queue: 'You are number %d',
    sending: 'Sending', failed: 'Not sent, tap to try again', stored: 'Delivered', read: 'Read', typing: 'Typing…',
    older: 'Older messages', unable: 'The photo was not sent' },
};

module.exports = function words(wx) {
  const info = wx.getAppBaseInfo ? wx.getAppBaseInfo() : wx.getSystemInfoSync();
  return /^zh/.test(info.language || 'zh') ? WORDS.zh : WORDS.en;
};
