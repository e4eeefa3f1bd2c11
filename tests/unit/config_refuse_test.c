/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What configurations are told when they say something wrong.
 */
#include "ctl/config/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define NET  "network:\n  version: 2\n"
#define BR   NET "  bridges:\n    br0:\n"
#define BR_  BR "      " /* line 5, column 7 */
#define ETH  NET "  bridges: {br0: {interfaces: [e0]}}\n  ethernets:\n    e0:\n"
#define ETH_ ETH "      " /* line 6, column 7 */
#define OWN  "bascule:\n  bridges:\n    br0:\n"
#define OWN_ OWN "      " /* line 4, column 7 */

/* 'text' is refused at 'place' ("LINE:COLUMN: KEY: ") with such words. */
static void refused(const char *text, const char *place, const char *words)
{
    struct conf *c = (void *)&c;
    struct err e = {""};
    char head[200];
    int rc = conf_load_text(&c, text, strlen(text), &e);

    if (rc == 0)
        fail_msg("not refused (%s):\n%s", words, text);
    assert_int_equal(rc, -EINVAL);
    assert_null(c);
    snprintf(head, sizeof(head), "text:%s", place);
    if (strncmp(e.text, head, strlen(head)) != 0 || !strstr(e.text, words))
        fail_msg("expected %s ... %s\nfound %s\n%s", head, words, e.text, text);
    assert_null(strchr(e.text, '\n'));
}

static void yaml(void **state)
{
    (void)state;
    refused("", "1:1: ", "empty");
    refused("# nothing\n", "1:1: ", "empty");
    refused("---\n...\n", "1:1: ", "empty");
    refused("~\n", "1:1: ", "empty");
    refused("{}\n", "1:1: ", "empty");
    refused("hello\n", "1:1: ", "expected a map");
    refused("- a\n", "1:1: ", "expected a map");
    refused(NET "---\nnetwork: {}\n", "3:1: ", "second document");
    refused("network:\n\tversion: 2\n", "2:1: ", "tab");
    refused("network:\n  version: 2\n  bridges:\n  \tbr0: {}\n", "4:", "tab");
    refused("network: {\n", "2:1: ", "not YAML");
    refused("network: [}\n", "1:11: ", "not YAML");
    refused("network: \"abc\n", "2:1: ", "not YAML");
    refused("a: \xff\n", "1:4: ", "octet 0xff is not UTF-8");
    refused("\xc3\xa9: \xc3\n", "1:4: ", "octet 0xc3 is not UTF-8");
    refused("a: \xed\xa0\x80\n", "1:4: ", "not UTF-8");
    refused("a: \xc0\x80\n", "1:4: ", "not UTF-8");
    refused("b: c\na: \x01\n", "2:4: ", "U+0001");
    refused("b: c\r\na: \x7f\r\n", "2:4: ", "U+007F");
    refused("\xff\xfen\0e\0", "1:1: ", "not UTF-8");
    refused("network: &a {}\n", "1:10: ", "anchors");
    refused("network: *a\n", "1:10: ", "aliases");
    refused("network: !mine {}\n", "1:10: ", "tags");
    refused("network: {version: !!binary Mg==}\n", "1:20: ", "binary");
    refused("network:\n  <<: {version: 2}\n", "2:3: ", "merge");
    refused("network: {[a]: b}\n", "1:11: ", "a key must be a word");
    refused("network: {\"a\\nb\": b}\n", "1:11: ", "more than one line");
    refused("network: {\"a\\0b\": b}\n", "1:11: ", "NUL");
    refused(NET "network: {}\n", "3:1: network: ", "text:1:1");
    refused("netwrok: {}\n", "1:1: netwrok: ", "did you mean network?");
    refused("ospf: {}\n", "1:1: ospf: ", "it has network, bascule");
    refused("network: &a [*a]\n", "1:10: ", "anchors");
}

