/* SPDX-License-Identifier: Apache-2.0 */
/* model.c - a provider of answers, as a process of its own.
 *
 * It speaks OpenAI's chat completions as far as streams go: a chunk a token,
 * each so long after the one before, then usage and [DONE]. One epoll; the
 * streams that run stand in one list, looked through every TICK_MS.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS 5
#define ASK_BYTES (64 * 1024)
#define PEERS 20000 /* file numbers */

struct peer {
    int fd;
    char *ask; /* what came of a request; NULL between two */
    size_t len;
    int next; /* token; -1 = nothing is said */
    int64_t due_ns;
};

static struct peer peers[PEERS];
static int tokens_each, gap_ms, highest;

static void hang_up(struct peer *p)
{
    close(p->fd);
    free(p->ask);
    *p = (struct peer){.fd = -1, .next = -1};
}

/* A chunk of HTTP, sent at once: a peer who does not read is hung up on. */
static bool say_event(struct peer *p, const char *data)
{
    char out[512];
    int n = (int)strlen(data) + 8;
    int len = snprintf(out, sizeof(out), "%x\r\ndata: %s\n\n\r\n", n, data);
    if (send(p->fd, out, (size_t)len, MSG_NOSIGNAL) == len)
        return true;
    hang_up(p);
    return false;
}

static void say_token(struct peer *p)
{
    char data[200];
    if (p->next < tokens_each) {
        /* A sentence every eight: the guard lets an answer grow by them. */
        snprintf(data, sizeof(data),
                 "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":"
                 "{\"content\":\"%s\"},\"finish_reason\":null}]}",
                 p->next % 8 == 7 ? MODEL_END : MODEL_TOKEN);
        p->next++;
        p->due_ns += gap_ms * 1000000LL;
        say_event(p, data);
        return;
    }
    static const char last[] = "0\r\n\r\n";
    snprintf(data, sizeof(data),
             "{\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":20,"
             "\"completion_tokens\":%d}}",
             tokens_each);
    if (say_event(p, "{\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},"
                     "\"finish_reason\":\"stop\"}]}") &&
        say_event(p, data) && say_event(p, "[DONE]")) {
        p->next = -1;
        if (send(p->fd, last, sizeof(last) - 1, MSG_NOSIGNAL) !=
            (ssize_t)sizeof(last) - 1)
            hang_up(p);
    }
}

static bool is_whole(const struct peer *p)
{
    const char *end = memmem(p->ask, p->len, "\r\n\r\n", 4);
    const char *length = end ? strcasestr(p->ask, "\r\nContent-Length:") : NULL;
    size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
    return end && p->len >= (size_t)(end - p->ask) + 4 + body;
}

static void on_bytes(struct peer *p)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: "
                               "text/event-stream\r\nTransfer-Encoding: "
                               "chunked\r\n\r\n";
    if (!p->ask && !(p->ask = malloc(ASK_BYTES + 1)))
        die("memory");
    ssize_t n = recv(p->fd, p->ask + p->len, ASK_BYTES - p->len, 0);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            hang_up(p);
        return;
    }
    p->len += (size_t)n;
    p->ask[p->len] = '\0';
    if (!is_whole(p))
        return;
    free(p->ask);
    p->ask = NULL;
    p->len = 0;
    if (send(p->fd, head, sizeof(head) - 1, MSG_NOSIGNAL) < 0) {
        hang_up(p);
        return;
    }
    p->next = 0;
    p->due_ns = now_ns() + gap_ms * 1000000LL;
}

static void take_peers(int listen_fd, int epoll_fd)
{
    for (int fd, one = 1;
         (fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        if (fd >= PEERS)
            die("model: too many peers");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        peers[fd] = (struct peer){.fd = fd, .next = -1};
        struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
        highest = fd > highest ? fd : highest;
    }
}

_Noreturn static void serve(int listen_fd)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int epoll_fd = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = listen_fd};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &e);
    for (int i = 0; i < PEERS; i++)
        peers[i] = (struct peer){.fd = -1, .next = -1};
    for (;;) {
        struct epoll_event got[256];
        int n = epoll_wait(epoll_fd, got, 256, TICK_MS);
        for (int i = 0; i < n; i++) {
            if (got[i].data.fd == listen_fd)
                take_peers(listen_fd, epoll_fd);
            else if (peers[got[i].data.fd].fd >= 0)
                on_bytes(&peers[got[i].data.fd]);
        }
        int64_t at = now_ns();
        for (int i = 0; i <= highest; i++)
            while (peers[i].next >= 0 && peers[i].due_ns <= at)
                say_token(&peers[i]);
    }
}

void model_start(struct model *m, int tokens, int each_ms)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) != 0 ||
        listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) != 0)
        die("model: %s", strerror(errno));
    tokens_each = tokens;
    gap_ms = each_ms;
    m->port = ntohs(a.sin_port);
    m->pid = fork();
    if (m->pid == 0)
        serve(fd);
    close(fd);
}

void model_stop(struct model *m)
{
    kill(m->pid, SIGKILL);
    waitpid(m->pid, NULL, 0);
}
