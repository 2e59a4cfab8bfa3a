/* SPDX-License-Identifier: BSD-3-Clause */
/* Devices, their arguments and lcores that DPDK would refuse at the start, with the exact text; and those it takes. */
#include "harness.h"

#include "base_config.h"

static void refused(const char *from, const char *to, const char *expected)
{
	char text[SPOILED_BYTES];

	refused_text(spoil(base_yaml, from, to, text), base_secrets, expected);
}

static void taken(const char *from, const char *to)
{
	char text[SPOILED_BYTES];

	config_free(loaded(spoil(base_yaml, from, to, text), base_secrets));
}

static void test_device_of_the_kernel(void)
{
	refused("\"net_tap0\"", "eth0",
		"gw.yaml:7:25: interfaces.lan.device: \"eth0\" is neither a PCI address nor a DPDK device; did you "
		"mean "
		"\"net_af_packet0,iface=eth0\"?");
	refused("\"net_tap0\"", "enp1s0.7",
		"gw.yaml:7:25: interfaces.lan.device: \"enp1s0.7\" is neither a PCI address nor a DPDK device; did you "
		"mean \"net_af_packet0,iface=enp1s0.7\"?");
	taken("\"net_tap0\"", "net_memif0");
	taken("\"net_tap0\"", "\"auxiliary:mlx5_core.sf.8\"");
}

static void test_device_packet_socket_needs_its_interface(void)
{
	refused("\"net_tap0\"", "\"net_af_packet0,qpairs=1\"",
		"gw.yaml:7:25: interfaces.lan.device: net_af_packet0 needs iface=, the kernel's interface");
	taken("\"net_tap0\"", "\"net_af_packet0,qpairs=1,iface=eth0\"");
}

static void test_device_pci(void)
{
	refused("\"net_tap0\"", "\"01:00.0\"",
		"gw.yaml:7:25: interfaces.lan.device: \"01:00.0\": a PCI address has its domain before it: "
		"0000:01:00.0");
	refused("\"net_tap0\"", "\"0000:01:00.0\"",
		"gw.yaml:7:25: interfaces.lan.device: --no-pci in system.eal_args hides PCI devices: take it out");
	char text[SPOILED_BYTES], bare[SPOILED_BYTES];
	spoil(base_yaml, "\"--no-pci\"", "", text);
	config_free(loaded(spoil(text, "\"net_tap0\"", "\"0000:01:00.0\"", bare), base_secrets));
}

static void given_to_eal(const char *arguments, const char *device)
{
	char text[SPOILED_BYTES], both[SPOILED_BYTES];

	spoil(base_yaml, "\"--no-pci\"", arguments, text);
	config_free(loaded(spoil(text, "\"net_tap0\", ", device, both), base_secrets));
}

/* Its arguments stand there, and its name may be one that DPDK alone knows. */
static void test_device_given_to_eal_is_taken(void)
{
	given_to_eal(
		"\"--no-pci\", \"--vdev\", \"net_af_packet0,iface=eth1,framesz=9088\"", "net_af_packet0, mtu: 9000, ");
	given_to_eal("\"--no-pci\", \"--vdev=net_af_packet0,iface=eth1\"", "net_af_packet0, ");
	given_to_eal("\"-a\", \"635a7ae3-091e-4000-8000-000000000001\"", "635a7ae3-091e-4000-8000-000000000001, ");
}

static void test_device_frames_have_room_for_the_mtu(void)
{
	refused("\"net_tap0\", ", "\"net_af_packet0,iface=eth0\", mtu: 9000, ",
		"gw.yaml:7:59: interfaces.lan.mtu: 9000 needs framesz= of at least 9088 in device (2048 now)");
	refused("\"net_tap0\", ", "\"net_af_packet0,iface=eth0,framesz=4096,blocksz=4096\", mtu: 9000, ",
		"gw.yaml:7:85: interfaces.lan.mtu: 9000 needs framesz= of at least 9088 in device (4096 now)");
	taken("\"net_tap0\", ", "\"net_af_packet0,iface=eth0,framesz=9088,blocksz=36864\", mtu: 9000, ");
	taken("\"net_tap0\", ", "\"net_af_packet0,iface=eth0\", mtu: 1968, ");
}

static void test_device_more_workers_than_lcores(void)
{
	static const struct {
		const char *args;
		unsigned lcores;
	} forms[] = { { "\"--lcores\", \"0@0,1@1\"", 2 }, { "\"--lcores=0@0,(1-3)@(4,5)\"", 4 },
		{ "\"-l\", \"0-2,7\"", 4 }, { "-l0-1", 2 }, { "\"--lcores=(0,1)@0,2@(1,2),3\"", 4 } };
	char to[128], text[SPOILED_BYTES], workers[32], again[SPOILED_BYTES], expected[256];

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		snprintf(to, sizeof(to), "\"--no-pci\", %s", forms[i].args);
		spoil(base_yaml, "\"--no-pci\"", to, text);
		snprintf(workers, sizeof(workers), "workers: %u", forms[i].lcores);
		snprintf(expected, sizeof(expected),
			"gw.yaml:3:12: system.workers: %u, but --lcores of eal_args gives %u lcores, of which one is "
			"for control",
			forms[i].lcores, forms[i].lcores);
		refused_text(spoil(text, "workers: 1", workers, again), base_secrets, expected);
		snprintf(workers, sizeof(workers), "workers: %u", forms[i].lcores - 1);
		config_free(loaded(spoil(text, "workers: 1", workers, again), base_secrets));
	}
	taken("\"--no-pci\"", "\"--no-pci\", \"--lcores=what\"");
	taken("\"--no-pci\"", "\"--no-pci\", \"--lcores=0@(0\"");
}

int main(int argc, char **argv)
{
	static const struct test tests[] = {
		TEST(test_device_of_the_kernel),
		TEST(test_device_packet_socket_needs_its_interface),
		TEST(test_device_pci),
		TEST(test_device_given_to_eal_is_taken),
		TEST(test_device_frames_have_room_for_the_mtu),
		TEST(test_device_more_workers_than_lcores),
	};

	return test_main("conf_devices", tests, ARRAY_LEN(tests), argc, argv);
}
