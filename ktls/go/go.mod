// SPDX-License-Identifier: MIT
module ktls

go 1.19
