/* SPDX-License-Identifier: Apache-2.0 */
#include "script/text/xml.h"
#include "stage.h"

#define HELP STAGE_HELP "local d, e = xml.decode, xml.encode\n"

TEST("a WeChat message becomes a table")
{
    STAGE(
        HELP
        "local x, root = d('<xml><ToUserName><![CDATA[gh_0123456789ab]]>"
        "</ToUserName>\\n<FromUserName><![CDATA[oOPENID]]></FromUserName>\\n"
        "<CreateTime>1735700000</CreateTime>\\n<MsgType><![CDATA[text]]>"
        "</MsgType>\\n<Content><![CDATA[你好 <b> & ]]]]><![CDATA[>]]>"
        "</Content>\\n<MsgId>23456789012345678</MsgId><Empty/></xml>')\n"
        "is(root, 'xml') is(x.MsgId, '23456789012345678')\n"
        "is(x.ToUserName, 'gh_0123456789ab') is(x.Content, '你好 <b> & ]]>')\n"
        "is(x.Empty, '') is(x._text, nil) is(x.Nothing, nil)\n");
}

TEST("elements, lists, attributes and texts each have their place")
{
    STAGE(HELP
          "local x = d '<r><a>1</a><b k=\"v\">t</b><a>2</a><c><d/></c><a>3</a>"
          "</r>'\n"
          "is(#x.a, 3) is(x.a[1], '1') is(x.a[3], '3')\n"
          "is(x.b._attr.k, 'v') is(x.b._text, 't') is(x.c.d, '')\n"
          "is(json.encode(d('<r><i>1</i></r>', {list = {'i'}})), "
          "'{\"i\":[\"1\"]}')\n"
          "is(d '<r>text</r>'._text, 'text') is(d '<r/>'._text, nil)\n"
          "is(d '<r>a<b/>c</r>'._text, 'ac')\n"
          "is(d '<a:r xmlns:a=\"u\"><a:b>1</a:b></a:r>'['a:b'], '1')\n"
          "is(d '<r>&lt;&amp;&#20320;&#x597D;&quot;</r>'._text, '<&你好\"')\n"
          "is(d '<r><!-- no --><?pi no?>yes</r>'._text, 'yes')\n"
          "is(d('<a/>', {root = 'a'}) ~= nil, true)\n"
          "trouble('bad_request', d('<b/>', {root = 'a'}))\n"
          "local many = {}\n"
          "for i = 1, 5000 do many[i] = '<i>' .. i .. '</i>' end\n"
          "is(d('<r>' .. table.concat(many) .. '</r>').i[5000], '5000')\n");
}

TEST("parse keeps the order")
{
    STAGE(HELP
          "local r = xml.parse '<r k=\"1\">a<b>c</b>d<b/></r>'\n"
          "is(r.name, 'r') is(r.attr.k, '1') is(#r, 4)\n"
          "is(r[1], 'a') is(r[2].name, 'b') is(r[2][1], 'c') is(r[3], 'd') "
          "is(#r[4], 0)\n");
}

