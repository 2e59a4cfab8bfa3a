/* SPDX-License-Identifier: BSD-3-Clause */
/* Public header of the model room: the words that IKE, configuration and the packet path share. Values, no I/O. */
#pragma once

#include "alg.h"
#include "cover.h"
#include "identity.h"
#include "profile.h"
#include "proposal.h"
#include "selector.h"
#include "spec.h"
