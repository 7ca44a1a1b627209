/* SPDX-License-Identifier: Apache-2.0 */
#include "script/text/mime.h"
#include "stage.h"

#define HELP                                                                   \
    STAGE_HELP                                                                 \
    "local function mail(...) return assert(mime.parse(table.concat({...}, "   \
    "'\\r\\n'))) end\n"                                                        \
    "local function subject(raw) return mail('Subject: ' .. raw, '', "         \
    "'').subject end\n"                                                        \
    "local hex = crypto.hex_decode\n"

/* section 10 of the facts sheet, RFC 2047 section 8 */
TEST("subjects are decoded, whatever mailers make of RFC 2047")
{
    STAGE(HELP
          "is(subject '=?GB18030?B?xOO6ww==?=', '你好')\n"
          "is(subject '=?gb2312?B?1tC5+g==?=', '中国')\n"
          "is(subject '=?UTF-8?B?5L2g5aW9?= =?UTF-8?Q?=E4=B8=96=E7=95=8C?=', "
          "'你好世界')\n"
          "is(subject '=?UTF-8?B?5L2g5aW9?=\\r\\n "
          "=?UTF-8?Q?=E4=B8=96=E7=95=8C?=', '你好世界')\n"
          "is(subject '=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=', 'ab')\n"
          "is(subject '(=?ISO-8859-1?Q?a?= b)', '(a b)')\n"
          "is(subject '(=?ISO-8859-1?Q?a_b?=)', '(a b)')\n"
          "is(subject '=?GB18030?B?UmU6ILaptaXOyszi?=', 'Re: 订单问题')\n"
          "is(subject('Re: ' .. hex 'c4e3bac3'), 'Re: 你好')\n"
          "is(subject 'Re: 你好', 'Re: 你好')\n"
          "is(subject '=?utf-8?b?5oKo55qE5bel5Y2VICM0MiDlt7Llm57lpI0=?=', "
          "'您的工单 #42 已回复')\n"
          "is(subject '=?utf-8*zh?b?5L2g?=', '你')\n"
          /* a character cut in two words */
          "is(subject '=?UTF-8?B?5L2g5Q==?= =?UTF-8?B?pb0=?=', '你好')\n"
          "for _, odd in ipairs {'=?', '=?x', '=?utf-8?b?', '=?utf-8?x?y?=', "
          "'a=?utf-8?', '=?=', '?x?=', '=?a?b?c'} do\n"
          "  is(subject(odd), odd)\n"
          "end\n"
          "is(subject '', '') is(mail('From: a@b', '').subject, '')\n");
}

TEST("file names are decoded in each of the ways they are written")
{
    STAGE(HELP
          "local function name(line) return mail('Content-Type: "
          "application/pdf', 'Content-Disposition: attachment; ' .. line, '', "
          "'x').attachments[1].name end\n"
          "is(name \"filename*=UTF-8''%E6%8A%A5%E4%BB%B7%E5%8D%95.pdf\", "
          "'报价单.pdf')\n"
          "is(name \"filename*0*=gb18030''%B1%A8%BC%DB; filename*1*=%B5%A5; "
          "filename*2=\\\".pdf\\\"\", '报价单.pdf')\n"
          "is(name 'filename=\"=?GBK?B?sai827WlLnBkZg==?=\"', '报价单.pdf')\n"
          "is(name('filename=\"' .. hex 'b1a8bcdbb5a5' .. '.pdf\"'), "
          "'报价单.pdf')\n"
          "is(name 'filename=\"a \\\\\"b\\\\\".pdf\"; size=7', 'a \"b\".pdf')\n"
          "is(name 'filename=plain.pdf', 'plain.pdf')\n"
          "is(name 'FileName = \"x;y.pdf\"', 'x;y.pdf')\n"
          "is(name \"filename=old.pdf; filename*=utf-8''new.pdf\", "
          "'new.pdf')\n"
          "is(name 'filename=\"../../etc/pass\\1wd\"', 'passwd')\n"
          "is(name 'filename=\"C:\\\\\\\\x\\\\\\\\y.exe\"', 'y.exe')\n"
          "is(name 'filename=\"..\"', nil) is(name 'filename=\"', nil)\n"
          "is(#name('filename=' .. ('你'):rep(100)), 150)\n"
          "is(name 'filename*99=x; filename*=; filename*x=y; filename**=z', "
          "nil)\n");
}

