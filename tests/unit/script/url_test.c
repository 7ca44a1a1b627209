/* SPDX-License-Identifier: Apache-2.0 */
#include "script/text/url.h"
#include "stage.h"

TEST("an address has its parts, and they make it again")
{
    STAGE(STAGE_HELP
          "local u = url.parse 'HTTPS://an%20na:p%40s@Shop.Example:8443/a/b%20c"
          "?q=1&r=%E4#top'\n"
          "is(u.scheme, 'https') is(u.host, 'shop.example') is(u.port, 8443)\n"
          "is(u.user, 'an na') is(u.password, 'p@s') is(u.path, '/a/b%20c')\n"
          "is(u.query, 'q=1&r=%E4') is(u.fragment, 'top')\n"
          "is(url.build(u), 'https://an%20na:p%40s@shop.example:8443/a/b%20c"
          "?q=1&r=%E4#top')\n"
          "u = url.parse 'mailto:anna@example.com'\n"
          "is(u.scheme, 'mailto') is(u.host, nil) is(u.path, "
          "'anna@example.com')\n"
          "u = url.parse '//h?'\n"
          "is(u.scheme, nil) is(u.host, 'h') is(u.path, '') is(u.query, '')\n"
          "u = url.parse 'http://[2001:db8::1]:80/'\n"
          "is(u.host, '[2001:db8::1]') is(u.port, 80)\n"
          "is(url.parse ''.path, '') is(url.parse 'a:b'.scheme, 'a')\n"
          "is(url.build {scheme = 'https', host = 'h', path = '/退款 单', "
          "query = {b = 2, a = 'x y'}}, "
          "'https://h/%E9%80%80%E6%AC%BE%20%E5%8D%95?a=x+y&b=2')\n"
          "is(url.build {path = 'a', query = ''}, 'a?')\n");
}

TEST("what is no address is refused, not repaired")
{
    STAGE(STAGE_HELP
          "for _, bad in ipairs {'http://a b/', 'http://h:x/', 'http://h:1 /', "
          "'http://h:65536/', 'http://h:-1', 'http://[::1', "
          "'http://[::1]x/', 'http://a]b/', 'http://h\\\\x', 'http://h/\\n', "
          "'\\0', 'http://h/<', ('x'):rep(17000)} do\n"
          "  trouble('bad_request', url.parse(bad))\n"
          "end\n");
    STAGE_FAILS("url.build {scheme = 'a b', host = 'h'}", "no address");
    STAGE_FAILS("url.build {host = 'h', path = 'a'}", "begins with /");
    STAGE_FAILS("url.build {host = 'h:1', port = 2}", "no address");
    STAGE_FAILS("url.build {path = '//h'}", "no address");
    STAGE_FAILS("url.build {host = 'h', port = 70000}", "65535");
    STAGE_FAILS("url.build {host = {}}", "must be a text");
    STAGE_FAILS("url.build 'x'", "table");
}

/* An attacker's text in a part stays in its part. */
TEST("a part cannot break out of its place")
{
    STAGE(STAGE_HELP
          "is(url.build {scheme = 'https', host = 'evil@h', path = '/'}, "
          "'https://evil%40h/')\n"
          "is(url.build {scheme = 'https', host = 'h', path = '/a?b#c'}, "
          "'https://h/a%3Fb%23c')\n"
          "is(url.build {scheme = 'https', host = 'h', user = 'a:b@c/'}, "
          "'https://a%3Ab%40c%2F@h')\n"
          "is(url.parse 'http://a@b@c/'.host, 'c')\n"
          "is(url.build {scheme = 'https', host = 'h', query = 'a#b'}, "
          "'https://h?a%23b')\n");
}

