/* SPDX-License-Identifier: BSD-3-Clause */
/* What the programs of perf/ and the captures of perf/lib/captures.py agree on: keys, salt, SPIs, addresses of SA
 * number N. Laboratory values, the same in every run.
 */
#pragma once

#include <stdint.h>
#include <string.h>

enum { LAB_SPI_FIRST = 0x1000, LAB_SALT_BYTES = 4, LAB_KEY_BYTES_MAX = 32, LAB_WINDOW_MS = 40 };

static const uint8_t lab_salt[LAB_SALT_BYTES] = { 'p', 'e', 'r', 'f' };

/* Of a measurement of so many seconds. */
static inline unsigned lab_windows(double seconds)
{
	double windows = seconds * 1000 / LAB_WINDOW_MS;

	return windows < 1 ? 1 : (unsigned)(windows + 0.5);
}

/* The number of the SA, then 4, 5, 6 ... */
static inline void lab_key(uint32_t sa, uint8_t ret_key[LAB_KEY_BYTES_MAX])
{
	for (unsigned i = 0; i < LAB_KEY_BYTES_MAX; i++)
		ret_key[i] = (uint8_t)i;
	for (unsigned i = 0; i < sizeof(sa); i++)
		ret_key[i] = (uint8_t)(sa >> (24 - 8 * i));
}
