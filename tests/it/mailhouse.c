/* SPDX-License-Identifier: Apache-2.0 */
/* mailhouse.c - see mailhouse.h.
 *
 * Happy path: a key, two configurations, two programs in the foreground, each
 * in a process group of its own; ready when its ports answer. Root is needed
 * for neither: without it both run as who calls the test.
 */
#include "mailhouse.h"
#include "base/clock.h"
#include "test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 90000
#define MAIL_BYTES (32 * 1024 * 1024)

static const char dovecot_conf[] =
    "base_dir = %1$s/run\nstate_dir = %1$s/state\nlog_path = %1$s/dovecot.log\n"
    "protocols = imap lmtp\nlisten = 127.0.0.1\nssl = yes\n"
    "ssl_cert = <%1$s/cert.pem\nssl_key = <%1$s/key.pem\n"
    "mail_location = maildir:%1$s/mail/%%u\ndisable_plaintext_auth = yes\n"
    "auth_mechanisms = plain login\nfirst_valid_uid = 1\n"
    "default_internal_user = %2$s\ndefault_login_user = %3$s\n"
    "default_internal_group = %4$s\n"
    "passdb {\n  driver = passwd-file\n  args = scheme=plain "
    "username_format=%%u %1$s/users\n}\n"
    "userdb {\n  driver = static\n  args = uid=%5$d gid=%6$d "
    "home=%1$s/home/%%u allow_all_users=yes\n}\n"
    /* a wrong password does not make the next log-in wait */
    "service anvil {\n  chroot =\n  unix_listener anvil-auth-penalty {\n"
    "    mode = 0\n  }\n}\n"
    "service imap-login {\n  chroot =\n  inet_listener imap {\n    port = "
    "%7$d\n  }\n  inet_listener imaps {\n    port = %8$d\n    ssl = yes\n  }\n"
    "}\nservice lmtp {\n  inet_listener lmtp {\n    port = %9$d\n  }\n}\n";

static const char exim_conf[] =
    "spool_directory = %1$s/exim/spool\nlog_file_path = %1$s/exim/%%slog\n"
    "pid_file_path = %1$s/exim/pid\nprimary_hostname = mail.shop.test\n"
    "local_interfaces = 127.0.0.1\ndaemon_smtp_ports = %2$d : %3$d\n"
    "tls_on_connect_ports = %3$d\ntls_advertise_hosts = *\n"
    "tls_certificate = %1$s/cert.pem\ntls_privatekey = %1$s/key.pem\n"
    "keep_environment =\nhost_lookup =\nacl_smtp_rcpt = rcpt\n"
    "acl_smtp_data = accept\nbegin acl\nrcpt:\n"
    "  deny local_parts = refused\n       message = no such mailbox here\n"
    "  accept authenticated = *\n"
    "  deny message = relay not permitted\n"
    "begin routers\ngone:\n  driver = redirect\n  local_parts = gone\n"
    "  allow_fail\n  data = :fail: no such mailbox\n"
    "boxes:\n  driver = accept\n  domains = shop.test : customer.test\n"
    "  transport = boxes\nbegin transports\nboxes:\n  driver = smtp\n"
    "  protocol = lmtp\n  hosts = 127.0.0.1\n  port = %4$d\n  hosts_override\n"
    "  allow_localhost\nbegin retry\n* * F,1h,1s\nbegin authenticators\n"
    "plain:\n  driver = plaintext\n  public_name = PLAIN\n"
    "  server_condition = ${if eq{$auth3}{secret}}\n"
    "  server_set_id = $auth2\n"
    "  server_advertise_condition = ${if def:tls_in_cipher}\n";

static const char *path_of(const struct mailhouse *m, const char *name)
{
    static char path[8][256];
    static int at;
    char *p = path[at++ % 8];
    snprintf(p, sizeof path[0], "%s/%s", m->dir, name);
    return p;
}

/* A port that nobody has now. */
static int free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&a, n) ||
        getsockname(fd, (struct sockaddr *)&a, &n))
        a.sin_port = 0;
    close(fd);
    return ntohs(a.sin_port);
}