static void nul(void **state)
{
    static const char text[] = "network:\n  v\0ersion: 2\n";
    struct conf *c;
    struct err e;

    (void)state;
    assert_int_equal(conf_load_text(&c, text, sizeof(text) - 1, &e), -EINVAL);
    assert_non_null(strstr(e.text, "text:2:4: a NUL octet"));
    assert_null(c);
}

/* The mark that some editors put before UTF-8 counts for no column. */
static void mark(void **state)
{
    (void)state;
    refused("\xef\xbb\xbfnetwork: 3\n", "1:10: network: ", "expected a map");
    refused("a\xef\xbb\xbf: 3\n", "1:2: ", "U+FEFF");
}

static void network(void **state)
{
    (void)state;
    refused("network:\n", "1:9: network: ", "found nothing");
    refused("network: {version: 3}", "1:20: version: ", "only version 2");
    refused("network: {version: [2]}", "1:20: version: ", "only version 2");
    refused("network: {renderer: ifupdown}", "1:21: renderer: ",
            "expected networkd or NetworkManager, found ifupdown");
    refused("network: {bridge: {}}", "1:11: bridge: ", "did you mean bridges?");
    refused("network: {bridges: []}", "1:20: bridges: ", "found a list");
    refused("network: {bridges: {br0: }}", "1:26: br0: ", "found nothing");
    refused("network: {bridges: {br0: {}, br0: {}}}",
            "1:30: br0: ", "written twice; it was in text:1:21");
    refused("network: {bridges: {a: {}}, ethernets: {a: {}}}",
            "1:41: a: ", "in text:1:21 already, under bridges:");
    refused("network: {bridges: {way-too-long-name: {}}}",
            "1:21: way-too-long-name: ", "longer than 15");
    refused("network: {bridges: {\"a/b\": {}}}", "1:21: a/b: ", "not allowed");
    refused("network: {bridges: {\"br%d\": {}}}", "1:21: br%d: ", "kernel");
}

