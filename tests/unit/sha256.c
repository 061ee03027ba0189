/* SPDX-License-Identifier: MIT */
/* SHA-256 against the examples of FIPS 180-2 and against sha256sum(1). */
#include "unit.h"

#include "formats/json.h"

/* The examples of the standard. */
static const struct {
	const char *text, *digest;
} examples[] = {
	{ "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
	{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
	{ "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
	  "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
	  "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
};

/* sha256sum of "abc...zabc..." at the lengths around the ends of blocks. */
static const struct {
	size_t n;
	const char *digest;
} lengths[] = {
	{ 1, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb" },
	{ 54, "ff44b236434f4d03d1a3b8bce65d3b89750afdc2591f85c9b1d8d77e116ea9e0" },
	{ 55, "595615dbe4f0f407ae397d08b4c2cb870cb9b0e11937416f950c5160acf9c005" },
	{ 56, "784f623b787495078e93ff28a25b581df0584055a7e71d8cd90c454716b92f51" },
	{ 57, "808f0738aa4401bdee842e5a15a7baad5809f976d8eb6f9bd2683cebd2e8d671" },
	{ 63, "5ca3e1ef5207490eac01a795e5cc94d59582a5118bf9534665c8668d87aa647c" },
	{ 64, "2fcd5a0d60e4c941381fcc4e00a4bf8be422c3ddfafb93c809e8d1e2bfffae8e" },
	{ 65, "1b3cd1877ab2f2f19f7be001722554f336cb799df0329de0bb4c118dc6abc06d" },
	{ 111, "11166d480c33d5cf2023d33251a2e024a4e9436cb3f061d99a1908fd1111c829" },
	{ 112, "43b9d01284b7170bc99bce5d032307646c76361e98da0f82360cc81884893852" },
	{ 119, "faef67da856d6fd9c8d12f9ed0a4fefd3cf0ce085ab43e2907418d457e3c354b" },
	{ 120, "c9512b08619c19fbb503c7da6b46ef20301e5f7a7a5f43989182398536f5c5c8" },
	{ 121, "6ce395ba6c616565668116ef1d4ab2894dd21b9c3e11e42ec5f57f77417fd623" },
	{ 127, "1b9907986f18ddc2b37e18be502d82d69d6e18bb9dff9e16f2aceea7d88cb933" },
	{ 128, "6c05be2c4268843ae47e68e611277ce62c02153f2f4d2e1e2a1a4b44f766cf74" },
	{ 129, "cd6bba8374324cbcc0c296b94f35299c0b9820393116358ac3afaf091a4955a5" },
};

/* In pieces of STEP bytes. */
static void check(const char *text, size_t n, size_t step, const char *digest)
{
	struct sha256 s;
	char hex[65];

	sha256_start(&s);
	for (size_t i = 0; i < n; i += step)
		CHECK(sha256_write(&s, text + i, n - i < step ? n - i : step) == 0, "write");
	sha256_text(&s, hex);
	CHECK(strcmp(hex, digest) == 0, "%zu bytes in steps of %zu: %s", n, step, hex);
}

int main(void)
{
	static const size_t steps[] = { 1, 3, 63, 64, 65, 1000 };
	char *million = malloc(1000000), letters[130];

	if (!million)
		return 1;
	memset(million, 'a', 1000000);
	for (size_t i = 0; i < sizeof(letters); i++)
		letters[i] = (char)('a' + i % 26);
	for (size_t s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
		for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
			check(examples[i].text, strlen(examples[i].text), steps[s], examples[i].digest);
		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
			check(letters, lengths[i].n, steps[s], lengths[i].digest);
		check(million, 1000000, steps[s],
		      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	}
	free(million);
	return unit_end();
}
