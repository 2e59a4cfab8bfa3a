/* SPDX-License-Identifier: BSD-3-Clause */
/* Answers as text for people: aligned tables, and the report on tunnels. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Prints the result of a daemon command (enum control_command). detail: one thing was asked for by name. */
void render(FILE *out, int command, const json_t *result, bool detail);
void render_trace(FILE *out, const json_t *result);
void render_explain(FILE *out, const json_t *result);
void render_workers(FILE *out, const json_t *result);
void render_tunnels(FILE *out, const json_t *result, bool detail);
/* "IKE_SA_INIT sent 4 times without an answer; ..." of a tunnel's phase1. False: no message waits for its answer. */
bool unanswered_describe(const json_t *phase1, char *ret_text, size_t capacity);

/* ---- tables ---- */

struct column {
	const char *title, *key;
	bool right; /* numbers */
};

/* One row per object of the list, columns as wide as their widest cell. */
void table_print(FILE *out, const json_t *list, const struct column *columns, size_t count);
/* Any JSON value as a cell; text holds capacity bytes. Returns text. */
const char *table_cell(const json_t *value, char *ret_text, size_t capacity);

/* "12 s", "5 min", "3 h 20 min", "2 d 4 h". Returns ret_text. */
const char *elapsed_format(double seconds, char *ret_text, size_t capacity);
