/* SPDX-License-Identifier: Apache-2.0 */
/* bind_crypto.h - what the files of the crypto module share. */
#pragma once
#include "base/crypto.h"
#include "base/limits.h"
#include "script/api/options.h"

#define CRYPTO_OUT_BYTES (2 * LIMIT_BODY_BYTES + 64) /* hex is the widest */

/* A text or a secret of at most 1 MB; raises for anything else. */
struct slice crypto_data(lua_State *L, int arg, const char *what);
enum form { FORM_RAW, FORM_HEX, FORM_BASE64, FORM_BASE64URL };
enum form crypto_form(lua_State *L, int arg, enum form otherwise);
/* s lies not in bind_buf. */
int crypto_push(lua_State *L, struct slice s, enum form form);
enum digest crypto_digest(lua_State *L, int arg, const char *what);

/* bind_crypto_keys.c */
int crypto_cbc_encrypt(lua_State *L);
int crypto_cbc_decrypt(lua_State *L);
int crypto_gcm_encrypt(lua_State *L);
int crypto_gcm_decrypt(lua_State *L);
int crypto_rsa_sign(lua_State *L);
int crypto_rsa_verify(lua_State *L);
int crypto_ed25519_sign(lua_State *L);
int crypto_ed25519_verify(lua_State *L);
int crypto_ecdsa_sign(lua_State *L);
int crypto_ecdsa_verify(lua_State *L);
/* bind_crypto_jwt.c */
int crypto_jwt_sign(lua_State *L);
int crypto_jwt_verify(lua_State *L);
