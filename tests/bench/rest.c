/* SPDX-License-Identifier: Apache-2.0 */
/* rest.c - blocking HTTP for the set-up, and just enough JSON to read it. */
#include "bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_MAX (4 * 1024 * 1024)

static int dial(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)port)};
    struct timeval limit = {.tv_sec = 15};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void write_all(int fd, const char *p, size_t n)
{
    for (ssize_t w; n > 0 && (w = write(fd, p, n)) > 0; n -= (size_t)w)
        p += w;
}

struct answer rest(int port, const char *method, const char *path,
                   const char *token, const char *body)
{
    struct answer a = {0};
    int fd = dial(port);
    if (fd < 0)
        return a;
    char head[1024];
    int n = snprintf(head, sizeof(head),
                     "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                     "Connection: close\r\n%s%s%s%s"
                     "Content-Length: %zu\r\n\r\n",
                     method, path, port,
                     body ? "Content-Type: application/json\r\n" : "",
                     token ? "Authorization: Bearer " : "", token ? token : "",
                     token ? "\r\n" : "", body ? strlen(body) : 0);
    write_all(fd, head, (size_t)n);
    if (body)
        write_all(fd, body, strlen(body));
    size_t room = 8192, len = 0;
    char *text = malloc(room);
    for (ssize_t got; len < ANSWER_MAX; len += (size_t)got) {
        if (room - len < 4096)
            text = realloc(text, room *= 2);
        got = read(fd, text + len, room - len - 1);
        if (got <= 0)
            break;
    }
    close(fd);
    text[len] = '\0';
    const char *end = strstr(text, "\r\n\r\n");
    if (end && sscanf(text, "HTTP/1.%*d %d", &a.status) == 1) {
        a.len = len - (size_t)(end + 4 - text);
        a.body = malloc(a.len + 1);
        memcpy(a.body, end + 4, a.len + 1);
    }
    free(text);
    return a;
}

void answer_free(struct answer *a)
{
    free(a->body);
    a->body = NULL;
}

bool json_find(const char *text, size_t len, const char *key, char *out,
               size_t size)
{
    char name[64];
    int n = snprintf(name, sizeof(name), "\"%s\":", key);
    const char *end = text + len;
    const char *at = memmem(text, len, name, (size_t)n);
    if (!at)
        return false;
    at += n;
    while (at < end && *at == ' ')
        at++;
    bool quoted = at < end && *at == '"';
    if (quoted)
        at++;
    size_t o = 0;
    while (at < end && o + 1 < size &&
           (quoted ? *at != '"' : strchr("0123456789-+.eE", *at) != NULL))
        out[o++] = *at++;
    out[o] = '\0';
    return true;
}

int64_t json_number(const char *text, size_t len, const char *key)
{
    char b[32];
    return json_find(text, len, key, b, sizeof(b)) ? strtoll(b, NULL, 10) : -1;
}