static void bridge(void **state)
{
    (void)state;
    refused(BR_ "interface: [e]\n", "5:7: interface: ",
            "a bridge has no such key; did you mean interfaces?");
    refused(BR_ "adresses: []\n", "5:7: adresses: ", "did you mean addresses?");
    refused(BR_ "interfaces: e0\n", "5:19: interfaces: ", "expected a list");
    refused(BR_ "interfaces: [[e0]]\n", "5:20: interfaces: ", "found a list");
    refused(BR_ "interfaces: [e0, e0]\n",
            "5:24: interfaces: ", "written twice; it was in text:5:20");
    refused(BR_ "interfaces: [br0]\n", "5:20: ", "is a bridge itself");
    refused(BR_ "interfaces: [w]\n  wifis: {w: {}}\n",
            "5:20: ", "w is under wifis: in text:6:11");
    refused(BR_ "interfaces: [eth0-is-far-too-long]\n",
            "5:20: ", "longer than 15");
    refused(BR_ "interfaces: [\"tap:x\"]\n", "5:20: ", "':'");
    refused(BR_ "interfaces: [e0]\n    br1: {interfaces: [e0]}\n",
            "6:24: interfaces: ", "there is a port e0 in text:5:20 already");
    refused(BR_ "interfaces: [e0]\n    br1: {interfaces: [e0]}\n"
                "  ethernets: {e0: {}}\n",
            "6:24: interfaces: ", "is a port of br0 already, see text:5:20");
    refused(BR_ "mtu: 1500\n      mtu: 1500\n",
            "6:7: mtu: ", "it was in text:5:7");
    refused(BR_ "mtu: 67\n",
            "5:12: mtu: ", "expected a number from 68 to 65521, found 67");
    refused(BR_ "mtu: -1\n", "5:12: mtu: ", "from 68");
    refused(BR_ "mtu: 1.5\n", "5:12: mtu: ", "from 68");
    refused(BR_ "mtu: {}\n", "5:12: mtu: ", "expected a number, found a map");
    refused(BR_ "mtu:\n", "5:11: mtu: ", "expected a number, found nothing");
    refused(BR_ "macaddress: 01:00:5e:00:00:01\n",
            "5:19: macaddress: ", "no address a device can have");
    refused(BR_ "macaddress: random\n",
            "5:19: macaddress: ", "random is not supported; write the address");
    refused(BR_ "macaddress: 02:00:00:00:00\n",
            "5:19: macaddress: ", "expected an address such as");
    refused(BR_ "renderer: sriov\n", "5:17: renderer: ", "NetworkManager");
    refused(BR_ "dhcp4: 1\n", "5:14: dhcp4: ", "expected yes or no, found 1");
    refused(BR_ "dhcp4: [yes]\n", "5:14: dhcp4: ", "found a list");
    refused(BR_ "dhcp-identifier: iaid\n", "5:24: ", "mac or duid");
    refused(BR_ "dhcp4-overrides: {use-dns: maybe}\n",
            "5:34: use-dns: ", "yes");
    refused(BR_ "dhcp4-overrides: {usedns: no}\n",
            "5:25: usedns: ", "did you mean use-dns?");
    refused(BR_ "dhcp4-overrides: {use-domains: path}\n",
            "5:38: use-domains: ", "yes, no or route, found path");
    refused(BR_ "dhcp4-overrides: {hostname: \"a b\"}\n",
            "5:35: hostname: ", "' ' is not allowed");
    refused(BR_ "link-local: yes\n", "5:19: ", "expected a list");
    refused(BR_ "link-local: [ipv5]\n", "5:20: ", "ipv4 or ipv6");
    refused(BR_ "activation-mode: on\n", "5:24: ", "manual or off");
    refused(BR_ "critical: true\n", "5:17: critical: ", "leave it out");
    refused(BR_ "hairpin: true\n", "5:7: hairpin: ", "under ethernets:");
    refused(BR_ "routing-policy: []\n", "5:7: routing-policy: ", "ip rule");
    refused(BR_ "openvswitch: {}\n", "5:7: openvswitch: ", "Open vSwitch");
    refused(BR_ "networkmanager: {}\n", "5:7: networkmanager: ", "leave");
    refused(BR_ "ipv6-address-token: \"::1\"\n", "5:7: ", "ip token");
    refused(BR_ "ipv6-address-generation: eui64\n", "5:7: ", "sysctl");
    refused(BR_ "ra-overrides: {}\n", "5:7: ra-overrides: ", "accept-ra");
    refused(BR_ "optional-addresses: [dhcp6]\n", "5:27: ", "not supported");
    refused(BR_ "neigh-suppress: true\n", "5:23: ", "leave it out");
    refused(BR_ "match: {name: x}\n", "5:7: match: ", "no such key");
}

static void addresses(void **state)
{
    (void)state;
    refused(BR_ "addresses: 10.0.0.1/24\n", "5:18: ", "expected a list");
    refused(BR_ "addresses: [10.0.0.1]\n",
            "5:19: addresses: ", "with its prefix length");
    refused(BR_ "addresses: [10.0.0.1/33]\n", "5:19: ", "from 0 to 32");
    refused(BR_ "addresses: [10.0.0.1/]\n", "5:19: ", "from 0 to 32");
    refused(BR_ "addresses: [10.0.0.1/2x]\n", "5:19: ", "from 0 to 32");
    refused(BR_ "addresses: [10.0.0/24]\n", "5:19: ", "such as");
    refused(BR_ "addresses: [10.0.0.1/0]\n", "5:19: ", "no address");
    refused(BR_ "addresses: [224.0.0.1/24]\n", "5:19: ", "no address");
    refused(BR_ "addresses: [\"::/64\"]\n", "5:19: ", "no address");
    refused(BR_ "addresses: [\"fe80::1%eth0/64\"]\n", "5:19: ", "such as");
    refused(BR_ "addresses: [10.0.0.1/24, 10.0.0.1/24]\n",
            "5:32: addresses: ", "stands in text:5:19 already");
    refused(BR_ "addresses: [{10.0.0.1/24: {label: a-label-too-long-x}}]\n",
            "5:41: label: ", "longer than 15");
    refused(BR_ "addresses: [{\"2001:db8::1/64\": {label: a}}]\n",
            "5:46: label: ", "only IPv4");
    refused(BR_ "addresses: [{10.0.0.1/24: {lifetime: 5}}]\n",
            "5:44: lifetime: ", "forever or 0");
    refused(BR_ "addresses: [{10.0.0.1/24: {scope: link}}]\n",
            "5:34: scope: ", "no such key");
    refused(BR_ "nameservers: [8.8.8.8]\n",
            "5:20: nameservers: ", "expected a map");
    refused(BR_ "nameservers: {addresses: [8.8.8]}\n",
            "5:33: addresses: ", "such as 192.0.2.1");
    refused(BR_ "nameservers: {addresses: [8.8.8.8/24]}\n", "5:33: ", "such");
    refused(BR_ "nameservers: {search: [\"\"]}\n", "5:30: search: ", "empty");
    refused(BR_ "nameservers: {search: [\"a,b\"]}\n", "5:30: search: ", "','");
}

