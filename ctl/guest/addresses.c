/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The addresses that a guest uses, as the switch has seen them on its port.
 * Behind the port may be more than the guest: bridges and containers inside
 * it have MAC addresses of their own, and are not the guest's.
 */
#include "ctl/guest/guest_impl.h"

json_t *guest_addresses(const struct bport *p, const struct mac *mac)
{
    struct bport_address a[BPORT_ADDRESSES_MAX];
    unsigned n = p ? bport_addresses(p, a, BPORT_ADDRESSES_MAX) : 0;
    json_t *list = json_array();
    int rc = 0;

    for (unsigned i = 0; i < n; i++)
        if (mac_equal(&a[i].mac, mac))
            rc |= json_array_append_new(
                list, json_pack("{s:s,s:I}", "address", a[i].text, "age",
                                (json_int_t)a[i].age_cs));
    if (rc == 0)
        return list;
    json_decref(list);
    return NULL;
}