TEST("a table becomes a document, and comes back the same")
{
    STAGE(HELP
          "is(e {b = 1, a = 'x<y'}, '<xml><a>x&lt;y</a><b>1</b></xml>')\n"
          "is(e({Content = 'a]]>b', CreateTime = 1735700001}, {cdata = true, "
          "order = {'CreateTime'}}), '<xml><CreateTime>1735700001"
          "</CreateTime><Content><![CDATA[a]]]]><![CDATA[>b]]></Content>"
          "</xml>')\n"
          "is(e({i = {'1', '2'}, e = {}, n = json.null, t = true}, {root = "
          "'r', declaration = true}), '<?xml version=\"1.0\" encoding="
          "\"UTF-8\"?>\\n<r><e></e><i>1</i><i>2</i><n></n><t>true</t></r>')\n"
          "is(e {a = {_attr = {k = '\"<'}, _text = 'x'}}, "
          "'<xml><a k=\"&quot;&lt;\">x</a></xml>')\n"
          "is(e {a = json.array {}}, '<xml></xml>')\n"
          "is(e {Articles = {item = {{Title = 'a'}, {Title = 'b'}}}}, "
          "'<xml><Articles><item><Title>a</Title></item><item><Title>b"
          "</Title></item></Articles></xml>')\n"
          "is(e {a = 'x\\0\\1\\239\\191\\191y\\r'}, "
          "'<xml><a>xy&#13;</a></xml>')\n"
          /* found by the fuzzer: what is left out must not make an end */
          "is(d(e({a = ']\\1]\\2><x/>'}, {cdata = true})).a, ']]><x/>')\n"
          "is(d(e({a = ']]]>]]>>]]'}, {cdata = true})).a, ']]]>]]>>]]')\n"
          "local back = d(e({t = 'a]]>b\\n<&\"你', l = {{k = '1'}, {k = "
          "'2'}}}, {cdata = true}))\n"
          "is(back.t, 'a]]>b\\n<&\"你') is(back.l[2].k, '2')\n");
    STAGE_FAILS("xml.encode {['a b'] = 1}", "no name that XML allows");
    STAGE_FAILS("xml.encode {['1'] = 1}", "no name that XML allows");
    STAGE_FAILS("xml.encode {a = {_attr = {['x='] = 1}}}", "attribute");
    STAGE_FAILS("xml.encode({}, {root = '<'})", "root is no name");
    STAGE_FAILS("xml.encode {1, 2}", "one root");
    STAGE_FAILS("xml.encode {a = print}", "function has no XML form");
    STAGE_FAILS("xml.encode {a = '\\255'}", "not UTF-8");
    STAGE_FAILS("xml.encode {a = secret.get 'k'}", "a secret");
    STAGE_FAILS("local t = {} t.t = t xml.encode(t)", "nested too deep");
    STAGE_FAILS("xml.encode {a = ('x'):rep(1100000)}", "over 1 MB");
    STAGE_FAILS("local t = {} for i = 1, 20001 do t[i] = 1 end "
                "xml.encode {a = t}",
                "more than 20000");
}

TEST("other encodings are read, lies are not believed")
{
    STAGE(HELP
          "local gbk = text.convert('utf-8', 'gbk', '<?xml version=\"1.0\" "
          "encoding=\"GBK\"?><r>你好</r>')\n"
          "is(d(gbk)._text, '你好')\n"
          "is(d(text.convert('utf-8', 'utf-16', '<r>你好</r>'))._text, "
          "'你好')\n"
          "is(d '\\239\\187\\191<r>好</r>'._text, '好')\n"
          "is(d '<?xml version=\"1.0\" encoding=\"utf-8\"?><r>好</r>'._text, "
          "'好')\n"
          "trouble('bad_request', d '<r>\\196\\227</r>')\n"
          "trouble('bad_request', d '<?xml version=\"1.0\" encoding=\"utf-8\"?>"
          "<r>\\196\\227</r>')\n");
}

TEST("what is not well-formed is told with its line")
{
    STAGE(HELP
          "for _, bad in ipairs {'', ' ', 'x', '<r>', '</r>', '<r></s>', "
          "'<r/><r/>', '<r a=1/>', '<r a=\"1\" a=\"2\"/>', '<r>&nbsp;</r>', "
          "'<r>\\0</r>', '<r><![CDATA[x</r>', '<r>&#0;</r>', '<r', '<', "
          "'<?xml', '<r/>x', '<!-- ', '<r>\\1</r>'} do\n"
          "  trouble('bad_request', d(bad))\n"
          "end\n"
          "local _, _, why = d '<r>\\n\\n<a></b></r>'\n"
          "is(why:match '^line 3: ', 'line 3: ')\n");
}

TEST("no DTD, no entity, no file, no bomb")
{
    STAGE(
        HELP
        "trouble('bad_request', d '<!DOCTYPE r [<!ENTITY x \"y\">]><r>&x;"
        "</r>')\n"
        "trouble('bad_request', d '<!DOCTYPE r SYSTEM \"file:///etc/passwd\">"
        "<r/>')\n"
        "trouble('bad_request', d '<!DOCTYPE r><r/>')\n"
        "trouble('bad_request', d '<?xml version=\"1.0\"?>\\n<!DOCTYPE lolz [ "
        "<!ENTITY lol \"lol\"> <!ENTITY a \"&lol;&lol;\">]><r>&a;</r>')\n"
        "trouble('bad_request', d '<r><!DOCTYPE x></r>')\n"
        "trouble('bad_request', d(text.convert('utf-8', 'utf-16', "
        "'<!DOCTYPE r><r/>')))\n"
        "is(d '<r><![CDATA[<!DOCTYPE x>]]></r>'._text, '<!DOCTYPE x>')\n");
}