static void wrong_routes(void **state)
{
    (void)state;
    refused(BR_ "routes: [{via: 10.0.0.1}]\n",
            "5:16: routes: ", "must say where it goes");
    refused(BR_ "routes: [{to: default}]\n", "5:21: to: ", "IPv4 or of IPv6?");
    refused(BR_ "routes: [{to: 0.0.0.0/0}]\n", "5:16: ", "needs via");
    refused(BR_ "routes: [{to: 10.0.0.0/8, scope: global}]\n",
            "5:16: ", "needs via");
    refused(BR_ "routes: [{to: 10.0.0.0/8, via: \"fe80::1\"}]\n",
            "5:38: via: ", "not of both");
    refused(BR_ "routes: [{to: 10.0.0.0/8, via: 10.0.0.1/24}]\n",
            "5:38: via: ", "an address such as 192.0.2.1");
    refused(BR_ "routes: [{to: 10.0.0.0/8, via: 0.0.0.0}]\n",
            "5:38: via: ", "no address of a host");
    refused(BR_ "routes: [{to: 10.0.0.0/8, on-link: yes}]\n",
            "5:16: ", "via is reached");
    refused(BR_ "routes: [{to: 10.0.0.0/8, type: nat}]\n",
            "5:39: type: ", "the kernel has no routes of type nat");
    refused(BR_ "routes: [{to: 10.0.0.0/8, type: blackhole, via: 10.0.0.1}]\n",
            "5:55: via: ", "goes nowhere");
    refused(BR_ "routes: [{to: 10.0.0.0/8, type: black}]\n",
            "5:39: type: ", "expected unicast, local,");
    refused(BR_ "routes: [{to: 10.0.0.0/8, table: 0}]\n",
            "5:40: table: ", "from 1 to 4294967295");
    refused(BR_ "routes: [{to: 10.0.0.0/8, metric: 4294967296}]\n",
            "5:41: metric: ", "from 0 to 4294967295");
    refused(BR_ "routes: [{to: 10.0.0.0/8, advmss: 1}]\n",
            "5:33: advmss: ", "no such key");
    refused(BR_ "routes:\n        - {to: 10.0.0.0/8, via: 1.1.1.1}\n"
                "        - {to: 10.0.0.0/8, via: 1.1.1.2}\n",
            "7:11: routes: ", "already");
    refused(BR_ "gateway4: 10.0.0.1\n      routes:\n"
                "        - {to: default, via: 1.1.1.2}\n",
            "7:11: routes: ", "in text:5:17 already");
    refused(BR_ "gateway4: \"::1\"\n", "5:17: gateway4: ", "no IPv4 address");
    refused(BR_ "gateway6: 10.0.0.1\n", "5:17: gateway6: ", "no IPv6 address");
}

