// SPDX-License-Identifier: GPL-2.0-or-later
// Keeps vnet_test_support a library until it has something to offer.