TEST("depth, nodes, attributes and bytes have their maxima")
{
    STAGE(HELP
          "local function deep(n) return ('<a>'):rep(n) .. ('</a>'):rep(n) "
          "end\n"
          "is(d(deep(32)) ~= nil, true)\n"
          "trouble('too_large', d(deep(33)))\n"
          "trouble('too_large', d(deep(100000)))\n"
          "is(d('<r>' .. ('<a/>'):rep(19999) .. '</r>') ~= nil, true)\n"
          "trouble('too_large', d('<r>' .. ('<a/>'):rep(20000) .. '</r>'))\n"
          "local attrs = {}\n"
          "for i = 1, 65 do attrs[i] = ('a%d=\"=\"'):format(i) end\n"
          "trouble('too_large', d('<r ' .. table.concat(attrs, ' ') .. '/>'))\n"
          "attrs[65] = nil\n"
          "is(d('<r ' .. table.concat(attrs, ' ') .. '/>')._attr.a64, '=')\n"
          "is(d('<r><![CDATA[<' .. ('='):rep(100) .. '>]]></r>') ~= nil, "
          "true)\n"
          "trouble('too_large', d('<r>' .. ('x'):rep(1024 * 1024) .. "
          "'</r>'))\n");
}

/* Loading has 500 ms of CPU, sanitizers and all. */
TEST("the largest document does not use up the time")
{
    STAGE("xml.decode('<r>' .. ('&#65;'):rep(200000) .. '</r>')");
    STAGE("xml.decode('<r>' .. ('<a b=\"c\">x</a>'):rep(6000) .. '</r>')");
    STAGE("xml.decode('<r>' .. ('<'):rep(1000000))");
    STAGE("xml.decode('<r>' .. ('<!--'):rep(250000))");
    STAGE("xml.decode('<r>' .. ('<![CDATA['):rep(110000))");
    STAGE("xml.decode('<' .. ('a'):rep(1000000))");
    STAGE("xml.decode('<r ' .. ('a '):rep(500000) .. '/>')");
    STAGE("local t = {} for i = 1, 9000 do t['a' .. i] = i end "
          "xml.encode(t, {order = {'a1', 'a2'}})");
}

TEST("a small memory fails cleanly in the middle of any call")
{
    static const char *const calls[] = {"xml.decode(doc)", "xml.parse(doc)",
                                        "xml.encode({ x = doc .. n })"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        char lua[300];
        struct stage s = {.memory = 1024 * 1024};
        snprintf(lua, sizeof lua,
                 "local doc, all = '<r>' .. ('<a b=\"c\">x</a>'):rep(50) .. "
                 "'</r>', {}\n"
                 "for n = 1, 2000 do all[n] = { n, %s, n } end",
                 calls[i]);
        test_note("%s", calls[i]);
        if (!strstr(stage_run(&s, lua), "not enough memory"))
            FAIL("%s", s.trouble);
    }
}

TEST("a document cut at any byte is refused, and nothing is lost")
{
    static const char doc[] =
        "<?xml version=\"1.0\" encoding=\"GBK\"?><r a='1'><b>x&amp;y</b>"
        "<![CDATA[z]]><!-- c --></r>";
    for (size_t n = 0; n < sizeof doc - 1; n++) {
        struct arena *a = arena_new();
        struct xml_node *root;
        struct err e = {0};
        char *copy = malloc(n ? n : 1); /* exact: ASan sees the end */
        memcpy(copy, doc, n);
        test_note("%zu bytes", n);
        CHECK_EQ_INT(xml_read(a, (struct slice){copy, n}, &e, &root),
                     ERR_BAD_REQUEST);
        CHECK(root == NULL && e.text[0]);
        free(copy);
        arena_free(a);
    }
}
