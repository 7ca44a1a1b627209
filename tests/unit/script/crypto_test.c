/* SPDX-License-Identifier: Apache-2.0 */
#include "keys.h"
#include "stage.h"

#define HELP STAGE_HELP "local c = crypto\nlocal hex = c.hex_decode\n"
/* Long texts of Lua, with the keys as globals of the chunk. */
#define KEYS                                                                   \
    "local rsa, rsa_public, cert = [[" RSA_KEY "]], [[" RSA_PUBLIC             \
    "]], [[" RSA_CERT "]]\n"                                                   \
    "local ec, ec_public, locked = [[" EC_KEY "]], [[" EC_PUBLIC               \
    "]], [[" LOCKED_KEY "]]\n"                                                 \
    "local ed, ed_public = [[" ED_KEY "]], [[" ED_PUBLIC "]]\n"                \
    "local said = '\xe8\xbd\xac\xe8\xb4\xa6 100 \xe5\x85\x83'\n"

TEST("digests are those of the standards")
{
    STAGE(HELP
          "is(c.md5 'abc', '900150983cd24fb0d6963f7d28e17f72')\n"
          "is(c.sha1 'abc', 'a9993e364706816aba3e25717850c26c9cd0d89d')\n"
          "is(c.sha256 'abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9"
          "cb410ff61f20015ad')\n"
          "is(c.sha512('abc', 'raw'), hex('ddaf35a193617abacc417349ae20413112e6"
          "fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423"
          "643ce80e2a9ac94fa54ca49f'))\n"
          "is(#c.sha384 '', 96)\n"
          "is(c.sha1('', 'base64'), '2jmj7l5rSw0yVb/vlWAYkK/YBwk=')\n"
          "is(require 'crypto', c)\n");
}

TEST("HMAC is that of RFC 4231")
{
    STAGE(HELP
          "is(c.hmac('sha256', ('\\11'):rep(20), 'Hi There'), 'b0344c61d8db38"
          "535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7')\n"
          "is(c.hmac('sha512', 'Jefe', 'what do ya want for nothing?'), '164b7"
          "a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c"
          "05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737')\n"
          "is(c.hmac('sha256', ('\\170'):rep(131), 'Test Using Larger Than Blo"
          "ck-Size Key - Hash Key First'), '60e431591ee0b67f0d8a26aacbf5b77f8e"
          "0bc6213728c5140546040f0ee37f54')\n"
          "is(c.hmac('sha1', 'key', 'x', 'base64'), "
          "c.base64_encode(c.hmac('sha1', 'key', 'x', 'raw')))\n");
}

TEST("AES-GCM is that of NIST, and a changed byte is a forgery")
{
    STAGE(HELP
          "local key = hex 'feffe9928665731c6d6a8f9467308308'\n"
          "local iv = hex 'cafebabefacedbaddecaf888'\n"
          "local aad = hex 'feedfacedeadbeeffeedfacedeadbeefabaddad2'\n"
          "local text = hex('d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e"
          "4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b"
          "39')\n"
          "local sealed, tag = c.aes_gcm_encrypt(key, iv, text, {aad = aad})\n"
          "is(c.hex_encode(sealed), '42831ec2217774244b7221b784d0d49ce3aa212f2c"
          "02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac"
          "973d58e091')\n"
          "is(c.hex_encode(tag), '5bc94fbc3221a5db94fae95ae7121a47')\n"
          "is(c.aes_gcm_decrypt(key, iv, sealed, {aad = aad, tag = tag}), "
          "text)\n"
          "is(c.aes_gcm_decrypt(key, iv, sealed .. tag, {aad = aad}), text)\n"
          "trouble('forged', c.aes_gcm_decrypt(key, iv, sealed .. tag))\n"
          "trouble('forged', c.aes_gcm_decrypt(key, iv, 'x', {aad = aad}))\n"
          "trouble('forged', c.aes_gcm_decrypt(key, iv, 'x' .. "
          "sealed:sub(2) .. tag, {aad = aad}))\n"
          "local none, mark = c.aes_gcm_encrypt(('\\0'):rep(32), "
          "('\\0'):rep(12), '')\n"
          "is(none, '') is(c.hex_encode(mark), "
          "'530f8afbc74536b9a963b4f1c4cb738b')\n");
}