static bool answers(int port, int64_t ms)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int64_t end = clock_mono_us() / 1000 + ms;
         clock_mono_us() / 1000 < end; poll(NULL, 0, 20)) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool ok = connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
        close(fd);
        if (ok)
            return true;
    }
    return false;
}

static void own(const char *path, const char *user)
{
    const struct passwd *p = geteuid() == 0 ? getpwnam(user) : NULL;
    if (p && chown(path, p->pw_uid, p->pw_gid))
        FAIL("chown %s", path);
}

static void make_dir(const struct mailhouse *m, const char *name,
                     const char *owner)
{
    const char *path = path_of(m, name);
    if (mkdir(path, 0755))
        FAIL("mkdir %s", path);
    own(path, owner);
}

/* argv[0] in the foreground; its words go to a file in the folder. */
static pid_t start(const struct mailhouse *m, const char *const argv[])
{
    const char *log = path_of(m, "out");
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(fd, 1);
        dup2(fd, 2);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    return pid;
}

void mailhouse_end(pid_t *pid)
{
    if (*pid <= 0)
        return;
    kill(-*pid, SIGTERM);
    kill(*pid, SIGTERM);
    while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
        ;
    kill(-*pid, SIGKILL); /* children that lingered */
    *pid = 0;
}

static void print_file(const char *path)
{
    char line[1000];
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        fprintf(stderr, "  %s", line);
    if (f)
        fclose(f);
}

bool mailhouse_dovecot(struct mailhouse *m)
{
    char *conf = strdup(path_of(m, "dovecot.conf"));
    m->dovecot = start(m, (const char *[]){"dovecot", "-F", "-c", conf, NULL});
    free(conf);
    if (answers(m->imap, START_MS) && answers(m->imaps, 1000) &&
        answers(m->lmtp, 1000))
        return true;
    FAIL("dovecot did not start (Debian: dovecot-imapd, dovecot-lmtpd)");
    print_file(path_of(m, "out"));
    print_file(path_of(m, "dovecot.log"));
    return false;
}

bool mailhouse_exim(struct mailhouse *m)
{
    char *conf = strdup(path_of(m, "exim.conf"));
    m->exim =
        start(m, (const char *[]){"exim4", "-C", conf, "-bdf", "-q1s", NULL});
    free(conf);
    if (answers(m->smtp, START_MS) && answers(m->smtps, 1000))
        return true;
    FAIL("exim did not start (Debian: exim4-daemon-light)");
    print_file(path_of(m, "out"));
    return false;
}

static bool write_file(const char *path, const char *text, size_t n)
{
    FILE *f = fopen(path, "w");
    bool ok = f && fwrite(text, 1, n, f) == n;
    return f && fclose(f) == 0 && ok;
}

static bool make_key(const struct mailhouse *m)
{
    char key[256], cert[256];
    snprintf(key, sizeof key, "%s/key.pem", m->dir);
    snprintf(cert, sizeof cert, "%s/cert.pem", m->dir);
    pid_t pid = start(m, (const char *[]){"openssl", "req", "-x509", "-newkey",
                                          "rsa:2048", "-nodes", "-days", "2",
                                          "-subj", "/CN=127.0.0.1", "-addext",
                                          "subjectAltName=IP:127.0.0.1",
                                          "-keyout", key, "-out", cert, NULL});
    int status = -1;
    waitpid(pid, &status, 0);
    chmod(key, 0644); /* of a test: exim reads it as its own user */
    return status == 0;
}

static bool configure(const struct mailhouse *m)
{
    static char text[8000];
    static const char users[] = "help@shop.test:{PLAIN}secret\n"
                                "anna@customer.test:{PLAIN}secret\n";
    const struct passwd *me = getpwuid(geteuid());
    const struct passwd *box = geteuid() ? me : getpwnam("nobody");
    const char *name = geteuid() ? me->pw_name : NULL;
    const char *dir = m->dir;
    int n = snprintf(text, sizeof text, dovecot_conf, dir,
                     name ? name : "dovecot", name ? name : "dovenull",
                     name ? name : "dovecot", (int)box->pw_uid,
                     (int)box->pw_gid, m->imap, m->imaps, m->lmtp);
    bool ok = write_file(path_of(m, "dovecot.conf"), text, (size_t)n);
    n = snprintf(text, sizeof text, exim_conf, dir, m->smtp, m->smtps, m->lmtp);
    ok = ok && write_file(path_of(m, "exim.conf"), text, (size_t)n);
    return ok && write_file(path_of(m, "users"), users, sizeof users - 1);
}

