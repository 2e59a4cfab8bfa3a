/* SPDX-License-Identifier: BSD-3-Clause */
/* EAL arguments composed from configuration and machine; EAL itself is not started. */
#include "eal_priv.h"

#include <errno.h>

#include "harness.h"

#define GIGABYTE (1024ull * 1024 * 1024)

static struct config_interface interfaces[2];
static char *words[8];
static char reason[512];

static struct config make_config(const char *device_a, const char *device_b)
{
	struct config c = { .system = { .mbufs = 16384, .workers = 1, .idle = IDLE_ADAPTIVE, .eal_args = words },
		.interfaces = interfaces,
		.interface_count = 2 };

	snprintf(interfaces[0].device, sizeof(interfaces[0].device), "%s", device_a);
	snprintf(interfaces[1].device, sizeof(interfaces[1].device), "%s", device_b);
	return c;
}

static struct config virtual_config(void)
{
	return make_config("net_af_packet0,iface=lan", "net_af_packet1,iface=wan");
}

static void give(struct config *c, const char *word)
{
	words[c->system.eal_arg_count++] = (char *)word;
}

static struct eal_facts make_facts(size_t cpus)
{
	struct eal_facts f = { .cpu_count = cpus, .free_huge_bytes = GIGABYTE, .instance = 77 };

	for (size_t i = 0; i < cpus; i++)
		f.cpus[i] = (uint16_t)(4 + i);
	return f;
}

/* All arguments on one line, which is what a reader of a failed test wants to see. */
static char *joined(const struct config *c, const struct eal_facts *f)
{
	static char text[4096];
	struct eal_args args;
	size_t len = 0;
	int rc = eal_args_build(c, f, &args, reason, sizeof(reason));

	text[0] = '\0';
	if (rc)
		return strcpy(text, "refused");
	for (size_t i = 0; i < args.count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s ", args.words[i]);
	CU_ASSERT_PTR_NULL(args.words[args.count]);
	eal_args_done(&args);
	return text;
}

#define CU_ASSERT_HAS(text, part)   CU_ASSERT_PTR_NOT_NULL(strstr(text, part))
#define CU_ASSERT_LACKS(text, part) CU_ASSERT_PTR_NULL(strstr(text, part))

static void test_eal_virtual_devices_need_no_pci(void)
{
	struct config c = virtual_config();
	struct eal_facts f = make_facts(4);
	const char *text = joined(&c, &f);

	CU_ASSERT_HAS(text, "--vdev net_af_packet0,iface=lan ");
	CU_ASSERT_HAS(text, "--vdev net_af_packet1,iface=wan ");
	CU_ASSERT_HAS(text, "--no-pci ");
	CU_ASSERT_HAS(text, "--file-prefix=sallyport-77 ");
	CU_ASSERT_HAS(text, "--log-level=warning ");
}

/* Interfaces of different VLANs. */
static void test_eal_shared_device_is_made_once(void)
{
	struct config c = make_config("net_af_packet0,iface=lan", "net_af_packet0,iface=lan");
	struct eal_facts f = make_facts(4);
	const char *text = joined(&c, &f), *first = strstr(text, "--vdev");

	CU_ASSERT_PTR_NOT_NULL_FATAL(first);
	CU_ASSERT_LACKS(first + 6, "--vdev");
}

static void test_eal_pci_devices_are_allowed_by_address(void)
{
	struct config c = make_config("0000:01:00.0", "01:00.1,arg=1");
	struct eal_facts f = make_facts(4);
	const char *text = joined(&c, &f);

	CU_ASSERT_HAS(text, "-a 0000:01:00.0 ");
	CU_ASSERT_HAS(text, "-a 01:00.1,arg=1 ");
	CU_ASSERT_LACKS(text, "--no-pci");
	CU_ASSERT_LACKS(text, "--vdev");
}

static void test_eal_pci_addresses_are_told_from_names(void)
{
	CU_ASSERT_TRUE(eal_device_is_pci("0000:af:00.1"));
	CU_ASSERT_TRUE(eal_device_is_pci("af:00.1,x=y"));
	CU_ASSERT_FALSE(eal_device_is_pci("net_tap0"));
	CU_ASSERT_FALSE(eal_device_is_pci("0000:01:00"));
	CU_ASSERT_FALSE(eal_device_is_pci("01:00.10"));
	CU_ASSERT_FALSE(eal_device_is_pci(""));
}

static void test_eal_device_name_ends_at_comma(void)
{
	char name[16];

	CU_ASSERT_EQUAL(eal_device_name("net_tap0,iface=x", name, sizeof(name)), 0);
	CU_ASSERT_STRING_EQUAL(name, "net_tap0");
	CU_ASSERT_EQUAL(eal_device_name("net_tap0_with_a_long_name", name, sizeof(name)), -ENAMETOOLONG);
}

static void test_eal_lcores_get_a_cpu_each(void)
{
	struct config c = virtual_config();
	struct eal_facts f = make_facts(8);

	c.system.workers = 3;
	CU_ASSERT_HAS(joined(&c, &f), "--lcores 0@4,1@5,2@6,3@7 ");
}

static void test_eal_one_worker_when_none_is_asked_for(void)
{
	struct config c = virtual_config();
	struct eal_facts f = make_facts(8);

	c.system.workers = 0;
	CU_ASSERT_HAS(joined(&c, &f), "--lcores 0@4,1@5 ");
}

static void test_eal_scarce_cpus_float_when_adaptive(void)
{
	struct config c = virtual_config();
	struct eal_facts f = make_facts(2);

	CU_ASSERT_HAS(joined(&c, &f), "--lcores 0@(4,5),1@(4,5) ");
}

static void test_eal_scarce_cpus_are_shared_when_polling(void)
{
	struct config c = virtual_config();
	struct eal_facts f = make_facts(2);

	c.system.idle = IDLE_POLL;
	c.system.workers = 2;
	CU_ASSERT_HAS(joined(&c, &f), "--lcores 0@4,1@5,2@4 ");
}

static void test_eal_own_lcores_are_kept(void)
{
	static const char *const forms[] = { "--lcores=0@0,1@0", "-l0-1", "-c3" };
	struct eal_facts f = make_facts(4);

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct config c = virtual_config();

		give(&c, forms[i]);
		CU_ASSERT_HAS(joined(&c, &f), forms[i]);
		CU_ASSERT_LACKS(joined(&c, &f), "--lcores 0@4");
	}
}