TEST("AES-CBC pads to 16, to 32 or not at all")
{
    STAGE(HELP
          "local key, iv = hex '2b7e151628aed2a6abf7158809cf4f3c', "
          "hex '000102030405060708090a0b0c0d0e0f'\n"
          "local text = hex '6bc1bee22e409f96e93d7e117393172a'\n"
          "is(c.hex_encode(c.aes_cbc_encrypt(key, iv, text, "
          "{padding = 'none'})), '7649abac8119b246cee98e9b12e9197d')\n"
          "for n = 0, 70 do\n"
          "  for _, block in ipairs {16, 32} do\n"
          "    local said = ('x'):rep(n)\n"
          "    local sealed = c.aes_cbc_encrypt(key, iv, said, "
          "{block = block})\n"
          "    is(#sealed, n - n % block + block)\n"
          "    is(c.aes_cbc_decrypt(key, iv, sealed, {block = block}), said)\n"
          "  end\n"
          "end\n"
          "trouble('bad_request', c.aes_cbc_encrypt(key, iv, 'half', "
          "{padding = 'none'}))\n"
          "trouble('bad_request', c.aes_cbc_decrypt(key, iv, 'half'))\n"
          "trouble('bad_request', c.aes_cbc_decrypt(key, iv, ''))\n"
          "trouble('bad_request', c.aes_cbc_decrypt(iv, iv, "
          "c.aes_cbc_encrypt(key, iv, 'x')))\n");
    STAGE_FAILS("crypto.aes_cbc_encrypt('short', ('i'):rep(16), '')",
                "16, 24 or 32 bytes");
    STAGE_FAILS("crypto.aes_cbc_encrypt(('k'):rep(16), 'i', '')", "the iv 16");
    STAGE_FAILS("crypto.aes_cbc_encrypt(('k'):rep(16), ('i'):rep(16), '', "
                "{block = 8})",
                "16 or 32");
}

/* docs of the platform, section 6 of the facts sheet: V1, V2, V3 */
TEST("WeChat's sealed messages open, and a reply is sealed as WeChat does it")
{
    STAGE(HELP
          "local function sign(...)\n"
          "  local list = {...}\n"
          "  table.sort(list)\n"
          "  return c.sha1(table.concat(list))\n"
          "end\n"
          "is(sign('AAAAA', '1714036504', '1514711492'), "
          "'f464b24fc39322e44b38aa78f5edd27bd1441696')\n"
          "is(sign('AAAAA', '1714037059', '486452656'), "
          "'899cf89e464efb63f54ddac96b0a0a235f53aa78')\n"
          "local sealed = '+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsO"
          "zQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT74"
          "0XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn"
          "2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDr"
          "M1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04='\n"
          "is(sign('AAAAA', '1714112445', '415670741', sealed), "
          "'046e02f8204d34f8ba5fa3b1db94908f3df2e9b3')\n"
          "local key = c.base64_decode(('A'):rep(43) .. '=')\n"
          "is(#key, 32)\n"
          "local full = c.aes_cbc_decrypt(key, key:sub(1, 16), "
          "c.base64_decode(sealed), {block = 32})\n"
          "is(full:sub(1, 16), 'a8eedb185eb2fecf')\n"
          "is(full:sub(17, 20), '\\0\\0\\0\\167')\n"
          "is(full:sub(188), 'wxba5fad812f8e6fb9')\n"
          "is(json.decode(full:sub(21, 187)).debug_str, 'hello world')\n"
          "local reply = '707722b803182950\\0\\0\\0\\25{\"demo_resp\":\"good "
          "luck\"}wxba5fad812f8e6fb9'\n"
          "is(#reply, 63)\n"
          "local answer = c.base64_encode(c.aes_cbc_encrypt(key, "
          "key:sub(1, 16), reply, {block = 32}))\n"
          "is(answer, 'ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6q"
          "rLARC9nVHm48Y4hyRbtzve1L32tmxSQ==')\n"
          "is(sign('AAAAA', '1713424427', '415670741', answer), "
          "'1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1')\n");
}

