/* SPDX-License-Identifier: Apache-2.0 */
/* httpc_lib.h - libcurl, opened when the first call is made.
 *
 * It brings thirty more libraries (three for TLS, Kerberos, LDAP), 3 MB and
 * some ms of a start, for a house that may never call anybody. Its functions
 * are in `curl`, without their prefix: curl.easy_init() is curl_easy_init().
 *
 * Thread: main.   Errors: curl_is_open says false, once with a line in the log.
 */
#pragma once
#define CURL_DISABLE_TYPECHECK 1
#include <curl/curl.h>
#include <stdbool.h>

#undef curl_easy_setopt /* macros that only count their arguments */
#undef curl_easy_getinfo
#undef curl_multi_setopt

#define CURL_FUNCTIONS(X)                                                      \
    X(easy_cleanup)                                                            \
    X(easy_getinfo)                                                            \
    X(easy_init)                                                               \
    X(easy_pause)                                                              \
    X(easy_recv)                                                               \
    X(easy_send)                                                               \
    X(easy_setopt)                                                             \
    X(easy_strerror)                                                           \
    X(free)                                                                    \
    X(global_init)                                                             \
    X(multi_add_handle)                                                        \
    X(multi_assign)                                                            \
    X(multi_cleanup)                                                           \
    X(multi_info_read)                                                         \
    X(multi_init)                                                              \
    X(multi_remove_handle)                                                     \
    X(multi_setopt)                                                            \
    X(multi_socket_action)                                                     \
    X(slist_append)                                                            \
    X(slist_free_all)                                                          \
    X(url)                                                                     \
    X(url_cleanup)                                                             \
    X(url_get)                                                                 \
    X(url_set)

struct curl_functions {
#define MEMBER(name) __typeof__(curl_##name) *name;
    CURL_FUNCTIONS(MEMBER)
#undef MEMBER
};
extern struct curl_functions curl;

/* Opens it the first time; nothing of curl may be called before it is true. */
bool curl_is_open(void);
