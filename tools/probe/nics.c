// SPDX-License-Identifier: MIT
#include "tools/probe/sections.h"

#include <errno.h>
#include <linux/ethtool_netlink.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/netlink.h>
#include <string.h>

/* What the kernel calls the features of an interface that are about TLS. */
static const struct feature {
	const char *key, *name;
} features[] = {
	{ "tx", "tls-hw-tx-offload" },
	{ "rx", "tls-hw-rx-offload" },
	{ "record", "tls-hw-record" },
};

/*
 * Is @name in a set, which may be missing? One without a mask lists what is in
 * it; one with lists what it knows of, and marks what is in it.
 */
static bool has_bit(struct nlattr *set, const char *name)
{
	struct nlattr *attr[ETHTOOL_A_BITSET_MAX + 1], *bit;
	struct nlattr *of_bit[ETHTOOL_A_BITSET_BIT_MAX + 1];
	int rest;

	if (!set || nla_parse_nested(attr, ETHTOOL_A_BITSET_MAX, set, NULL) ||
	    !attr[ETHTOOL_A_BITSET_BITS])
		return false;
	nla_for_each_nested(bit, attr[ETHTOOL_A_BITSET_BITS], rest) {
		if (nla_parse_nested(of_bit, ETHTOOL_A_BITSET_BIT_MAX, bit,
				     NULL) || !of_bit[ETHTOOL_A_BITSET_BIT_NAME])
			continue;
		if (!strcmp(nla_get_string(of_bit[ETHTOOL_A_BITSET_BIT_NAME]),
			    name))
			return attr[ETHTOOL_A_BITSET_NOMASK] ||
			       of_bit[ETHTOOL_A_BITSET_BIT_VALUE];
	}
	return false;
}

/* on; off, and could be on; or no: the device cannot. */
static const char *state_of(struct nlattr **attr, const char *name)
{
	return has_bit(attr[ETHTOOL_A_FEATURES_ACTIVE], name) ? "on" :
	       has_bit(attr[ETHTOOL_A_FEATURES_HW], name) ? "off" : "no";
}

static int on_interface(struct nl_msg *msg, void *arg)
{
	struct nlattr *attr[ETHTOOL_A_FEATURES_MAX + 1];
	struct nlattr *head[ETHTOOL_A_HEADER_MAX + 1];
	const char *state[3];
	struct report *r = arg;
	char name[256];

	if (genlmsg_parse(nlmsg_hdr(msg), 0, attr, ETHTOOL_A_FEATURES_MAX,
			  NULL) || !attr[ETHTOOL_A_FEATURES_HEADER] ||
	    nla_parse_nested(head, ETHTOOL_A_HEADER_MAX,
			     attr[ETHTOOL_A_FEATURES_HEADER], NULL) ||
	    !head[ETHTOOL_A_HEADER_DEV_NAME])
		return NL_SKIP;
	report_escape(nla_get_string(head[ETHTOOL_A_HEADER_DEV_NAME]), name);
	for (int i = 0; i < 3; i++)
		state[i] = state_of(attr, features[i].name);
	report_add(r, "interfaces", name,
		   json_pack("{s:s, s:s, s:s}", features[0].key, state[0],
			     features[1].key, state[1], features[2].key,
			     state[2]),
		   REPORT_OK, "tx: %s, rx: %s, record: %s", state[0], state[1],
		   state[2]);
	return NL_OK;
}

/* About all interfaces; Linux 6.1 wants a header, if one with nothing in it. */
static struct nl_msg *make_request(int family)
{
	struct nl_msg *msg = nlmsg_alloc();
	struct nlattr *head = NULL;

	if (msg && genlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0,
			       NLM_F_DUMP, ETHTOOL_MSG_FEATURES_GET,
			       ETHTOOL_GENL_VERSION))
		head = nla_nest_start(msg, ETHTOOL_A_FEATURES_HEADER);
	if (head && !nla_put_u32(msg, ETHTOOL_A_HEADER_FLAGS, 0)) {
		nla_nest_end(msg, head);
		return msg;
	}
	nlmsg_free(msg);
	return NULL;
}

/* Returns 0 or -NLE_*. */
static int ask(struct nl_sock *nl, struct report *r)
{
	struct nl_msg *msg;
	int err, family;

	nl_socket_modify_cb(nl, NL_CB_VALID, NL_CB_CUSTOM, on_interface, r);
	err = genl_connect(nl);
	if (err)
		return err;
	family = genl_ctrl_resolve(nl, ETHTOOL_GENL_NAME);
	if (family < 0)
		return family;
	msg = make_request(family);
	err = msg ? nl_send_auto(nl, msg) : -NLE_NOMEM;
	nlmsg_free(msg);
	if (err >= 0)
		err = nl_recvmsgs_default(nl);
	/* Some came or went meanwhile: the others are there. */
	return err == -NLE_DUMP_INTR ? 0 : err;
}

void section_nics(struct report *r)
{
	struct nl_sock *nl = nl_socket_alloc();
	const int err = nl ? ask(nl, r) : -NLE_NOMEM;

	nl_socket_free(nl);
	if (err < 0)
		report_add(r, "interfaces", "ethtool", json_null(), REPORT_NOTE,
			   "they cannot be asked: %s", nl_geterror(err));
}