/* V4: the key's spare bits are not zero, the padding is 21 */
TEST("a key whose last base64 digit has spare bits is read as WeChat reads it")
{
    STAGE(HELP
          "local sealed = 'rTNFcsut4LfGuAFKEUVVpwcaCOTJzOd9twZdIW910jb3k+iicx2"
          "uvhttIZ3Qg9Qgty3BEF2xbOrz6boTfb30dMomcgrkTqdFPwnhqbk+kIQ7rZiwny9D7N"
          "UrTgA5kpX3KsZvrXzUZyP2x9YOlxbgm572lmxKvM7HAQQhIQ/p6HBmoY30bGXFK0BtI"
          "u1pW9TjhOYrLQoU18nWYjWqDA1ynkmOytpv7QRI1P1+0NoxL0q2zO1DgeSvnE8CZGo/"
          "o5Ap/WHK5W2RAsinpzN4/LjPnmB6U01I5XCoJoC0GK/yMZycd2Oh8Nq6+wBkC1U85oy"
          "0ktOY4nLvsQMLrourmMGdZHuTbqpeJ8Ao/5PRYJ+WBvRUwPfGKBL2+2IKZF49vAJqkc"
          "GWSHGE76ZN2erXeuNazf/o9o3lIE3q739o4c8t9QGPe31GT2Go/rOz1BsrASwvauNul"
          "Ch+++yz+CQzBIuikA=='\n"
          "local key = c.base64_decode 'abcdefghijklmnopqrstuvwxyz0123456789ABC"
          "DEFG='\n"
          "local full = assert(c.aes_cbc_decrypt(key, key:sub(1, 16), "
          "c.base64_decode(sealed), {block = 32}))\n"
          "is(full:byte(19) * 256 + full:byte(20), 293)\n"
          "local x = xml.decode(full:sub(21, 20 + 293))\n"
          "is(x.Content, 'hello') is(x.FromUserName, 'asdasdasdsadasd')\n"
          "is(full:sub(314), 'wxb11529c136998cb6')\n");
}

TEST("Ed25519 is that of RFC 8032")
{
    STAGE(HELP KEYS
          "local key = hex '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703"
          "bac031cae7f60'\n"
          "local public = hex 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325"
          "af021a68f707511a'\n"
          "local sign = 'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e0"
          "65224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e"
          "7a100b'\n"
          "is(c.ed25519_sign(key, '', {as = 'hex'}), sign)\n"
          "is(c.ed25519_sign(ed, '', {as = 'hex'}), sign)\n"
          "is(c.ed25519_verify(public, '', hex(sign)), true)\n"
          "is(c.ed25519_verify(ed_public, '', hex(sign)), true)\n"
          "is(c.ed25519_verify(public, 'x', hex(sign)), false)\n"
          "is(c.ed25519_verify(public, '', 'short'), false)\n"
          "is(c.ed25519_sign(hex '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba"
          "624da8cf6ed4fb8a6fb', 'r', {as = 'hex'}), '92a009a9f0d4cab8720e820b5"
          "f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
          "d8c387b2eaeb4302aeeb00d291612bb0c00')\n"
          "trouble('bad_key', c.ed25519_sign(rsa, ''))\n"
          "trouble('bad_key', c.ed25519_verify('nonsense', '', ''))\n");
}

TEST("RSA and ECDSA agree with another library")
{
    STAGE(HELP KEYS
          "local signed = c.base64_decode '" RSA_SIGNED "'\n"
          "is(c.rsa_sign(rsa, said), signed)\n"
          "is(c.rsa_sign(rsa, said, {as = 'base64'}), '" RSA_SIGNED "')\n"
          "is(c.rsa_verify(rsa_public, said, signed), true)\n"
          "is(c.rsa_verify(cert, said, signed), true)\n"
          "is(c.rsa_verify(cert, said .. '!', signed), false)\n"
          "is(c.rsa_verify(cert, said, signed, {padding = 'pss'}), false)\n"
          "is(c.rsa_verify(cert, said, signed, {hash = 'sha512'}), false)\n"
          "is(c.rsa_verify(cert, said, ''), false)\n"
          "local pss = c.base64_decode '" PSS_SIGNED "'\n"
          "is(c.rsa_verify(cert, said, pss, {padding = 'pss'}), true)\n"
          "is(c.rsa_verify(cert, said, c.rsa_sign(rsa, said, {padding = "
          "'pss'}), {padding = 'pss'}), true)\n"
          "local two = c.base64_decode '" EC_SIGNED "'\n"
          "is(c.ecdsa_verify(ec_public, said, two), true)\n"
          "is(c.ecdsa_verify(ec_public, 'x', two), false)\n"
          "is(c.ecdsa_verify(ec_public, said, ('\\0'):rep(64)), false)\n"
          "is(c.ecdsa_verify(ec_public, said, c.ecdsa_sign(ec, said)), "
          "true)\n");
}

