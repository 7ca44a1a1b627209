// SPDX-License-Identifier: Apache-2.0
// The demo's own words and goods.
export const WORDS = {
  'zh-CN': {
    title: '悦来已经在运行',
    sub: '一个程序，就是完整的客服平台。点右下角说句话，再到坐席台回复它。',
    ready: { ok: '服务正常', bad: '服务未就绪', asking: '检查中' },
    doorChat: '以访客身份聊聊',
    doorChatText: '打开网页聊天窗口',
    doorConsole: '坐席控制台',
    doorConsoleText: '登录后接待访客',
    doorPage: '整页聊天',
    doorPageText: '手机扫码用的就是这一页',
    shop: '示例小店',
    shopNote: '这里只是一个普通网页，聊天窗口由一行代码嵌入。',
    ask: '咨询',
    embed: '放到自己的网站',
    embedNote: '把这一行加到网页里就可以了。',
  },
  en: {
    title: 'Yuelai is up and running',
    sub: 'One program is the whole customer-service desk. Say something at the bottom right, then answer it in the console.',
    ready: { ok: 'Ready', bad: 'Not ready', asking: 'Checking' },
    doorChat: 'Talk as a visitor',
    doorChatText: 'Opens the chat window',
    doorConsole: 'Agent console',
    doorConsoleText: 'Sign in and answer',
    doorPage: 'Full-page chat',
    doorPageText: 'The page behind the QR code',
    shop: 'A small demo shop',
    shopNote: 'Just an ordinary page; one line of code puts the chat on it.',
    ask: 'Ask',
    embed: 'Put it on your own site',
    embedNote: 'Add this one line to your page.',
  },
};

export interface Good {
  id: string;
  name: { 'zh-CN': string; en: string };
  note: { 'zh-CN': string; en: string };
  price: number;
  ground: string;
  ink: string;
  art: string;
}

export const GOODS: Good[] = [
  {
    id: 'tea', price: 88, ground: '#e4efe6', ink: '#3f7a55',
    name: { 'zh-CN': '明前龙井', en: 'Longjing green tea' },
    note: { 'zh-CN': '50 克，当季新茶', en: '50 g, this spring' },
    art: 'M34 36h44v20a16 16 0 0 1-16 16H50a16 16 0 0 1-16-16zm44 5h6a10 10 0 0 1 0 20h-7l1-6h6a4 4 0 0 0 0-8h-6zM46 30c-4-6 4-8 0-14h4c4 6-4 8 0 14zm14 0c-4-6 4-8 0-14h4c4 6-4 8 0 14z',
  },
  {
    id: 'lamp', price: 269, ground: '#f6ead6', ink: '#a3681b',
    name: { 'zh-CN': '竹编台灯', en: 'Bamboo table lamp' },
    note: { 'zh-CN': '暖光，可调三档', en: 'Warm light, three levels' },
    art: 'M44 16h32l14 34H30zm13 38h6v16h14v6H43v-6h14z',
  },
  {
    id: 'bag', price: 159, ground: '#e3e8f6', ink: '#3c55a0',
    name: { 'zh-CN': '帆布通勤包', en: 'Canvas commuter bag' },
    note: { 'zh-CN': '防泼水，可放 14 寸电脑', en: 'Water-repellent, fits a 14-inch laptop' },
    art: 'M46 34v-6a14 14 0 0 1 28 0v6h12l4 42H30l4-42zm6 0h16v-6a8 8 0 0 0-16 0z',
  },
  {
    id: 'cup', price: 59, ground: '#f5e2e2', ink: '#a04545',
    name: { 'zh-CN': '手作陶杯', en: 'Hand-thrown cup' },
    note: { 'zh-CN': '每只釉色略有不同', en: 'Every glaze differs a little' },
    art: 'M38 26h36v36a12 12 0 0 1-12 12H50a12 12 0 0 1-12-12zm36 8h6a12 12 0 0 1 0 24h-6v-6h6a6 6 0 0 0 0-12h-6z',
  },
];
