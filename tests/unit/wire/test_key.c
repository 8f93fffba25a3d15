/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/key.h"

/* Made by openssl(1) for this test. */
#define RSA_SPKI                                                               \
	"30819f300d06092a864886f70d010101050003818d0030818902818100c5"         \
	"afca81d956fd93b24195e786717c74618a29e79d1143331902e8cb542dbe"         \
	"79ecb69c9f90dfbd792539a9311c0f4b3d8c275c0c0fe180df0a57c5034f"         \
	"6436e8314a8e6eff68d101e23a09c0a00051749455fa4e753cc0a0108d7e"         \
	"cfa2a853dbb361a112a5cbc4828a12acc70b2f062249b4d98942dd7bb12c"         \
	"749bcd4682cb910203010001"
#define EC_SPKI                                                                \
	"3059301306072a8648ce3d020106082a8648ce3d03010703420004be848a"         \
	"e8d4200862d61791a2c0b3be48b79cff4812a1308d1127d43b831b1c656f"         \
	"7df16cfbc2636dcfe62444254f7f62d084ba2014fbff56ef0a6d2710eb44"         \
	"2b"
#define ED_SPKI                                                                \
	"302a300506032b6570032100531219c6d809d51ab873eff217a4ad52752f"         \
	"6e182932f120358146563ac06414"
#define EC_CERT                                                                \
	"3082016e30820113a00302010202144d9972727aa9580a1dbfc5d847d749"         \
	"c1fda7d179300a06082a8648ce3d040302300c310a300806035504030c01"         \
	"65301e170d3236313132333032303535355a170d32363132323330323035"         \
	"35355a300c310a300806035504030c01653059301306072a8648ce3d0201"         \
	"06082a8648ce3d03010703420004be848ae8d4200862d61791a2c0b3be48"         \
	"b79cff4812a1308d1127d43b831b1c656f7df16cfbc2636dcfe62444254f"         \
	"7f62d084ba2014fbff56ef0a6d2710eb442ba3533051301d0603551d0e04"         \
	"1604149ab0bbd41659e521e942b5b944b61ea3236d8578301f0603551d23"         \
	"0418301680149ab0bbd41659e521e942b5b944b61ea3236d8578300f0603"         \
	"551d130101ff040530030101ff300a06082a8648ce3d0403020349003046"         \
	"022100b6145ddadb221025c328487cecf66d4bf9fced3df223ec87dc482b"         \
	"5d7844fa2c022100cbf3941e05d8277c19a548fc75537ee6b1f828b09d8c"         \
	"5157c8f0b664488289d4"
#define ED_CERT                                                                \
	"3082012c3081dfa0030201020214267b4cdd1dd23023f218b3c219b3e1a2"         \
	"d4d50314300506032b6570300c310a300806035504030c0164301e170d32"         \
	"36313132333032303535355a170d3236313232333032303535355a300c31"         \
	"0a300806035504030c0164302a300506032b6570032100531219c6d809d5"         \
	"1ab873eff217a4ad52752f6e182932f120358146563ac06414a353305130"         \
	"1d0603551d0e0416041415b08b4917f23e2b336cbe7f2b05196f2726a67b"         \
	"301f0603551d2304183016801415b08b4917f23e2b336cbe7f2b05196f27"         \
	"26a67b300f0603551d130101ff040530030101ff300506032b6570034100"         \
	"66fac7003e3d71b149e5dab72fa6d2e5734601c4af005e572422cd47f99f"         \
	"fbecea3edd618b6fc3ba82c449ae683d78eab63d13a65737c27399bc46b8"         \
	"743b0f00"

static struct sp_str bytes_of(const char *hex, uint8_t *out, size_t cap)
{
	size_t len;

	assert_int_equal(sp_str_unhex(sp_str_from(hex), out, cap, &len), 0);
	return sp_str_slice(out, len);
}

static void test_record(void **state)
{
	static const struct {
		const char *name;
		uint8_t usage, selector, matching;
		const char *hex;
		enum sp_key_kind kind;
	} cases[] = {
		{"RFC 6698 2.1.3 3 1 0, RSA", 3, 1, 0, RSA_SPKI, SP_KEY_RSA},
		{"RFC 6698 2.1.3 3 1 0, ECDSA", 3, 1, 0, EC_SPKI, SP_KEY_EC},
		{"RFC 8410 3 3 1 0, Ed25519", 3, 1, 0, ED_SPKI, SP_KEY_EC},
		{"RFC 5280 4.1 3 0 0, ECDSA", 3, 0, 0, EC_CERT, SP_KEY_EC},
		{"RFC 5280 4.1 3 0 0, Ed25519", 3, 0, 0, ED_CERT, SP_KEY_EC},
		{"a key is no certificate", 3, 0, 0, EC_SPKI, SP_KEY_ANY},
		{"a certificate is no key", 3, 1, 0, EC_CERT, SP_KEY_ANY},
		{"an authority's key does not tell", 2, 1, 0, EC_SPKI,
	         SP_KEY_ANY},
		{"a digest does not tell", 3, 1, 1, EC_SPKI, SP_KEY_ANY},
		{"another algorithm", 3, 1, 0, "300730050603550403",
	         SP_KEY_ANY},
		{"no OID", 3, 1, 0, "3006300404022a86", SP_KEY_ANY},
		{"empty", 3, 1, 0, "", SP_KEY_ANY},
		{"length beyond the end", 3, 1, 0, "30ff", SP_KEY_ANY},
		{"length of no end", 3, 1, 0, "3080308006032b6570", SP_KEY_ANY},
		{"length of 8 bytes", 3, 1, 0, "3088ffffffffffffffff",
	         SP_KEY_ANY},
		{"RFC 5280 4.1.2.1 of version 1, Ed448", 3, 0, 0,
	         "3016301402010130003000300030003007300506032b6571", SP_KEY_EC},
	};
	uint8_t bytes[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct sp_tlsa tlsa = {cases[i].usage,
		                       cases[i].selector,
		                       cases[i].matching,
		                       {0}};

		print_message("  %s\n", cases[i].name);
		tlsa.data = bytes_of(cases[i].hex, bytes, sizeof(bytes));
		assert_int_equal(sp_key_kind_of_record(&tlsa), cases[i].kind);
	}
}

/* Cut anywhere, it is read within its bounds (ASan watches). */
static void test_cut(void **state)
{
	uint8_t bytes[1024];
	struct sp_str whole = bytes_of(EC_CERT, bytes, sizeof(bytes));

	(void)state;
	for (size_t len = 0; len < whole.len; len++) {
		char *copy = sp_str_dup(sp_str_sub(whole, 0, len));

		assert_int_equal(
			sp_key_kind_of_certificate(sp_str_slice(copy, len)),
			SP_KEY_ANY);
		sp_free(copy);
	}
}

static void test_text(void **state)
{
	(void)state;
	assert_string_equal(sp_key_kind_text(SP_KEY_ANY), "any");
	assert_string_equal(sp_key_kind_text(SP_KEY_RSA), "rsa");
	assert_string_equal(sp_key_kind_text(SP_KEY_EC), "ecdsa");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