TEST("a key that cannot be used is told, and nobody is asked for a passphrase")
{
    STAGE(HELP KEYS
          "trouble('bad_key', c.rsa_sign(locked, said))\n"
          "trouble('bad_key', c.rsa_sign(rsa_public, said))\n"
          "trouble('bad_key', c.rsa_sign(ec, said))\n"
          "trouble('bad_key', c.rsa_sign('', said))\n"
          "trouble('bad_key', c.rsa_sign(('x'):rep(20000), said))\n"
          "trouble('bad_key', c.ecdsa_sign(ed, said))\n"
          "trouble('bad_key', c.rsa_verify(cert:gsub('A', 'B'), said, ''))\n");
    STAGE_FAILS("crypto.rsa_sign('k', 'd', {hash = 'sha3'})", "sha512");
    STAGE_FAILS("crypto.rsa_sign('k', 'd', {padding = 'oaep'})", "\"pss\"");
}

TEST("tokens are made and believed only as the verifier says")
{
    STAGE(HELP KEYS
          "local now = math.floor(time.now() / 1000)\n"
          "local claims = {iss = 'yuelai', exp = now + 60, n = {1, 2}}\n"
          "for alg, pair in pairs {HS256 = {'k', 'k'}, HS512 = {'k', 'k'}, "
          "RS256 = {rsa, cert}, PS256 = {rsa, rsa_public}, ES256 = {ec, "
          "ec_public}, EdDSA = {ed, ed_public}} do\n"
          "  local token = assert(c.jwt_sign(alg, pair[1], claims, {kid = "
          "'7'}))\n"
          "  local head = json.decode(c.base64_decode(token:match '^[^.]+'))\n"
          "  is(head.alg, alg) is(head.kid, '7') is(head.typ, 'JWT')\n"
          "  local got = assert(c.jwt_verify(alg, pair[2], token))\n"
          "  is(got.iss, 'yuelai') is(got.n[2], 2)\n"
          "  trouble('forged', c.jwt_verify(alg, pair[2], "
          "token:sub(1, -10) .. 'AAAAAAAA' .. token:sub(-1)))\n"
          "  if alg ~= 'HS256' then\n"
          "    trouble('forged', c.jwt_verify('HS256', pair[2], token))\n"
          "  end\n"
          "end\n"
          "local function sign(t) return c.jwt_sign('HS256', 'k', t) end\n"
          "local function verify(t) return c.jwt_verify('HS256', 'k', t) end\n"
          "trouble('expired', verify(sign {exp = now - 100}))\n"
          "trouble('expired', verify(sign {nbf = now + 100}))\n"
          "trouble('expired', verify(sign {exp = 'soon'}))\n"
          "is(verify(sign {exp = now - 5, sub = 'x'}).sub, 'x')\n"
          "for _, bad in ipairs {'', '.', '..', 'a.b', 'a.b.c', 'e30.e30.', "
          "('x'):rep(70000)} do\n"
          "  local ok, code = verify(bad)\n"
          "  is(ok, nil)\n"
          "  if code ~= 'bad_request' and code ~= 'forged' then error(code) "
          "end\n"
          "end\n"
          "trouble('forged', verify(c.base64url_encode('{\"alg\":\"none\"}') "
          ".. '.e30.'))\n");
}

