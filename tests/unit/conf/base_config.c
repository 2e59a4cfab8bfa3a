/* SPDX-License-Identifier: BSD-3-Clause */
/* The good configuration that the tests spoil, and loading with a look at the first error. */
#include "base_config.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
const char base_yaml[] =
	"system:\n"                                                                                          /* 1 */
	"  eal_args: [\"--no-pci\"]\n"                                                                       /* 2 */
	"  workers: 1\n"                                                                                     /* 3 */
	"  idle: poll\n"                                                                                     /* 4 */
	"control: {socket: /run/t.sock, log_level: debug}\n"                                                 /* 5 */
	"interfaces:\n"                                                                                      /* 6 */
	"  - {name: lan, device: \"net_tap0\", address: 10.1.0.1/24}\n"                                      /* 7 */
	"  - {name: wan, device: \"net_tap1,iface=w\", address: 192.0.2.1/24, mtu: 1400}\n"                  /* 8 */
	"routes:\n"                                                                                          /* 9 */
	"  - {prefix: 0.0.0.0/0, via: 192.0.2.254}\n"                                                        /* 10 */
	"neighbours:\n"                                                                                      /* 11 */
	"  - {interface: wan, address: 192.0.2.9, mac: \"02:00:00:00:00:09\"}\n"                             /* 12 */
	"policies:\n"                                                                                        /* 13 */
	"  - {name: web, action: bypass, local_selectors: [10.1.0.0/24], remote_selectors: [10.9.0.0/24]}\n" /* 14 */
	"  - {name: lab, action: protect, target: to-b}\n"                                                   /* 15 */
	"manual_sas:\n"                                                                                      /* 16 */
	"  - name: to-b\n"                                                                                   /* 17 */
	"    proposal: aes256gcm16\n"                                                                        /* 18 */
	"    local: 192.0.2.1\n"                                                                             /* 19 */
	"    remote: 192.0.2.2\n"                                                                            /* 20 */
	"    spi_in: 0x1001\n"                                                                               /* 21 */
	"    spi_out: 0x1002\n"                                                                              /* 22 */
	"    keys: key-b\n"                                                                                  /* 23 */
	"    lab_keys: true\n"                                                                               /* 24 */
	"    local_selectors: [10.1.0.0/24]\n"                                                               /* 25 */
	"    remote_selectors: [10.3.0.0/24]\n"                                                              /* 26 */
	"tunnels:\n"                                                                                         /* 27 */
	"  - name: paris\n"                                                                                  /* 28 */
	"    version: 2\n"                                                                                   /* 29 */
	"    local: {address: 192.0.2.1, id: gw-a.example.net, auth: psk}\n"                                 /* 30 */
	"    remote: {address: 192.0.2.7, id: gw-b.example.net, auth: psk}\n"                                /* 31 */
	"    phase1:\n"                                                                                      /* 32 */
	"      proposals: [aes256gcm16-prfsha384-ecp384, \"aes128-sha256-modp2048\"]\n"                      /* 33 */
	"      lifetime: 4h\n"                                                                               /* 34 */
	"      dpd: {interval: 5s, timeout: 4s}\n"                                                           /* 35 */
	"    phase2:\n"                                                                                      /* 36 */
	"      - name: net\n"                                                                                /* 37 */
	"        mode: tunnel\n"                                                                             /* 38 */
	"        proposals: [aes256gcm16, aes128gcm16-ecp256]\n"                                             /* 39 */
	"        local_selectors: [10.1.0.0/24]\n"                                                           /* 40 */
	"        remote_selectors: [\"10.2.0.0/24\"]\n"                                                      /* 41 */
	"        lifetime: 90s\n"                                                                            /* 42 */
	"        start: initiate\n";                                                                         /* 43 */

const char base_secrets[] =
	"psk:\n"                                                                                      /* 1 */
	"  - {local: gw-a.example.net, remote: gw-b.example.net, secret: \"a long random text\"}\n"   /* 2 */
	"manual_keys:\n"                                                                              /* 3 */
	"  - name: key-b\n"                                                                           /* 4 */
	"    encr_in: 0x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223\n"   /* 5 */
	"    encr_out: 0xf00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223\n"; /* 6 */
/* clang-format on */

char *spoil(const char *text, const char *from, const char *to, char *ret_text)
{
	const char *at = strstr(text, from);

	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	snprintf(ret_text, SPOILED_BYTES, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	return ret_text;
}

int load_text(const char *yaml, const char *secrets, struct config **ret_config, struct config_errors *ret_errors)
{
	return config_load_bytes(
		"gw.yaml", BYTES(yaml, strlen(yaml)), BYTES(secrets, strlen(secrets)), ret_config, ret_errors);
}

struct config *loaded(const char *yaml, const char *secrets)
{
	static struct config_errors errors;
	struct config *c = NULL;
	char text[1024];

	if (load_text(yaml, secrets, &c, &errors))
		printf("# %s\n", config_error_format(&errors.items[0], text, sizeof(text)));
	CU_ASSERT_PTR_NOT_NULL_FATAL(c);
	CU_ASSERT_EQUAL(errors.count, 0);
	return c;
}

void refused_text(const char *yaml, const char *secrets, const char *expected)
{
	static struct config_errors errors;
	struct config *c = (struct config *)&errors;
	char text[1024] = "accepted";

	if (load_text(yaml, secrets, &c, &errors))
		config_error_format(&errors.items[0], text, sizeof(text));
	CU_ASSERT_PTR_NULL(c);
	CU_ASSERT_STRING_EQUAL(text, expected);
	if (strcmp(text, expected) != 0)
		printf("# got      %s\n# expected %s\n", text, expected);
	config_free(c);
}