static void test_eal_log_level_is_not_taken_for_lcores(void)
{
	struct config c = virtual_config();
	struct eal_facts f = make_facts(4);
	const char *text;

	give(&c, "--log-level=debug");
	text = joined(&c, &f);
	CU_ASSERT_HAS(text, "--lcores 0@4,1@5 ");
	CU_ASSERT_LACKS(text, "--log-level=warning");
}

static void test_eal_hugepages_without_a_mount(void)
{
	struct config c = virtual_config();
	struct eal_facts f = make_facts(4);
	const char *text = joined(&c, &f);

	CU_ASSERT_HAS(text, "--in-memory ");
	CU_ASSERT_LACKS(text, "--no-huge");
}

static void test_eal_no_hugepages_fall_back_when_allowed(void)
{
	struct config c = virtual_config();
	struct eal_facts f = make_facts(4);
	const char *text;

	f.free_huge_bytes = 64ull * 1024 * 1024;
	c.system.allow_no_huge = true;
	text = joined(&c, &f);
	CU_ASSERT_HAS(text, "--no-huge ");
	CU_ASSERT_HAS(text, "-m ");
	CU_ASSERT_LACKS(text, "--in-memory");
}

static void test_eal_no_hugepages_say_what_to_do(void)
{
	struct config c = virtual_config();
	struct eal_facts f = make_facts(4);

	f.free_huge_bytes = 0;
	CU_ASSERT_STRING_EQUAL(joined(&c, &f), "refused");
	CU_ASSERT_HAS(reason, "vm.nr_hugepages=");
	CU_ASSERT_HAS(reason, "allow_no_huge");
}

static void test_eal_more_buffers_need_more_memory(void)
{
	struct config c = virtual_config();
	struct eal_facts f = make_facts(4);

	c.system.mbufs = 1048576;
	CU_ASSERT_STRING_EQUAL(joined(&c, &f), "refused");
}

static void test_eal_own_no_huge_gets_memory_only(void)
{
	struct config c = virtual_config();
	struct eal_facts f = make_facts(4);
	char *text;

	f.free_huge_bytes = 0;
	give(&c, "--no-huge");
	text = joined(&c, &f);
	CU_ASSERT_HAS(text, "-m ");
	CU_ASSERT_LACKS(text, "--in-memory");
	CU_ASSERT_PTR_EQUAL(strstr(text, "--no-huge"), strstr(strstr(text, "-m "), "--no-huge"));
}

