/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/mac.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/random.h>

const char *mac_format(const struct mac *m, char text[MAC_TEXT_MAX])
{
    const uint8_t *o = m->octet;

    snprintf(text, MAC_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", o[0], o[1],
             o[2], o[3], o[4], o[5]);
    return text;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool mac_parse(const char *text, struct mac *m)
{
    struct mac out;
    char sep = 0;

    for (int i = 0; i < 6; i++) {
        int v = hex(*text);

        if (v < 0)
            return false;
        text++;
        if (hex(*text) >= 0)
            v = v << 4 | hex(*text++);
        out.octet[i] = (uint8_t)v;
        if (i == 5)
            break;
        if (*text != ':' && *text != '-')
            return false;
        if (sep && *text != sep)
            return false;
        sep = *text++;
    }
    if (*text != '\0')
        return false;
    *m = out;
    return true;
}

struct mac mac_random(void)
{
    struct mac m = {{0}};

    while (getrandom(m.octet, sizeof(m.octet), 0) != sizeof(m.octet))
        continue;
    m.octet[0] = (uint8_t)((m.octet[0] & 0xfc) | 0x02);
    return m;
}
