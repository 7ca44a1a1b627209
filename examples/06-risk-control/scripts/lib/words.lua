-- Words this shop does not want to see. A matcher looks for all of them at once,
-- whatever their case, width (ＡＢＣ) or script (traditional, simplified).
-- 违禁词：改动保存后立即生效，无需重启。
return {
  -- from visitors: spam and offers
  spam = text.matcher { "刷单", "代开发票", "兼职日结", "博彩", "网赌", "加微信领" },
  -- from agents: what they must not promise, and private payments
  promises = text.matcher { "保证赔付", "百分百退款", "绝对不会坏", "全网最低", "私下转账", "加我微信", "微信转账" },
}
