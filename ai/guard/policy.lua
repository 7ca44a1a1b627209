-- What the guard does, as data. A shop changes it here (it is served within a
-- second); `assistants` below has what is otherwise for one of them. Patterns are Lua patterns; words are found
-- anywhere, whatever their case and width.
return {
  -- What leaves the house for a model. false: it may.
  redact = { id_card = true, phone = true, bank_card = true, email = true, passport = true, plate = true,
    secret = true },
  -- More of the shop's own, by name: { member = "VIP%d%d%d%d%d%d" }
  patterns = {},
  -- Never hidden, though they look like something: { "400-800-8820" }
  allow = {},

  -- Questions that no model gets, and what the visitor is told.
  refuse = {
    words = { "制造炸弹", "炸弹制作", "how to make a bomb", "贩卖毒品", "自杀方法", "儿童色情", "child porn", "伪造证件",
      "代开发票", "洗钱渠道" },
    answer = { zh = "抱歉，这个问题我不能回答。需要的话可以为您转接人工客服。",
      en = "Sorry, I cannot help with that. I can bring in a colleague if you like." },
  },

  -- What a bot must not promise. A sentence with one of them is replaced.
  claims = {
    patterns = { "保证.-退款", "一定.-退款", "全额赔偿", "百分之百", "100%%", "绝对安全", "终身免费", "假一赔", "最低价保证", "承诺.-赔",
      "guaranteed refund", "guarantee.-refund", "we will refund you", "100%% safe", "lowest price guaranteed",
      "legal advice" },
    answer = { zh = "（这一点请以人工客服的答复为准。）", en = "(Please let a colleague confirm this.)" },
  },

  -- When a person takes over.
  handover = {
    asked = { "转人工", "人工客服", "找人工", "要人工", "真人", "人工服务", "转客服", "找客服", "talk to a human",
      "real person", "human agent", "speak to someone", "talk to an agent",
      "customer service representative", "live agent" },
    not_asked = { "不用转人工", "不要转人工", "不需要人工", "不用人工", "no human", "don't need a human" },
    angry = { "投诉", "骗子", "欺诈", "12315", "工商局", "消协", "律师", "起诉", "曝光", "垃圾", "气死", "太差了", "无语", "报警",
      "complaint", "scam", "lawyer", "sue you", "terrible", "useless", "ridiculous", "fraud" },
    not_understood = { "不太明白", "没有理解", "无法回答", "不清楚您", "没听懂", "我不知道", "无法提供", "没有找到相关",
      "don't understand", "not sure what you mean", "i don't know", "cannot answer", "no information about" },
    not_understood_times = 2, -- in a row
    tiers = {}, -- { "vip" }: these always get a person
    money = 1000, -- an amount of at least this with one of money_words
    money_words = { "退款", "赔偿", "赔付", "退钱", "补偿", "理赔", "refund", "compensation", "chargeback" },
  },

  -- For one assistant by its name: { aftersales = { handover = { money = 200 } } }
  assistants = {},
}