bool mailhouse_start(struct mailhouse *m)
{
    *m = (struct mailhouse){.dir = "/tmp/yuelai-mail-XXXXXX"};
    if (!mkdtemp(m->dir) || chmod(m->dir, 0755)) {
        FAIL("no temporary folder");
        return false;
    }
    snprintf(m->ca, sizeof m->ca, "%s/cert.pem", m->dir);
    int *const ports[] = {&m->imap, &m->imaps, &m->lmtp, &m->smtp, &m->smtps};
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++)
        *ports[i] = free_port();
    make_dir(m, "run", "root");
    make_dir(m, "state", "root");
    make_dir(m, "mail", "nobody");
    make_dir(m, "home", "nobody");
    make_dir(m, "exim", "Debian-exim");
    make_dir(m, "exim/spool", "Debian-exim");
    if (!make_key(m) || !configure(m)) {
        FAIL("no key or configuration");
        return false;
    }
    return mailhouse_dovecot(m) && mailhouse_exim(m);
}

void mailhouse_stop(struct mailhouse *m)
{
    char *dir = m->dir;
    mailhouse_end(&m->exim);
    mailhouse_end(&m->dovecot);
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", dir, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

void mailhouse_put(struct mailhouse *m, const char *user, struct slice mail)
{
    static int number;
    static const char *const parts[] = {"", "/new", "/tmp", "/cur"};
    char to[300], from[300];
    for (size_t i = 0; i < 4; i++) {
        snprintf(to, sizeof to, "%s/mail/%s%s", m->dir, user, parts[i]);
        if (mkdir(to, 0700) == 0)
            own(to, "nobody");
    }
    snprintf(from, sizeof from, "%s/mail/%s/tmp/%d", m->dir, user, ++number);
    snprintf(to, sizeof to, "%s/mail/%s/new/%lld.%d.test", m->dir, user,
             (long long)clock_ms() / 1000, number);
    CHECK(write_file(from, mail.at, mail.len));
    own(from, "nobody");
    CHECK(rename(from, to) == 0);
}

/* Calls for each mail with the text; the last one stays in out. */
static int look(struct mailhouse *m, const char *user, const char *text,
                struct buf *out)
{
    static const char *const parts[] = {"new", "cur"};
    struct buf one;
    int found = 0;
    buf_init(&one, MAIL_BYTES);
    for (size_t i = 0; i < 2; i++) {
        char path[300], file[600];
        snprintf(path, sizeof path, "%s/mail/%s/%s", m->dir, user, parts[i]);
        DIR *dir = opendir(path);
        for (struct dirent *e; dir && (e = readdir(dir));) {
            snprintf(file, sizeof file, "%s/%s", path, e->d_name);
            FILE *f = e->d_name[0] == '.' ? NULL : fopen(file, "r");
            buf_clear(&one);
            for (size_t n = 1; f && n && buf_reserve(&one, 65536) == 0;
                 one.len += n)
                n = fread(one.data + one.len, 1, 65536, f);
            if (f)
                fclose(f);
            if (f && memmem(one.data, one.len, text, strlen(text))) {
                found++;
                buf_clear(out);
                CHECK(buf_add(out, one.data, one.len) == 0 &&
                      buf_add_char(out, 0) == 0);
                out->len--; /* as a C string */
            }
        }
        if (dir)
            closedir(dir);
    }
    buf_fini(&one);
    return found;
}

int mailhouse_count(struct mailhouse *m, const char *user, const char *text)
{
    struct buf out;
    buf_init(&out, MAIL_BYTES);
    int n = look(m, user, text, &out);
    buf_fini(&out);
    return n;
}

bool mailhouse_find(struct mailhouse *m, const char *user, const char *text,
                    int64_t ms, struct buf *out)
{
    int64_t end = clock_mono_us() / 1000 + ms;
    do {
        if (look(m, user, text, out))
            return true;
        poll(NULL, 0, 20);
    } while (clock_mono_us() / 1000 < end);
    return false;
}