TEST("relative addresses are those of RFC 3986, 5.4")
{
    static const char *const cases[][2] = {
        {"g:h", "g:h"},
        {"g", "http://a/b/c/g"},
        {"./g", "http://a/b/c/g"},
        {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},
        {"//g", "http://g"},
        {"?y", "http://a/b/c/d;p?y"},
        {"g?y", "http://a/b/c/g?y"},
        {"#s", "http://a/b/c/d;p?q#s"},
        {"g#s", "http://a/b/c/g#s"},
        {"g?y#s", "http://a/b/c/g?y#s"},
        {";x", "http://a/b/c/;x"},
        {"g;x", "http://a/b/c/g;x"},
        {"g;x?y#s", "http://a/b/c/g;x?y#s"},
        {"", "http://a/b/c/d;p?q"},
        {".", "http://a/b/c/"},
        {"./", "http://a/b/c/"},
        {"..", "http://a/b/"},
        {"../", "http://a/b/"},
        {"../g", "http://a/b/g"},
        {"../..", "http://a/"},
        {"../../", "http://a/"},
        {"../../g", "http://a/g"},
        {"../../../g", "http://a/g"},
        {"../../../../g", "http://a/g"},
        {"/./g", "http://a/g"},
        {"/../g", "http://a/g"},
        {"g.", "http://a/b/c/g."},
        {".g", "http://a/b/c/.g"},
        {"g..", "http://a/b/c/g.."},
        {"..g", "http://a/b/c/..g"},
        {"./../g", "http://a/b/g"},
        {"./g/.", "http://a/b/c/g/"},
        {"g/./h", "http://a/b/c/g/h"},
        {"g/../h", "http://a/b/c/h"},
        {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
        {"g;x=1/../y", "http://a/b/c/y"},
        {"g?y/./x", "http://a/b/c/g?y/./x"},
        {"g?y/../x", "http://a/b/c/g?y/../x"},
        {"g#s/./x", "http://a/b/c/g#s/./x"},
        {"g#s/../x", "http://a/b/c/g#s/../x"},
        {"http:g", "http:g"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out;
        buf_init(&out, URL_BYTES);
        test_note("%s", cases[i][0]);
        CHECK_EQ_INT(
            url_join(SLICE("http://a/b/c/d;p?q"), slice_of(cases[i][0]), &out),
            0);
        CHECK_SLICE(buf_slice(&out), cases[i][1]);
        buf_fini(&out);
    }
    STAGE(STAGE_HELP "is(url.join('http://h', 'a'), 'http://h/a')\n"
                     "trouble('bad_request', url.join('a/b', 'c'))\n"
                     "trouble('bad_request', url.join('http://h', 'a b'))\n"
                     "trouble('bad_request', url.join('a:/b', '/..//c'))\n");
}

TEST("percent and forms go there and back")
{
    STAGE(STAGE_HELP
          "is(url.encode '退款 a-._~/', '%E9%80%80%E6%AC%BE%20a-._~%2F')\n"
          "is(url.decode '%E9%80%80+%zz%4', '退+%zz%4')\n"
          "local all = {}\n"
          "for i = 0, 255 do all[#all + 1] = string.char(i) end\n"
          "all = table.concat(all)\n"
          "is(url.decode(url.encode(all)), all)\n"
          "is(url.query_encode {q = '退 款', page = 2, ok = true, tag = {'a', "
          "'b'}, e = ''}, 'e=&ok=true&page=2&q=%E9%80%80+%E6%AC%BE&tag=a&"
          "tag=b')\n"
          "local f = url.query_decode '?a=1&b=x+y%26&c&=d&&a=2&a=3'\n"
          "is(f.b, 'x y&') is(f.c, '') is(f[''], 'd') is(#f.a, 3) is(f.a[3], "
          "'3') is(f.a[1], '1')\n"
          "is(url.query_decode(url.query_encode {[all] = all})[all], all)\n"
          "is(next(url.query_decode ''), nil)\n"
          "trouble('too_large', url.query_decode(('a&'):rep(1001)))\n");
    STAGE_FAILS("url.query_encode {1, 2}", "must have names");
    STAGE_FAILS("url.query_encode {a = {{}}}", "not table");
    STAGE_FAILS("url.query_encode {a = secret.get 'k'}", "give it to http");
    STAGE_FAILS("url.encode(secret.get 'k')", "give it to http");
    STAGE_FAILS("url.query_encode {a = ('x'):rep(1100000)}", "too long");
    STAGE_FAILS("url.encode(('x'):rep(1100000))", "1 MB");
}

TEST("the largest form does not use up the time, a small memory fails cleanly")
{
    struct stage s = {.memory = 1024 * 1024};
    STAGE("url.decode(('%'):rep(1000000)) url.encode(('%'):rep(1000000))");
    STAGE("url.query_decode('a=' .. ('+'):rep(1000000))");
    STAGE("assert(not url.parse(('a:'):rep(1000000)))");
    if (!strstr(stage_run(&s, "local all = {}\nfor n = 1, 2000 do all[n] = {"
                              "url.query_decode(('a=bc&'):rep(100)),"
                              "url.encode(('x'):rep(500) .. n) } end"),
                "not enough memory"))
        FAIL("%s", s.trouble);
}
