/* SPDX-License-Identifier: Apache-2.0 */
/* httpc_lib.c - finding libcurl and its functions.
 *
 * Happy path: the library that the program was built for is there. Failure: it
 * is not, or lacks a function: no call can be made, and each says so.
 */
#include "net/httpc_lib.h"
#include "base/log.h"

#include <dlfcn.h>

#define CURL_SONAME "libcurl.so.4" /* Debian's libcurl4 */

struct curl_functions curl;

bool curl_is_open(void)
{
    static enum { NOT_YET, OPEN, ABSENT } state;
    if (state != NOT_YET)
        return state == OPEN;
    void *lib = dlopen(CURL_SONAME, RTLD_NOW | RTLD_LOCAL);
    bool all = lib != NULL;
#define FIND(name)                                                             \
    if (all) {                                                                 \
        *(void **)&curl.name = dlsym(lib, "curl_" #name);                      \
        all = curl.name != NULL;                                               \
    }
    CURL_FUNCTIONS(FIND)
#undef FIND
    if (all)
        all = curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    else
        log_error("net", "nobody can be called: %s", dlerror());
    state = all ? OPEN : ABSENT;
    return all;
}