TEST("bodies are decoded")
{
    STAGE(HELP
          "local function body(how, charset, ...) return mail('Content-Type: "
          "text/plain; charset=' .. charset, 'Content-Transfer-Encoding: ' .. "
          "how, '', ...).text end\n"
          "is(body('quoted-printable', 'utf-8', '=E4=BD=A0=E5=', "
          "'=A5=BD=3D=20end'), '你好= end')\n"
          "is(body('base64', 'gb18030', 'ztK7ucrHs/a07cHL'), '我还是出错了')\n"
          "is(body('base64', 'gb2312', 'ztK7ucrH', '!! s/a0 7cHL=='), "
          "'我还是出错了')\n"
          "is(body('quoted-printable', 'us-ascii', 'a=XYb=', '', 'c=  ', "
          "'d='), 'a=XYb\\ncd')\n"
          "is(body('8bit', '\"gb2312\"', hex 'c4e3bac3'), '你好')\n"
          "is(body('7bit', 'nonsense', '你好'), '你好')\n"
          "is(body('binary', 'utf-8', 'a', 'b'), 'a\\nb')\n"
          "is(mail('Subject: x', '', 'plain').text, 'plain')\n"
          "is(mime.parse('Subject: x\\n\\nlf\\nonly').text, 'lf\\nonly')\n");
}

TEST("a mail with everything has everything in its place")
{
    STAGE(HELP
          "local m = mail('From: =?UTF-8?B?5a6J5aic?= <anna@example.com>', "
          "'To: \"B, Bob\" <bob@example.com>, c@example.com (Carl),', "
          "' Team: d@example.com, <e@example.com>;', "
          "'Subject: Hi', 'Date: Tue, 1 Jul 2025 10:52:37 +0800 (CST)', "
          "'Message-ID: <1@x>', 'In-Reply-To: <0@x>', "
          "'References: <a@x>', '\\t<0@x>', 'Received: one', "
          "'Received: two', 'Received: three', 'MIME-Version: 1.0', "
          "'Content-Type: multipart/mixed; boundary=\"=_a\"', '', "
          "'preamble', '--=_a', "
          "'Content-Type: multipart/alternative; boundary=\"=_a_b\"', '', "
          "'--=_a_b', 'Content-Type: text/plain; charset=utf-8', '', "
          "'hello', 'world', '--=_a_b', "
          "'Content-Type: multipart/related; boundary=c', '', '--c', "
          "'Content-Type: text/html', '', '<img src=\"cid:p1\">', '--c', "
          "'Content-Type: image/png; name=p.png', 'Content-ID: <p1>', "
          "'Content-Transfer-Encoding: base64', '', 'iVBORw==', '--c--', "
          "'--=_a_b--', '', '--=_a', 'Content-Type: application/pdf', "
          "'Content-Disposition: attachment; filename=a.pdf', '', '%PDF', "
          "'--=_a  ', 'Content-Type: message/rfc822', '', 'Subject: inner', "
          "'', 'x', '--=_a--', 'epilogue', '--=_a', 'not a part')\n"
          "is(m.from.name, '安娜') is(m.from.address, 'anna@example.com')\n"
          "is(#m.to, 4) is(m.to[1].name, 'B, Bob') is(m.to[2].name, 'Carl')\n"
          "is(m.to[2].address, 'c@example.com')\n"
          "is(m.to[3].address, 'd@example.com') is(m.to[3].name, nil)\n"
          "is(m.to[4].address, 'e@example.com') is(#m.cc, 0)\n"
          "is(m.date_at, 1751338357000)\n"
          "is(m.message_id, '1@x') is(m.in_reply_to, '0@x')\n"
          "is(table.concat(m.references, ' '), 'a@x 0@x')\n"
          "is(m.headers.subject, 'Hi') is(#m.headers.received, 3)\n"
          "is(m.headers.received[3], 'three')\n"
          "is(m.text, 'hello\\nworld') is(m.html, '<img src=\"cid:p1\">')\n"
          "is(#m.attachments, 3) is(#m.parts, 5)\n"
          "local p, pdf, inner = unpack(m.attachments)\n"
          "is(p.type, 'image/png') is(p.cid, 'p1') is(p.inline, true)\n"
          "is(p.bytes, '\\137PNG') is(p.name, 'p.png') is(p.size, 4)\n"
          "is(pdf.name, 'a.pdf') is(pdf.bytes, '%PDF') is(pdf.inline, false)\n"
          "is(inner.type, 'message/rfc822')\n"
          "is(mime.parse(inner.bytes).subject, 'inner')\n"
          "is(m.parts[1].bytes, nil) is(m.parts[1].type, 'text/plain')\n");
}