static void parameters(void **state)
{
    (void)state;
    refused(BR_ "parameters: {stp: 2}\n", "5:25: stp: ", "yes or no");
    refused(BR_ "interfaces: [e0]\n      parameters: {path-cost: 65536}\n",
            "6:31: path-cost: ", "path-cost-method: long");
    refused(BR_ "parameters: {priority: 65536}\n",
            "5:30: priority: ", "from 0 to 65535");
    refused(BR_ "parameters: {ageing-time: 6001}\n",
            "5:33: ageing-time: ", "expected 0 to 6000 seconds, found 6001");
    refused(BR_ "parameters: {ageing-time: -1}\n", "5:33: ", "20s, 500ms");
    refused(BR_ "parameters: {ageing-time: 5ly}\n", "5:33: ", "20s, 500ms");
    refused(BR_ "parameters: {ageing-time: 5ms}\n", "5:33: ", "10 ms");
    refused(BR_ "parameters: {ageing-time: 99999999999999999999}\n",
            "5:33: ", "20s");
    refused(BR_ "parameters: {ageing-time: 9, aging-time: 9}\n",
            "5:48: aging-time: ", "it was in text:5:33");
    refused(BR_ "parameters: {hello-time: 11}\n", "5:32: ", "1 to 10 seconds");
    refused(BR_ "parameters: {max-age: 5s}\n", "5:29: ", "6 to 40 seconds");
    refused(BR_ "parameters: {hello: 2}\n",
            "5:20: hello: ", "did you mean hello-time?");
    refused(BR_ "parameters: {path-cost: {e9: 5}}\n",
            "5:31: path-cost: ", "e9 is not among the interfaces of br0");
    refused(BR_ "interfaces: [e0]\n      parameters: {path-cost: {e0: 0}}\n",
            "6:36: e0: ", "from 1 to 65535");
    refused(BR_ "interfaces: [e0]\n      parameters: {path-cost: 65536}\n",
            "6:31: path-cost: ", "from 1 to 65535");
    refused(BR_
            "interfaces: [e0]\n      parameters: {port-priority: {e0: 64}}\n",
            "6:40: e0: ", "from 0 to 63");
    refused(BR_ "parameters: {path-cost: [1]}\n", "5:31: ", "expected a map");
    refused(BR_ "parameters: []\n", "5:19: parameters: ", "expected a map");
}

static void ethernets(void **state)
{
    (void)state;
    refused(ETH_ "dhcp4: yes\n", "6:14: dhcp4: ", "write it with the bridge");
    refused(ETH_ "addresses: [10.0.0.1/8]\n", "6:18: addresses: ", "bridge");
    refused(ETH_ "routes: [{}]\n", "6:15: routes: ", "write it with");
    refused(ETH_ "gateway4: 10.0.0.1\n", "6:7: gateway4: ", "write it with");
    refused(ETH_ "nameservers: {}\n", "6:7: nameservers: ", "write it with");
    refused(ETH_ "dhcp4-overrides: {usedns: no}\n",
            "6:25: usedns: ", "did you mean use-dns");
    refused(ETH_ "link-local: [ipv6]\n", "6:19: link-local: ", "bridge");
    refused(ETH_ "accept-ra: yes\n", "6:18: accept-ra: ", "bridge");
    refused(ETH_ "dhcp: no\n", "6:7: dhcp: ", "did you mean dhcp");
    refused(ETH_ "mtu: 67\n", "6:12: mtu: ", "from 68 to 65535");
    refused(ETH_ "set-name: e1\n", "6:17: set-name: ", "needs match:");
    refused(ETH_ "set-name: e1\n      match: {name: e0}\n",
            "6:17: set-name: ", "renames no devices");
    refused(ETH_ "match: {}\n", "6:14: match: ", "say which");
    refused(ETH_ "match: {mac: x}\n", "6:15: mac: ", "no such key");
    refused(ETH_ "match: {driver: []}\n", "6:23: driver: ", "matches nothing");
    refused(ETH_ "match: {driver: a b}\n", "6:23: driver: ", "no blanks");
    refused(ETH_ "match: {macaddress: permanent}\n", "6:27: ", "write the");
    refused(ETH_ "emit-lldp: true\n", "6:18: emit-lldp: ", "lldpd");
    refused(ETH_ "tcp-segmentation-offload: false\n", "6:7: ", "ethtool -K");
    refused(ETH_ "auth: {}\n", "6:7: auth: ", "wpa_supplicant");
    refused(ETH_ "link: e1\n", "6:7: link: ", "SR-IOV");
    refused(ETH_ "infiniband-mode: datagram\n", "6:7: ", "InfiniBand");
    refused(ETH_ "activation-mode: manual\n", "6:7: ", "up with its bridge");
    refused(ETH_ "hairpin: 5\n", "6:16: hairpin: ", "yes or no");
    refused(ETH_ "optional: 5\n", "6:17: optional: ", "yes or no");
    refused(ETH_ "renderer: networkd\n      mtu: 1500\n  renderer: "
                 "NetworkManager\n",
            "6:17: renderer: ", "configured by NetworkManager");
    refused("network:\n  renderer: networkd\n"
            "  ethernets: {renderer: NetworkManager, e0: {}}\n"
            "  bridges: {br0: {interfaces: [e0]}}\n",
            "3:25: renderer: ", "configured by networkd");
    refused(NET "  bridges: {br0: {interfaces: [e0]}}\n  ethernets: {e0: }\n",
            "4:19: e0: ", "found nothing");
}

