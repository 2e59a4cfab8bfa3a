/* SPDX-License-Identifier: BSD-3-Clause */
/* A reload on its way, shared by the files that carry it out. */
#pragma once

#include <stdatomic.h>

#include "background_priv.h"
#include "conf.h"
#include "datapath.h"
#include "policy_order_priv.h"
#include "reload_priv.h"

/* Belongs to the control thread or, while a step runs beside it, to the background thread; so do the fields of control
 * that only a reload changes (config, policy), which both only read meanwhile. */
struct reload_run {
	struct control *c;
	struct reload_request request;
	size_t step; /* of the table in reload.c: what comes next */
	int rc;
	struct background background;
	atomic_bool cancelled;        /* W: control, R: background; relaxed, a step more does no harm */
	struct config *next;          /* owned until it is taken over */
	struct config_errors *errors; /* of reading it; owned */
	struct policy policy;         /* owned until it is taken over */
	struct datapath_prepared *prepared;
	struct reload_report report;
	char reason[512];
};

/* ---- reload_take.c ---- */

/* Any thread: fills the report with what would change. */
void reload_changes_count(struct reload_run *r);
/* Control: cannot fail as a whole; what did not come up is in the report. */
void reload_take_over(struct reload_run *r);