TEST("dates are read as they are written")
{
    STAGE(HELP
          "local function at(d) return mail('Date: ' .. d, '', '').date_at "
          "end\n"
          "is(at 'Thu, 01 Jan 1970 00:00:00 +0000', 0)\n"
          "is(at '1 Jan 2000 12:00 GMT', 946728000000)\n"
          "is(at 'Sat, 29 Feb 2020 23:59:60 -0330', 1583033400000)\n"
          "is(at 'Mon, 5 May 25 10:00:00 EST', 1746457200000)\n"
          "is(at '1-Jul-2025 10:00:00 +0800', 1751335200000)\n"
          "for _, bad in ipairs {'', 'today', '32 Jan 2020 1:1', '1 Foo 2020 "
          "1:1', '1 Jan', '1 Jan 2020', '1 Jan 2020 25:00', '1 Jan 2020 1', "
          "'99999999999 Jan 2020 1:1'} do is(at(bad), nil) end\n");
}

TEST("broken structures are read as well as can be")
{
    STAGE(HELP
          /* no end */
          "local m = mail('Content-Type: multipart/mixed; boundary=b', '', "
          "'--b', '', 'one', '--b', 'Content-Type: text/html', '', '<p>')\n"
          "is(m.text, 'one') is(m.html, '<p>')\n"
          /* no boundary */
          "m = mail('Content-Type: multipart/mixed', '', 'x')\n"
          "is(m.attachments[1].bytes, 'x')\n"
          /* its boundary never comes: all there is is its text */
          "m = mail('Content-Type: multipart/mixed; boundary=b', '', "
          "'hello', '--c', 'x')\n"
          "is(m.text, 'hello\\n--c\\nx')\n"
          /* a boundary in a head */
          "m = mail('Content-Type: multipart/mixed; boundary=b', '', '--b', "
          "'Content-Type: text/plain', '--b', '', 'two', '--b--')\n"
          "is(m.text, 'two')\n"
          /* an outer boundary ends the inner part */
          "m = mail('Content-Type: multipart/mixed; boundary=o', '', '--o', "
          "'Content-Type: multipart/mixed; boundary=i', '', '--i', '', 'x', "
          "'--o', '', 'y', '--o--')\n"
          "is(m.text, 'x\\ny')\n"
          /* one boundary is the other's beginning */
          "m = mail('Content-Type: multipart/mixed; boundary=b', '', '--b', "
          "'Content-Type: multipart/mixed; boundary=bb', '', '--bb', '', 'x', "
          "'--bb--', '--b', '', 'y', '--b--')\n"
          "is(m.text, 'x\\ny')\n"
          /* a body without an empty line */
          "is(mail('Subject: x', 'this is no field').text, "
          "'this is no field')\n"
          "is(mail('From anna Mon', 'Subject: x', '', '').subject, 'x')\n"
          "is(mail('Subject: x', ' ', '\\ty', '', '').subject:gsub('%s+', "
          "' '), 'x y')\n"
          "is(mail('Content-Type: multipart/digest; boundary=b', '', '--b', "
          "'', 'Subject: y', '--b--').attachments[1].type, "
          "'message/rfc822')\n"
          "trouble('bad_request', mime.parse '')\n"
          "trouble('bad_request', mime.parse 'no mail')\n"
          "trouble('bad_request', mime.parse '\\r\\n\\r\\nx')\n");
}

