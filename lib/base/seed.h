/* SPDX-License-Identifier: BSD-3-Clause */
/* Seeds of hashes over what others send: nobody outside may know which of their packets share a bucket. */
#pragma once

#include <stdint.h>

/* 64 random bits of the kernel; waits for them while the machine starts. Ends the process where the kernel has none
 * to give. Any thread. */
uint64_t seed_draw(void);
