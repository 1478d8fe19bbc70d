/* SPDX-License-Identifier: LGPL-2.1-only */
#ifndef SCENARIOS_H
#define SCENARIOS_H

#include "evtchn.h"

/* Whether the hypervisor says that channels can have vectors. */
bool has_vectors(void);

/* Each rule of docs/evtchn.md, and every invalid argument. */
void run_rules(void);
/* Random operations on all vCPUs at once; nothing may get lost. */
void run_storm(void);
/* What a hostile guest may try on all its vCPUs at once. */
void run_hostile(void);
/* Instruction counts, under an emulator that makes the TSC count them. */
void run_bench(void);
/* Opens ports for others to bind and send to, and counts what arrives. */
void run_serve(void);

#endif