static void test_eal_own_memory_is_left_alone(void)
{
	struct config c = virtual_config();
	struct eal_facts f = make_facts(4);
	const char *text;

	f.free_huge_bytes = 0;
	give(&c, "--huge-dir=/mnt/huge");
	text = joined(&c, &f);
	CU_ASSERT_LACKS(text, "--in-memory");
	CU_ASSERT_LACKS(text, "--no-huge");
}

static void test_eal_own_words_are_not_repeated(void)
{
	struct config c = virtual_config();
	struct eal_facts f = make_facts(4);
	char *text;

	give(&c, "--no-pci");
	give(&c, "--vdev");
	give(&c, "net_af_packet0,iface=other");
	give(&c, "--file-prefix=mine");
	text = joined(&c, &f);
	CU_ASSERT_PTR_NULL(strstr(strstr(text, "--no-pci") + 1, "--no-pci"));
	CU_ASSERT_LACKS(text, "iface=lan");
	CU_ASSERT_HAS(text, "iface=other");
	CU_ASSERT_LACKS(text, "sallyport-77");
}

static void test_eal_missing_network_interface_is_named(void)
{
	struct config c = make_config("net_af_packet0,iface=lo", "net_af_packet1,iface=sp-absent0,qpairs=1");

	snprintf(interfaces[1].name, sizeof(interfaces[1].name), "wan");
	CU_ASSERT_EQUAL(kernel_interfaces_check(&c, reason, sizeof(reason)), -ENODEV);
	CU_ASSERT_HAS(reason, "interface wan");
	CU_ASSERT_HAS(reason, "\"sp-absent0\"");
	CU_ASSERT_HAS(reason, "interfaces[1].device");
	c = make_config("net_af_packet0,iface=lo", "net_tap0,iface=sp-absent0");
	CU_ASSERT_EQUAL(kernel_interfaces_check(&c, reason, sizeof(reason)), 0);
}

static void test_eal_mtu_above_the_kernels_is_told(void)
{
	struct config c = make_config("net_af_packet0,iface=lo", "net_tap0,iface=lo");
	char text[INTERFACE_TEXT_MAX] = "";
	uint32_t mtu = interfaces[0].mtu;

	snprintf(interfaces[0].name, sizeof(interfaces[0].name), "lan");
	interfaces[0].mtu = interfaces[1].mtu = 1500;
	CU_ASSERT_FALSE(kernel_interface_is_short(&c, 0, text, sizeof(text)));
	/* lo sends 65,536 bytes at most, everywhere */
	interfaces[0].mtu = interfaces[1].mtu = 65535;
	CU_ASSERT_FALSE(kernel_interface_is_short(&c, 0, text, sizeof(text)));
	CU_ASSERT_FALSE(kernel_interface_is_short(&c, 1, text, sizeof(text)));
	interfaces[0].mtu = interfaces[1].mtu = 100000;
	CU_ASSERT_TRUE(kernel_interface_is_short(&c, 0, text, sizeof(text)));
	CU_ASSERT_STRING_EQUAL(text,
		"interface-mtu lan: 100000, but the kernel's lo sends 65536: larger packets are lost and not counted; "
		"ip link set lo mtu 100000");
	CU_ASSERT_FALSE(kernel_interface_is_short(&c, 1, text, sizeof(text)));
	interfaces[0].mtu = interfaces[1].mtu = mtu;
}

static const struct test tests[] = {
	TEST(test_eal_mtu_above_the_kernels_is_told),
	TEST(test_eal_missing_network_interface_is_named),
	TEST(test_eal_virtual_devices_need_no_pci),
	TEST(test_eal_shared_device_is_made_once),
	TEST(test_eal_pci_devices_are_allowed_by_address),
	TEST(test_eal_pci_addresses_are_told_from_names),
	TEST(test_eal_device_name_ends_at_comma),
	TEST(test_eal_lcores_get_a_cpu_each),
	TEST(test_eal_one_worker_when_none_is_asked_for),
	TEST(test_eal_scarce_cpus_float_when_adaptive),
	TEST(test_eal_scarce_cpus_are_shared_when_polling),
	TEST(test_eal_own_lcores_are_kept),
	TEST(test_eal_log_level_is_not_taken_for_lcores),
	TEST(test_eal_hugepages_without_a_mount),
	TEST(test_eal_no_hugepages_fall_back_when_allowed),
	TEST(test_eal_no_hugepages_say_what_to_do),
	TEST(test_eal_more_buffers_need_more_memory),
	TEST(test_eal_own_no_huge_gets_memory_only),
	TEST(test_eal_own_memory_is_left_alone),
	TEST(test_eal_own_words_are_not_repeated),
};

int main(int argc, char **argv)
{
	return test_main("control", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}
