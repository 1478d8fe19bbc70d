# SPDX-License-Identifier: LGPL-2.1-only

. ./lazy.bash
bench_lazy 4096 5
