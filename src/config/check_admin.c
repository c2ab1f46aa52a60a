// Who can reach the admin API, and what it needs then. (Plain text on the network would show the token to
// whoever listens; without a token anybody could read what only this machine should.)
#include "check.h"
#include <arpa/inet.h>

// Of a well-formed address.
static bool stays_here(const char *address) {
    struct in_addr host;
    char text[INET_ADDRSTRLEN];
    size_t len = strcspn(address, ":");
    if (strncmp(address, "unix:", 5) == 0 || strncmp(address, "[::1]:", 6) == 0)
        return true;
    if (len == 0 || len >= sizeof text)
        return false;
    memcpy(text, address, len);
    text[len] = '\0';
    return inet_pton(AF_INET, text, &host) == 1 && ntohl(host.s_addr) >> 24 == 127;
}

static void check_reach(struct check *check, const struct admin_config *admin) {
    bool token = admin->token_file != NULL, secure = admin->tls != NULL;
    if (!admin->reachable || (token && secure) || report_refused(check->report, &admin->tls))
        return;
    report_add(check->report, place_of_field(check, &admin->address, admin->place),
               "or listen on 127.0.0.1 or on unix:/path",
               "admin address %.200s can be reached from other machines: it needs %s", admin->address,
               token    ? "`tls`"
               : secure ? "`token_file`"
                        : "`token_file` and `tls`");
}

void check_admin(struct check *check) {
    struct admin_config *admin = &check->config->admin;
    if (admin->tls && strncmp(admin->address, "unix:", 5) == 0)
        report_add(check->report, admin->tls->main.place, NULL, "`admin.tls` is not for a unix socket");
    if (admin->tls && admin->tls->client_ca)
        admin->tls->client_certificate = CLIENT_CERTIFICATE_REQUIRED;
    admin->reachable = !stays_here(admin->address);
    check_reach(check, admin);
}