TEST("a mail that was built is read as what it was built of")
{
    STAGE(HELP
          "local bytes, id = mime.build { from = {address = 'shop@example.com',"
          " name = '客服 \"一\" 号'}, to = {{address = 'a@example.com', name = "
          "'Anna \\\"B\\\" \\\\ C'}, 'b@example.com'}, cc = 'c@example.com', "
          "reply_to = {'r@example.com'}, subject = ('您的工单已回复 '):rep(9), "
          "text = '你好\\n世界\\r\\n.', html = '<p>你好</p>', in_reply_to = "
          "'1@x', references = {'0@x', '1@x'}, date_at = 1751338357000, "
          "headers = {['Auto-Submitted'] = 'auto-replied'}, attachments = "
          "{{name = '报价单 \"1\".pdf', type = 'application/pdf', bytes = "
          "('%PDF\\0\\255'):rep(100)}, {name = 'p.png', type = 'image/png', "
          "bytes = 'x', inline = true, cid = 'p1'}}}\n"
          "for line in bytes:gmatch '[^\\n]*\\n' do\n"
          "  if #line > 78 or line:sub(-2) ~= '\\r\\n' then error(line) end\n"
          "end\n"
          "is(bytes:find '[\\128-\\255]', nil)\n"
          "local m = assert(mime.parse(bytes))\n"
          "is(m.message_id, id) is(id:match '@(.*)', 'example.com')\n"
          "is(m.from.name, '客服 \"一\" 号')\n"
          "is(m.to[1].name, 'Anna \"B\" \\\\ C') is(#m.to, 2)\n"
          "is(m.cc[1].address, 'c@example.com')\n"
          "is(m.reply_to[1].address, 'r@example.com')\n"
          "is(m.subject, ('您的工单已回复 '):rep(9))\n"
          "is(m.text, '你好\\n世界\\n.') is(m.html, '<p>你好</p>')\n"
          "is(m.in_reply_to, '1@x') is(m.references[2], '1@x')\n"
          "is(m.date_at, 1751338357000)\n"
          "is(m.headers['auto-submitted'], 'auto-replied')\n"
          "is(#m.attachments, 2)\n"
          "local png, pdf = unpack(m.attachments)\n"
          "is(png.cid, 'p1') is(png.inline, true)\n"
          "is(pdf.name, '报价单 \"1\".pdf')\n"
          "is(pdf.bytes, ('%PDF\\0\\255'):rep(100))\n"
          "is(mime.parse((mime.build {from = 'a@b', text = 'x'})).text, 'x')\n"
          "is(mime.parse((mime.build {from = 'a@b', html = 'x'})).html, 'x')\n"
          "is(mime.parse((mime.build {from = 'a@b'})).text, '')\n"
          "local long = ('word '):rep(60) .. ('x'):rep(200)\n"
          "is(mime.parse((mime.build {from = 'a@b', subject = long})).subject,"
          " long)\n"
          "is(mime.parse((mime.build {from = 'a@b', subject = 'a =?x?='}))"
          ".subject, 'a =?x?=')\n");
}

TEST("nothing can be smuggled into a head")
{
    STAGE(HELP
          "local b = function(t) t.from = t.from or 'a@b' return "
          "mime.build(t) end\n"
          "local evil = 'x\\r\\nBcc: evil@x'\n"
          "trouble('bad_request', b {subject = evil})\n"
          "trouble('bad_request', b {subject = 'x\\ny'})\n"
          "trouble('bad_request', b {subject = 'x\\0'})\n"
          "trouble('bad_request', b {subject = '\\255'})\n"
          "trouble('bad_request', b {from = {address = 'a@b', name = evil}})\n"
          "for _, bad in ipairs {'', 'x', '@b', 'a@', 'a b@c', 'a@b>', "
          "'a@b, c@d', 'a@b@c', 'a@b\\n', ('x'):rep(300) .. '@b'} do\n"
          "  trouble('bad_request', b {to = bad})\n"
          "end\n"
          "trouble('bad_request', b {in_reply_to = evil})\n"
          "trouble('bad_request', b {message_id = 'a> <b'})\n"
          "trouble('bad_request', b {headers = {['X: y\\r\\nZ'] = ''}})\n"
          "trouble('bad_request', b {headers = {Subject = 'x'}})\n"
          "trouble('bad_request', b {headers = {['bCC'] = 'x@y'}})\n"
          "trouble('bad_request', b {headers = {['X-Y'] = evil}})\n"
          "trouble('bad_request', b {attachments = {{type = evil, bytes = "
          "''}}})\n"
          "trouble('bad_request', b {attachments = {{name = evil, bytes = "
          "''}}})\n"
          "trouble('bad_request', b {attachments = {{cid = evil, bytes = "
          "''}}})\n"
          "trouble('bad_request', b {text = '\\255'})\n");
    STAGE_FAILS("mime.build {}", "from is missing");
    STAGE_FAILS("mime.build {from = 7}", "from must be a text");
    STAGE_FAILS("mime.build {from = 'a@b', date_at = 0/0}", "time in ms");
    STAGE_FAILS("mime.build {from = 'a@b', headers = {1}}", "names and texts");
    STAGE_FAILS("mime.build {from = 'a@b', subject = secret.get 'k'}",
                "subject must be a text");
}