/* Its signature is right, its time was 2011. */
TEST("the token of RFC 7515 is genuine and over")
{
    STAGE(HELP
          "local key = c.base64_decode 'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJ"
          "QLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow'\n"
          "local token = 'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJq"
          "b2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19y"
          "b290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'\n"
          "trouble('expired', c.jwt_verify('HS256', key, token))\n"
          "trouble('forged', c.jwt_verify('HS256', key .. 'x', token))\n");
}

TEST("base64 and hex go there and back, and nonsense is told")
{
    STAGE(HELP "for n = 0, 50 do\n"
               "  local b = n == 0 and '' or c.random(n)\n"
               "  is(c.base64_decode(c.base64_encode(b)), b)\n"
               "  is(c.base64_decode(c.base64url_encode(b)), b)\n"
               "  is(hex(c.hex_encode(b)), b)\n"
               "end\n"
               "is(c.base64_encode 'foobar', 'Zm9vYmFy')\n"
               "is(c.base64url_encode(hex 'fbff'), '-_8')\n"
               "is(c.base64_decode ' Zm9v\\r\\nYg == ', 'foob')\n"
               "for _, bad in ipairs {'Z', 'Zm9vY', 'Z!==', 'Zm==9v', "
               "'\\0AAA'} do\n"
               "  trouble('bad_request', c.base64_decode(bad))\n"
               "end\n"
               "trouble('bad_request', hex '0')\n"
               "trouble('bad_request', hex 'zz')\n");
}

TEST("random is random, and of the size asked for")
{
    STAGE(HELP
          "is(#c.random(1024), 1024)\n"
          "is(#c.random(8, 'hex'), 16)\n"
          "local seen = {}\n"
          "for _ = 1, 100 do\n"
          "  local id = c.uuid()\n"
          "  is(seen[id], nil)\n"
          "  seen[id] = true\n"
          "  is(id:match '^%x%x%x%x%x%x%x%x%-%x%x%x%x%-4%x%x%x%-[89ab]%x%x%x%-"
          "%x%x%x%x%x%x%x%x%x%x%x%x$', id)\n"
          "end\n"
          "is(c.equal('a', 'a'), true) is(c.equal('a', 'b'), false)\n"
          "is(c.equal('a', 'ab'), false) is(c.equal('', ''), true)\n");
    STAGE_FAILS("crypto.random(1025)", "1 to 1024");
    STAGE_FAILS("crypto.random(0)", "1 to 1024");
    STAGE_FAILS("crypto.random(0/0)", "1 to 1024");
}

TEST("what cannot be meant is refused with a sentence")
{
    STAGE_FAILS("crypto.sha1()", "must be a text or a secret");
    STAGE_FAILS("crypto.sha1 {}", "not table");
    STAGE_FAILS("crypto.sha1(('x'):rep(1024 * 1024 + 1))", "1 MB");
    STAGE_FAILS("crypto.hmac('sha3', 'k', 'd')", "known are md5");
    STAGE_FAILS("crypto.jwt_sign('none', 'k', {})", "known are HS256");
    STAGE_FAILS("crypto.jwt_sign('HS256', 'k', {f = print})", "no JSON form");
    STAGE_FAILS("crypto.sha1('', 'latin')", "latin");
}

TEST("a small memory fails cleanly in the middle of any call")
{
    static const char *const calls[] = {
        "crypto.hex_encode(x)", "crypto.base64_decode(crypto.base64_encode(x))",
        "crypto.aes_cbc_encrypt(('k'):rep(16), ('i'):rep(16), x)",
        "crypto.aes_gcm_encrypt(('k'):rep(16), 'i', x)",
        "crypto.jwt_sign('HS256', 'k', {x = x:sub(1, 30000)})"};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        char lua[300];
        /* So small that it is full well before the time is up. */
        struct stage s = {.memory = 900 * 1024};
        snprintf(lua, sizeof lua,
                 "local x, all = ('x'):rep(100000), {}\n"
                 "for n = 1, 1000 do all[n] = { n, %s, n } x = x .. n end",
                 calls[i]);
        test_note("%s", calls[i]);
        const char *said = stage_run(&s, lua);
        if (!strstr(said, "not enough memory"))
            FAIL("no \"not enough memory\" in: %s", said);
    }
}
