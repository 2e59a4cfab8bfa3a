# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# All a scenario of smoke/ or interop/ needs, in the order it needs it.

_lib=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=/dev/null
for _part in common netns hosts gateway debian13 strongswan; do
	. "$_lib/$_part.sh"
done