/* Loading has 500 ms of CPU, sanitizers and all. */
TEST("parts, depth and bytes have maxima, and nothing takes long")
{
    STAGE(HELP
          "local head = 'Content-Type: multipart/mixed; boundary=b\\n\\n'\n"
          "is(#mime.parse(head .. ('--b\\n\\nx\\n'):rep(200)).parts, 200)\n"
          "trouble('too_large', mime.parse(head .. "
          "('--b\\n\\nx\\n'):rep(201)))\n"
          "trouble('too_large', mime.parse(head .. "
          "('--b\\n\\n'):rep(200000)))\n"
          "trouble('too_large', mime.parse('a: b\\n\\n' .. "
          "('x'):rep(4 * 1024 * 1024)))\n"
          "local long = mime.parse('a: b\\n\\n' .. ('x'):rep(1024 * 1024 + "
          "1))\n"
          "is(long.text, nil) is(long.attachments[1].size, 1024 * 1024 + 1)\n"
          "trouble('too_large', mime.build {from = 'a@b', text = "
          "('x'):rep(1024 * 1024 + 1)})\n"
          "local deep = {}\n"
          "for i = 1, 20000 do deep[i] = ('Content-Type: multipart/mixed; "
          "boundary=b%d\\n\\n--b%d\\n'):format(i, i) end\n"
          "is(#mime.parse(table.concat(deep)).parts, 1)\n");
    STAGE("mime.parse(('a: b\\n'):rep(800000))");
    STAGE("mime.parse('To: ' .. ('a:'):rep(2000000))");
    STAGE("mime.parse('To: ' .. ('('):rep(4000000))");
    STAGE("mime.parse('To: ' .. ('a@b,'):rep(1000000))");
    STAGE("mime.parse('Subject: ' .. (' =?gbk?B?xOO6ww==?='):rep(200000))");
    STAGE("mime.parse('a: b\\n\\n' .. ('\\n'):rep(4000000))");
    STAGE("mime.parse(('a' .. (' =?q?b?'):rep(50) .. ': =?q?b?\\n'):rep(200) "
          ".. '\\n')");
    STAGE("mime.parse(('s:' .. ('=?q?b?'):rep(2700) .. '\\n'):rep(200) .. "
          "'\\n')");
    STAGE("mime.parse('Content-Type: x/y' .. (';a=\"'):rep(800000))");
    STAGE("mime.parse('Content-Type: multipart/mixed; boundary=b\\n\\n' .. "
          "('--b-\\n'):rep(600000))");
}

TEST("a small memory fails cleanly in the middle of any call")
{
    static const char *const calls[] = {
        "mime.parse(mail)", "mime.build({ from = 'a@b', text = mail .. n })"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        char lua[400];
        struct stage s = {.memory = 1024 * 1024};
        snprintf(lua, sizeof lua,
                 "local mail = mime.build({ from = 'a@b', to = { 'c@d' }, text "
                 "= ('x'):rep(999), attachments = { { bytes = 'y' } } })\n"
                 "local all = {} for n = 1, 2000 do all[n] = { %s } end",
                 calls[i]);
        test_note("%s", calls[i]);
        if (!strstr(stage_run(&s, lua), "not enough memory"))
            FAIL("%s", s.trouble);
    }
}

TEST("a mail cut at any byte is read, and nothing outside of it")
{
    static const char mail[] =
        "From: =?utf-8?q?=E4=BD=A0?= <a@b>\r\nTo: \"x\\\"\" (c(d)) <e@f>, G: "
        "h@i;\r\nDate: Tue, 1 Jul 2025 10:52:37 +0800\r\nContent-Type: "
        "multipart/mixed;\r\n boundary=\"b\"\r\n\r\n--b\r\nContent-Type: "
        "text/plain; charset*=''utf-8\r\nContent-Transfer-Encoding: "
        "quoted-printable\r\n\r\n=E4=\r\n=BD=A0\r\n--b\r\nContent-ID: <c>\r\n"
        "Content-Disposition: attachment; filename*0*=gbk''%C4;\r\n "
        "filename*1*=%E3\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        "aGFsbG8=\r\n--b--\r\n";
    for (size_t n = 0; n < sizeof mail; n++) {
        struct arena *a = arena_new();
        struct mime_mail m;
        struct err e = {0};
        char *copy = malloc(n ? n : 1); /* exact: ASan sees the end */
        memcpy(copy, mail, n);
        test_note("%zu bytes", n);
        int got = mime_read(a, (struct slice){copy, n}, &e, &m);
        CHECK_EQ_INT(got, n > 4 ? 0 : ERR_BAD_REQUEST);
        free(copy);
        arena_free(a);
    }
}
