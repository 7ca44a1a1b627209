// SPDX-License-Identifier: Apache-2.0
// Faces that platforms write as words, [微笑] or /::), as the emoji they are.
// For agents: their screens show what customers meant. A word that is none of
// these stays as it was written.
const FACES = [
  '/::) 微笑 🙂', '/::~ 撇嘴 😟', '/::B 色 😍', '/::| 发呆 😳', '/:8-) 得意 😎', '/::< 流泪 😭',
  '/::$ 害羞 😊', '/::X 闭嘴 🤐', '/::Z 睡 😴', '/::\'( 大哭 😭', '/::-| 尴尬 😓', '/::@ 发怒 😡',
  '/::P 调皮 😜', '/::D 呲牙 😁', '/::O 惊讶 😮', '/::( 难过 🙁', '/:--b 冷汗 😰', '/::Q 抓狂 😫',
  '/::T 吐 🤮', '/:,@P 偷笑 🤭', '/:,@-D 愉快 😊', '/::d 白眼 🙄', '/:,@o 傲慢 😤', '/:|-) 困 😪',
  '/::! 惊恐 😱', '/::L 流汗 😅', '/::> 憨笑 😄', '/::,@ 悠闲 😌', '/:,@f 奋斗 💪', '/::-S 咒骂 🤬',
  '/:? 疑问 🤔', '/:,@x 嘘 🤫', '/:,@@ 晕 😵', '/:,@! 衰 😞', '/:!!! 骷髅 💀', '/:xx 敲打 🔨',
  '/:bye 再见 👋', '/:wipe 擦汗 😅', '/:dig 抠鼻 😏', '/:handclap 鼓掌 👏', '/:B-) 坏笑 😏', '/:<@ 左哼哼 😤',
  '/:@> 右哼哼 😤', '/::-O 哈欠 🥱', '/:>-| 鄙视 😒', '/:P-( 委屈 🥺', '/::\'| 快哭了 😢', '/:X-) 阴险 😈',
  '/::* 亲亲 😘', '/:8* 可怜 🥺', '/:pd 菜刀 🔪', '/:<W> 西瓜 🍉', '/:beer 啤酒 🍺', '/:coffee 咖啡 ☕',
  '/:pig 猪头 🐷', '/:rose 玫瑰 🌹', '/:fade 凋谢 🥀', '/:showlove 嘴唇 👄', '/:heart 爱心 ❤️', '/:break 心碎 💔',
  '/:cake 蛋糕 🎂', '/:bome 炸弹 💣', '/:shit 便便 💩', '/:moon 月亮 🌙', '/:sun 太阳 ☀️', '/:hug 拥抱 🤗',
  '/:strong 强 👍', '/:weak 弱 👎', '/:share 握手 🤝', '/:v 胜利 ✌️', '/:@) 抱拳 🙏', '/:@@ 拳头 ✊',
  '/:ok OK 👌', '- 捂脸 🤦', '- 奸笑 😏', '- 机智 😉', '- 皱眉 😟', '- 耶 ✌️',
  '- 红包 🧧', '- 吃瓜 🍉', '- 加油 💪', '- 汗 😓', '- 天啊 😱', '- 社会社会 👊',
  '- 旺柴 🐶', '- 好的 👌', '- 打脸 🤕', '- 哇 🤩', '- 笑脸 😀', '- 生病 😷',
  '- 破涕为笑 😂', '- 恐惧 😨', '- 失望 😔', '- 无语 😑', '- 嘿哈 😆', '- 礼物 🎁',
  '- 烟花 🎆', '- 爆竹 🧨', '- 發 🀅', '- 福 🧧', '- 合十 🙏', '- 庆祝 🎉',
  '- 裂开 🫠', '- 苦涩 😖', '- 叹气 😮‍💨', '- 让我看看 👀', '- 666 👍', '- 翻白眼 🙄',
];

function known(): Record<string, string> {
  const all: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const line of FACES) {
    const [code, name, face] = line.split(' ') as [string, string, string];
    if (code !== '-') all[code] = face;
    all['[' + name + ']'] = face;
  }
  return all;
}

let faces: Record<string, string> | undefined;
let codes: RegExp | undefined;

export function emojis(text: string): string {
  if (text.indexOf('[') < 0 && text.indexOf('/:') < 0) return text;
  const all = (faces = faces || known());
  // The longest first: /::P is not in /::P-. One of letters ends where they end.
  codes =
    codes ||
    new RegExp(
      '\\[[^\\s\\[\\]]{1,5}\\]|' +
        Object.keys(all)
          .filter((c) => c[0] === '/')
          .sort((a, b) => b.length - a.length)
          .map((c) => c.replace(/[^\w/:]/g, '\\$&') + (/^\/:\w+$/.test(c) ? '(?!\\w)' : ''))
          .join('|'),
      'g',
    );
  const inAddress = (at: number) => /:\/\/\S*$/.test(text.slice(0, at));
  return text.replace(codes, (m, at: number) => (all[m] && !inAddress(at) ? all[m] : m));
}
