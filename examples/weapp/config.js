// What to change: where the house is, which channel, and (if users sign in) the
// address on your own server that signs them.
module.exports = {
  house: 'https://kefu.example.com',
  channel: 'default', // or ch_...
  sign: '', // 'https://shop.example.com/yuelai/identity', given { code } of wx.login
};