static void own_section(void **state)
{
    (void)state;
    refused("bascule: {version: 2}", "1:20: version: ", "only version 1");
    refused("bascule: {bridge: {}}", "1:11: bridge: ", "did you mean bridges?");
    refused(OWN_ "port: []\n", "4:7: port: ", "did you mean ports?");
    refused(OWN_ "local: maybe\n", "4:14: local: ", "yes or no");
    refused(OWN_ "adopt: maybe\n",
            "4:14: adopt: ", "expected yes, no or disable, found maybe");
    refused(OWN_ "adopt: yes\n      ageing: 30\n", "5:7: ageing: ",
            "br0 is a bridge of the kernel's (adopt: in text:4:14), and");
    refused("network: {bridges: {br0: {}}}\n"
            "bascule: {bridges: {br0: {adopt: yes}}}\n",
            "1:21: br0: ", "by adopt: in text:2:34");
    refused(OWN_ "local: no\n      mtu: 1500\n",
            "5:7: mtu: ", "br0 has no interface (local: no, in text:4:14)");
    refused(OWN_ "force-version: mstp\n",
            "4:22: force-version: ", "expected stp or rstp, found mstp");
    refused(OWN_ "path-cost-method: 1\n", "4:25: ", "short or long");
    refused(OWN_ "tx-hold: 11\n", "4:16: tx-hold: ", "from 1 to 10");
    refused(OWN_ "ports: [{spec: mem:x, p2p: 2}]\n",
            "4:34: p2p: ", "expected auto, on or off, found 2");
    refused(OWN_ "group-fwd-mask: 0x10000\n", "4:23: ", "from 0 to 65535");
    refused(OWN_ "fdb-limit: 0\n", "4:18: fdb-limit: ", "from 1 to");
    refused(OWN_ "ports: tap:x\n", "4:14: ports: ", "expected a list");
    refused(OWN_ "ports: [\"tap:\"]\n", "4:15: ports: ", "nothing to open");
    refused(OWN_ "ports: [tap:x,mtu=9]\n", "4:21: ports: ", "in quotes");
    refused(OWN_ "ports: [{}]\n", "4:15: ports: ", "needs spec:");
    refused(OWN_ "ports: [{spec: mem:x, port: y}]\n",
            "4:22: spec: ", "not both");
    refused(OWN_ "ports: [{port: y}]\n",
            "4:22: port: ", "y is not among the interfaces");
    refused(OWN_ "ports: [{spec: mem:x, flod: no}]\n",
            "4:29: flod: ", "did you mean flood?");
    refused(OWN_ "ports: [{spec: mem:x, path-cost: 65536}]\n",
            "4:40: ", "from 1 to 65535");
    refused(OWN_ "ports: [mem:x, mem:x]\n",
            "4:22: ports: ", "there is a port x in text:4:15");
    refused(OWN_ "ports: [\"mem:x,name=br1\"]\n    br1: {}\n",
            "4:15: ports: ", "br1 is the name of a bridge, in text:5:5");
    refused(OWN_ "ports: [\"tap:br1,name=a\"]\n    br1: {}\n",
            "4:15: ports: ", "br1 is a bridge, in text:5:5");
    refused(OWN_ "ports: [\"tap:x\", \"tap:x,name=b\"]\n",
            "4:24: ports: ", "x is a port already, in text:4:15");
    refused("bascule: {include: x.yaml}", "1:20: include: ", "no files");
    refused("bascule: {include: [[x]]}", "1:21: include: ", "single value");
}

