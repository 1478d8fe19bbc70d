# SPDX-License-Identifier: LGPL-2.1-only

. ./lazy.bash
bench_cost "${bench_mib:-1024}" 3
