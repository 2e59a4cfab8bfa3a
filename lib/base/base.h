/* SPDX-License-Identifier: BSD-3-Clause */
/* Public header of the base room: byte cursors, wiped secrets, addresses, log. Depends on libc only. */
#pragma once

#include "addr.h"
#include "bytes.h"
#include "log.h"
#include "secret.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
