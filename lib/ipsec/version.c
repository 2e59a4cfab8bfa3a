/* SPDX-License-Identifier: BSD-3-Clause */
/* The version of the crypto library underneath, as text. */
#include "ipsec.h"

#include <intel-ipsec-mb.h>

const char *ipsec_crypto_version(void)
{
	return imb_get_version_str();
}
