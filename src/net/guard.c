/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The special-purpose registries of IANA (RFC 6890) as two tables. An IPv6
 * address that carries an IPv4 address ends up there through a translator or
 * a tunnel, maybe ours: it is refused where the IPv4 address is. Forms that
 * say nothing reliable about where they end (Teredo, the local prefix of
 * NAT64, ISATAP) are refused as such.
 */
#include <string.h>

#include "net/guard.h"

struct range {
	uint8_t bytes[16];
	unsigned bits;
	const char *what;
};

static const struct range RANGES_4[] = {
	{{0}, 8, "unspecified"},              /* RFC 1122 3.2.1.3 */
	{{10}, 8, "private"},                 /* RFC 1918 */
	{{100, 64}, 10, "carrier-grade NAT"}, /* RFC 6598 */
	{{127}, 8, "loopback"},               /* RFC 1122 3.2.1.3 */
	{{169, 254}, 16, "link-local"},       /* RFC 3927 */
	{{172, 16}, 12, "private"},           /* RFC 1918 */
	{{192, 0, 0}, 24, "reserved"},        /* RFC 6890 */
	{{192, 0, 2}, 24, "documentation"},   /* RFC 5737 */
	{{192, 31, 196}, 24, "reserved"},     /* AS112, RFC 7535 */
	{{192, 52, 193}, 24, "reserved"},     /* AMT, RFC 7450 */
	{{192, 88, 99}, 24, "reserved"},      /* 6to4 relays, RFC 7526 */
	{{192, 168}, 16, "private"},          /* RFC 1918 */
	{{192, 175, 48}, 24, "reserved"},     /* AS112, RFC 7534 */
	{{198, 18}, 15, "benchmarking"},      /* RFC 2544 */
	{{198, 51, 100}, 24, "documentation"},
	{{203, 0, 113}, 24, "documentation"},
	{{224}, 4, "multicast"}, /* RFC 1112 */
	{{240}, 4, "reserved"},  /* RFC 1112; and broadcast */
};

/* All that is not global unicast (2000::/3), and what is special within. The
 * first that fits counts. */
static const struct range RANGES_6[] = {
	{{0}, 128, "unspecified"},
	{{[15] = 1}, 128, "loopback"},
	{{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01},
         48,
         "local NAT64"},                                 /* RFC 8215 */
	{{0x01}, 64, "discard-only"},                    /* RFC 6666 */
	{{0x20, 0x01, 0x00, 0x00}, 32, "Teredo"},        /* RFC 4380 */
	{{0x20, 0x01, 0x00}, 23, "reserved"},            /* RFC 2928 */
	{{0x20, 0x01, 0x0d, 0xb8}, 32, "documentation"}, /* RFC 3849 */
	{{0x3f, 0xff}, 20, "documentation"},             /* RFC 9637 */
	{{0x5f, 0x00}, 16, "segment routing"},           /* RFC 9602 */
	{{0xfc}, 7, "unique local"},                     /* RFC 4193 */
	{{0xfe, 0x80}, 10, "link-local"},                /* RFC 4291 */
	{{0xfe, 0xc0}, 10, "site-local"},                /* RFC 3879 */
	{{0xff}, 8, "multicast"},                        /* RFC 4291 */
};

/* Prefixes whose addresses carry an IPv4 address, and where in them. */
static const struct {
	uint8_t bytes[16];
	unsigned bits;
	size_t at;
} CARRIERS[] = {
	{{[10] = 0xff, 0xff}, 96, 12},      /* mapped, RFC 4291 2.5.5.2 */
	{{[8] = 0xff, 0xff}, 96, 12},       /* translated, RFC 2765 2.1 */
	{{0x00, 0x64, 0xff, 0x9b}, 96, 12}, /* NAT64, RFC 6052 2.1 */
	{{0x20, 0x02}, 16, 2},              /* 6to4, RFC 3056 */
	{{0}, 96, 12},                      /* compatible, RFC 4291 */
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool within(const uint8_t *bytes, const uint8_t *prefix, unsigned bits)
{
	unsigned whole = bits / 8;
	unsigned rest = bits % 8;

	if (memcmp(bytes, prefix, whole) != 0) {
		return false;
	}
	return rest == 0 || ((bytes[whole] ^ prefix[whole]) >> (8 - rest)) == 0;
}

static const char *find(const struct range *ranges, size_t count,
                        const uint8_t *bytes)
{
	for (size_t i = 0; i < count; i++) {
		if (within(bytes, ranges[i].bytes, ranges[i].bits)) {
			return ranges[i].what;
		}
	}
	return NULL;
}

/* ISATAP (RFC 5214 6.1): the interface identifier names an IPv4 address. */
static bool is_isatap(const uint8_t *bytes)
{
	static const uint8_t ID[] = {0x00, 0x00, 0x5e, 0xfe};

	return (bytes[8] & 0xfd) == ID[0] &&
	       memcmp(bytes + 9, ID + 1, sizeof(ID) - 1) == 0;
}

static const char *special_6(const uint8_t *bytes)
{
	const char *what = find(RANGES_6, COUNT(RANGES_6), bytes);

	if (what) {
		return what;
	}
	for (size_t i = 0; i < COUNT(CARRIERS); i++) {
		if (within(bytes, CARRIERS[i].bytes, CARRIERS[i].bits)) {
			return find(RANGES_4, COUNT(RANGES_4),
			            bytes + CARRIERS[i].at);
		}
	}
	if (is_isatap(bytes)) {
		return "ISATAP";
	}
	return (bytes[0] & 0xe0) == 0x20 ? NULL : "reserved";
}

const char *sp_guard_special(const struct sp_addr *addr)
{
	if (addr->family == 4) {
		return find(RANGES_4, COUNT(RANGES_4), addr->bytes);
	}
	return addr->family == 6 ? special_6(addr->bytes) : "no address";
}

const char *sp_guard_refuses(const struct sp_guard *guard,
                             const struct sp_addr *addr)
{
	const char *what;

	if (!guard->enabled) {
		return NULL;
	}
	for (size_t i = 0; i < guard->allow_count; i++) {
		if (sp_cidr_contains(&guard->allow[i], addr)) {
			return NULL;
		}
	}
	what = sp_guard_special(addr);
	if (!what && sp_socket_is_local_address(addr)) {
		what = "one of our own";
	}
	return what;
}
