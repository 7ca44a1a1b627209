-- yuelai test channels/email: what is quoted below an answer, and HTML.
local t = require "test"

describe("email texts", { only = "none" }, function()
  local quote, html
  before_each(function()
    quote, html = t.load "channels/email/quote", t.load "channels/email/html"
  end)

  it("leaves out the mail that is answered", function()
    local tails = {
      "On Mon, 5 Jan 2030 at 10:00, Shop <help@shop.test> wrote:\n> one\n> two",
      "On Mon, 5 Jan 2030 at 10:00, Shop\n<help@shop.test>\nwrote:\n> one\n\n> two\n",
      "在 2030-01-05 10:00:00，\"小店\" <help@shop.test> 写道：\n\n> 一\n>> 二",
      "小店 <help@shop.test> 于2030年1月5日周六 10:00写道：\n\n> 一",
      "-----Original Message-----\nFrom: Shop\nSent: Monday\nTo: Anna\nSubject: x\n\nbody",
      "-----原始邮件-----\n发件人:小店\n发送时间:2030-01-05\n主题: x\n\n正文",
      "------------------ 原始邮件 ------------------\n发件人: \"小店\" <help@shop.test>;\n\n正文",
      "________________________________\n发件人: 小店\n发送时间: 2030年1月5日\n收件人: Anna\n主题: 回复: x\n\n正文",
      "From: Shop <help@shop.test>\nDate: Mon\nTo: Anna\nSubject: Re: x\n\nbody",
      "> one\n> two\n\n> three", "-- \nAnna\nTel 1", "发自我的iPhone", "Sent from my iPhone\n\nOn Mon, 5 Jan 2030, Shop wrote:\n> x",
      "Am 05.01.2030 um 10:00 schrieb Shop:\n> eins", "Le lun. 5 janv. 2030 à 10:00, Shop a écrit :\n> un",
    }
    for _, tail in ipairs(tails) do
      assert.equal("My answer.\nTwo lines.", (quote.trim("\nMy answer.\nTwo lines.\n\n" .. tail)), tail)
      assert.equal("答", (quote.trim(("答\r\n\r\n" .. tail:gsub("\n", "\r\n")))), tail)
    end
  end)

  it("keeps what is the customer's own", function()
    local whole = {
      "On the first of May he wrote: nothing.\nAnd then more.", "> you asked\nmy answer\n> and this\nthat too",
      "On Mon, 5 Jan 2030, Shop wrote:\n> one\nanswer to one\n> two\nanswer to two",
      "From: Berlin\nI travelled to Paris.", "a -- b\n--- c ---", "---------- Forwarded message ---------\nsee below",
      "订单 2030 写得不对", "1 > 0",
    }
    for _, text in ipairs(whole) do assert.equal(text, (quote.trim(text)), text) end
    assert.equal("> only a quote", (quote.trim "> only a quote\n"))
    assert.equal("", (quote.trim ""))
  end)

  it("makes text of HTML", function()
    local cases = {
      { "<p>one</p><p>two<br>three</p>", "one\n\ntwo\nthree" },
      { "<style>p{}</style><script>alert('<p>')</script>x", "x" }, { "a &lt;b&gt; &#20320;&#x597D; &nbsp;&hellip;", "a <b> 你好 …" },
      { "<ul><li>a</li><li>b</li></ul>", "- a\n\n- b" }, { "a < b and c > d", "a < b and c > d" },
      { '<a href="https://x.test/">here</a> <a href="https://y.test">https://y.test</a>', "here (https://x.test/) https://y.test" },
      { "new<blockquote type=cite>old<blockquote>older</blockquote></blockquote>", "new" },
      { '<div>new</div><div class="gmail_quote">On Mon wrote: <p>old</p></div>', "new" },
      { '新<div id="isReplyContent">旧</div>', "新" }, { "<!-- c -->x<!-- unended", "x" }, { "x<b", "x" }, { "<", "<" },
      { "<blockquote>only</blockquote>", "only" }, { "&#0;&#55296;&#1114112;&bogus;", "&bogus;" }, { "", "" },
      { '<img alt="logo" src="cid:1">', "[logo]" }, { "<table><tr><td>a</td><td>b</td></tr></table>", "a b" },
    }
    for _, case in ipairs(cases) do assert.equal(case[2], (html.text(case[1])), case[1]) end
  end)

  -- Each within the 50 ms that a script has.
  for i, text in ipairs { ("<"):rep(100000), ("<div>"):rep(50000), ("&"):rep(200000), ("<a href='"):rep(20000),
    ("<blockquote>"):rep(30000), ("<b>"):rep(50000) .. "x", ("<a href=http://x.test>"):rep(3000) } do
    it("is not held up by HTML made for that, " .. i, function() assert.is_true(#html.text(text) >= 0) end)
  end
  for i, text in ipairs { ("> x\n"):rep(4000), ("On a\n"):rep(3000), ("-"):rep(15000), ("to:\n"):rep(4000),
    ("On 2030 a wrote:\n> x\ny\n"):rep(600), ("a 写道：\n"):rep(1000) } do
    it("is not held up by a text made for that, " .. i, function() assert.is_true(#quote.trim(text) >= 0) end)
  end
end)