/* A specification that would be too long once it is written out in full. */
static void long_spec(void **state)
{
    char text[1200], key[600];

    (void)state;
    for (unsigned n = 490; n < 505; n++) {
        struct conf *c = NULL;
        struct err e = {""};
        int rc;

        memset(key, 'x', n);
        key[n] = '\0';
        snprintf(text, sizeof(text),
                 "bascule: {bridges: {a: {ports: [\"e,k=%s\"]}}}", key);
        rc = conf_load_text(&c, text, strlen(text), &e);
        if (n <= 500) { /* packet:e,k= and these make 511 */
            assert_int_equal(rc, 0);
            conf_free(c);
        } else {
            assert_int_equal(rc, -EINVAL);
            assert_non_null(strstr(e.text, "longer than 511 characters"));
        }
    }
}

static void merged(void **state)
{
    (void)state;
    refused(BR_ "mtu: 1500\nbascule: {bridges: {br0: {mtu: 1500}}}\n",
            "6:27: mtu: ", "it was in text:5:7");
    refused(BR_ "parameters: {aging-time: 5}\n"
                "bascule: {bridges: {br0: {ageing: 5}}}\n",
            "6:35: ageing: ", "it was in text:5:32");
    refused(BR_ "interfaces: [e0]\nbascule: {bridges: {br0: {ports: [e0]}}}\n",
            "6:35: ports: ", "there is a port e0 in text:5:20");
    refused(BR_
            "interfaces: [e0]\n      parameters: {path-cost: 7}\n"
            "bascule: {bridges: {br0: {ports: [{port: e0, path-cost: 8}]}}}",
            "7:57: path-cost: ", "it was in text:6:31");
    refused(BR_ "renderer: networkd\n"
                "bascule: {bridges: {br0: {renderer: networkd}}}\n",
            "6:37: renderer: ", "it was in text:5:17");
}

static void too_many_ports(void **state)
{
    char *text = malloc(64UL << 10), *at = text;

    (void)state;
    at += sprintf(at, "bascule:\n  bridges:\n    br0:\n      ports:\n");
    for (int i = 0; i < 1024; i++)
        at += sprintf(at, "      - mem:p%d\n", i);
    refused(text, "3:5: br0: ", "1024 ports; a bridge has at most 1023");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml),           cmocka_unit_test(nul),
        cmocka_unit_test(mark),           cmocka_unit_test(network),
        cmocka_unit_test(bridge),         cmocka_unit_test(addresses),
        cmocka_unit_test(wrong_routes),   cmocka_unit_test(parameters),
        cmocka_unit_test(ethernets),      cmocka_unit_test(own_section),
        cmocka_unit_test(long_spec),      cmocka_unit_test(merged),
        cmocka_unit_test(too_many_ports),
    };

    alarm(230); /* tests/run ends it at 240 */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
