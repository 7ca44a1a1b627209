-- What is asked every day. 常见问题
--
-- asked: some ways to ask it; the more unlike each other the better.
-- words: any of them in a question points here.
return {
  {
    asked = { "什么时候发货", "下单后多久发货", "几天能发出" },
    words = { "发货", "发出" },
    answer = "付款后 48 小时内发货，节假日顺延。",
  },
  {
    asked = { "怎么退货", "不想要了怎么退", "可以七天无理由退货吗" },
    words = { "退货", "无理由" },
    answer = "签收后 7 天内可在「我的订单」里申请退货，运费由运费险承担。",
  },
  {
    asked = { "能开发票吗", "怎么开发票", "发票抬头怎么改" },
    words = { "发票" },
    answer = "可以。在「我的订单 → 开发票」里填写抬头，电子发票会发到您的邮箱。",
  },
  {
    asked = { "包邮吗", "运费多少钱", "邮费谁出" },
    words = { "包邮", "运费", "邮费" },
    answer = "满 99 元包邮，不满收 8 元运费。",
  },
}
