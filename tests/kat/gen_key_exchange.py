#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes key_exchange_groups.txt and modp_primes.txt: key exchanges computed with nothing but Python's integers.

The private values of the curves are those printed in the RFCs, and the secret printed there must come out; the primes
of MODP come from their formulas. Deterministic: `gen_key_exchange.py --check` compares with the committed files.
"""
import hashlib
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

# RFC 2409 6.2 and RFC 3526 2-7: 2^n - 2^(n-64) - 1 + 2^64 * ([2^(n-130) pi] + constant)
MODP = {
    1024: ("2409-6.2", 129093),
    1536: ("3526-2", 741804),
    2048: ("3526-3", 124476),
    3072: ("3526-4", 1690314),
    4096: ("3526-5", 240904),
    6144: ("3526-6", 929484),
    8192: ("3526-7", 4743158),
}
GENERATOR = 2

# p, a and the generator's x and y: FIPS 186-4 D.1.2.5, RFC 5639 3.3-3.7
CURVES = {
    "ecp521": (
        "1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
        "fffffffffffffffffffffffffffffffffff",
        "1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
        "ffffffffffffffffffffffffffffffffffc",
        "c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2ffa8"
        "de3348b3c1856a429bf97e7e31c2e5bd66",
        "11839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd17273e662c97ee72995ef42640c550b9013fad0"
        "761353c7086a272c24088be94769fd16650",
    ),
    "ecp224bp": (
        "d7c134aa264366862a18302575d1d787b09f075797da89f57ec8c0ff",
        "68a5e62ca9ce6c1c299803a6c1530b514e182ad8b0042a59cad29f43",
        "d9029ad2c7e5cf4340823b2a87dc68c9e4ce3174c1e6efdee12c07d",
        "58aa56f772c0726f24c6b89e4ecdac24354b9e99caa3f6d3761402cd",
    ),
    "ecp256bp": (
        "a9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377",
        "7d5a0975fc2c3057eef67530417affe7fb8055c126dc5c6ce94a4b44f330b5d9",
        "8bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a4453bd9ace3262",
        "547ef835c3dac4fd97f8461a14611dc9c27745132ded8e545c1d54c72f046997",
    ),
    "ecp384bp": (
        "8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b412b1da197fb71123acd3a729901d1a71874700133107ec53",
        "7bc382c63d8c150c3c72080ace05afa0c2bea28e4fb22787139165efba91f90f8aa5814a503ad4eb04a8c7dd22ce2826",
        "1d1c64f068cf45ffa2a63a81b7c13f6b8847a3e77ef14fe3db7fcafe0cbd10e8e826e03436d646aaef87b2e247d4af1e",
        "8abe1d7520f9c2a45cb1eb8e95cfd55262b70b29feec5864e19c054ff99129280e4646217791811142820341263c5315",
    ),
    "ecp512bp": (
        "aadd9db8dbe9c48b3fd4e6ae33c9fc07cb308db3b3c9d20ed6639cca703308717d4d9b009bc66842aecda12ae6a380e6"
        "2881ff2f2d82c68528aa6056583a48f3",
        "7830a3318b603b89e2327145ac234cc594cbdd8d3df91610a83441caea9863bc2ded5d5aa8253aa10a2ef1c98b9ac8b5"
        "7f1117a72bf2c7b9e7c1ac4d77fc94ca",
        "81aee4bdd82ed9645a21322e9c4c6a9385ed9f70b5d916c1b43b62eef4d0098eff3b1f78e2d0d48d50d1687b93b97d5f"
        "7c6d5047406a5e688b352209bcb9f822",
        "7dde385d566332ecc0eabfa9cf7822fdf209f70024a57b1aa000c55b881f8111b2dcde494a5f485e5bca4bd88a2763ae"
        "d1ca2b2fa8f0540678cd1e0f3ad80892",
    ),
}

# RFC 5903 8.3, RFC 7027 appendix A: private values of both sides, the secret
EXCHANGES = [
    (
        "ecp521",
        "5903-8.3",
        "37ade9319a89f4dabdb3ef411aaccca5123c61acab57b5393dce47608172a095aa85a30fe1c2952c6771d937ba9777f5"
        "957b2639bab072462f68c27a57382d4a52",
        "145ba99a847af43793fdd0e872e7cdfa16be30fdc780f97bccc3f078380201e9c677d600b343757a3bdbf2a3163e4c2f"
        "869cca7458aa4a4effc311f5cb151685eb9",
        "1144c7d79ae6956bc8edb8e7c787c4521cb086fa64407f97894e5e6b2d79b04d1427e73ca4baa240a34786859810c06b"
        "3c715a3a8cc3151f2bee417996d19f3ddea",
    ),
    (
        "ecp256bp",
        "7027-A.1",
        "81db1ee100150ff2ea338d708271be38300cb54241d79950f77b063039804f1d",
        "55e40bc41e37e3e2ad25c3c6654511ffa8474a91a0032087593852d3e7d76bd3",
        "89afc39d41d3b327814b80940b042590f96556ec91e6ae7939bce31f3a18bf2b",
    ),
    (
        "ecp384bp",
        "7027-A.2",
        "1e20f5e048a5886f1f157c74e91bde2b98c8b52d58e5003d57053fc4b0bd65d6f15eb5d1ee1610df870795143627d042",
        "32640bc6003c59260f7250c3db58ce647f98e1260acce4acda3dd869f74e01f8ba5e0324309db6a9831497abac96670",
        "bd9d3a7ea0b3d519d09d8e48d0785fb744a6b355e6304bc51c229fbbce239bbadf6403715c35d4fb2a5444f575d4f42",
    ),
    (
        "ecp512bp",
        "7027-A.3",
        "16302ff0dbbb5a8d733dab7141c1b45acbc8715939677f6a56850a38bd87bd59b09e80279609ff333eb9d4c061231fb2"
        "6f92eeb04982a5f1d1764cad57665422",
        "230e18e1bcc88a362fa54e4ea3902009292f7f8033624fd471b5d8ace49d12cfabbc19963dab8e2f1eba00bffb29e4d7"
        "2d13f2224562f405cb80503666b25429",
        "a7927098655f1f9976fa50a9d566865dc530331846381c87256baf3226244b76d36403c024d7bbf0aa0803eaff405d3d"
        "24f11a9b5c0bef679fe1454b21c4cd1f",
    ),
]

# RFC 7748 6.2: the same
X448 = (
    "9a8f4925d1519f5775cf46b04b5800d4ee9ee8bae8bc5565d498c28dd9c9baf574a9419744897391006382a6f127ab1d9ac2d8c0a598726b",
    "1c306a7ac2a0e2e0990b294470cba339e6453772b075811d8fad0d1d6927c120bb5ee8972b0d3e21374c9c921b09d1b0366f10b65173992d",
    "07fff4181ac6cc95ec1c16a94a0f74d12da232ce40a77552281d282bb60c0b56fd2464c335543936521c24403085d59a449a5037514a879d",
)


def data(label, length):
    out = b""
    while len(out) < length:
        out += hashlib.sha512(f"{label} {len(out)}".encode()).digest()
    return out[:length]


def arctan_inverse(x, unity):
    """unity * arctan(1/x)"""
    total = term = unity // x
    n, sign = 3, -1
    while term:
        term //= x * x
        total += sign * (term // n)
        sign, n = -sign, n + 2
    return total


def pi_bits(bits):
    """[2^bits pi] by Machin's formula, with 64 bits to spare."""
    unity = 1 << (bits + 64)
    return 4 * (4 * arctan_inverse(5, unity) - arctan_inverse(239, unity)) >> 64


def modp_prime(bits):
    return 2**bits - 2 ** (bits - 64) - 1 + 2**64 * (pi_bits(bits - 130) + MODP[bits][1])


def modp_case(bits):
    p, size = modp_prime(bits), bits // 8
    i, r = data(f"modp{bits} i", 32), data(f"modp{bits} r", 32)
    public_i, public_r = (pow(GENERATOR, int.from_bytes(x, "big"), p) for x in (i, r))
    shared = pow(public_r, int.from_bytes(i, "big"), p)
    return {
        "case": f"modp{bits}-python",
        "group": f"modp{bits}",
        "private_i": i,
        "public_i": public_i.to_bytes(size, "big"),
        "private_r": r,
        "public_r": public_r.to_bytes(size, "big"),
        "shared": shared.to_bytes(size, "big"),
    }


def add(p, a, one, two):
    """The sum of two points of a curve; None is the point at infinity."""
    if one is None or two is None:
        return one or two
    (x1, y1), (x2, y2) = one, two
    if x1 == x2 and (y1 + y2) % p == 0:
        return None
    slope = (3 * x1 * x1 + a) * pow(2 * y1, -1, p) if one == two else (y2 - y1) * pow(x2 - x1, -1, p)
    x3 = (slope * slope - x1 - x2) % p
    return x3, (slope * (x1 - x3) - y1) % p


def multiply(p, a, k, point):
    total = None
    while k:
        if k & 1:
            total = add(p, a, total, point)
        point, k = add(p, a, point, point), k >> 1
    return total


def curve_case(group, name, i, r, printed):
    p, a, x, y = (int(v, 16) for v in CURVES[group])
    size = (p.bit_length() + 7) // 8
    i, r = int(i, 16), int(r, 16)
    public_i, public_r = multiply(p, a, i, (x, y)), multiply(p, a, r, (x, y))
    shared = multiply(p, a, i, public_r)[0]
    assert not printed or shared == int(printed, 16), group
    return {
        "case": name,
        "group": group,
        "private_i": i.to_bytes(size, "big"),
        "public_i": b"".join(v.to_bytes(size, "big") for v in public_i),
        "private_r": r.to_bytes(size, "big"),
        "public_r": b"".join(v.to_bytes(size, "big") for v in public_r),
        "shared": shared.to_bytes(size, "big"),
    }


def brainpool224_case():
    i, r = data("ecp224bp i", 27), data("ecp224bp r", 27)
    return curve_case("ecp224bp", "ecp224bp-python", i.hex(), r.hex(), None)


def x448(k, u):
    """RFC 7748 5: the Montgomery ladder with a24 = 39081."""
    p = 2**448 - 2**224 - 1
    k = int.from_bytes(k, "little") & ~3 | 1 << 447
    x1 = int.from_bytes(u, "little")
    x2, z2, x3, z3 = 1, 0, x1, 1
    for bit in range(447, -1, -1):
        swap = k >> bit & 1
        if swap:
            x2, z2, x3, z3 = x3, z3, x2, z2
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % p, b * b % p, d * a % p, c * b % p
        x3, z3 = (da + cb) ** 2 % p, x1 * (da - cb) ** 2 % p
        x2, z2 = aa * bb % p, (aa - bb) * (aa + 39081 * (aa - bb)) % p
        if swap:
            x2, z2, x3, z3 = x3, z3, x2, z2
    return (x2 * pow(z2, -1, p) % p).to_bytes(56, "little")


def x448_case():
    i, r, printed = (bytes.fromhex(v) for v in X448)
    base = bytes([5] + [0] * 55)
    public_i, public_r = x448(i, base), x448(r, base)
    shared = x448(i, public_r)
    assert shared == printed
    return {
        "case": "7748-6.2",
        "group": "x448",
        "private_i": i,
        "public_i": public_i,
        "private_r": r,
        "public_r": public_r,
        "shared": shared,
    }


def render(head, cases):
    lines = ["# SPDX-License-Identifier: BSD-3-Clause"] + [f"# {line}" for line in head]
    for case in cases:
        lines.append("")
        for key, value in case.items():
            lines.append(f"{key} = {value.hex() if isinstance(value, bytes) else value}")
    return "\n".join(lines) + "\n"


def files():
    primes = [
        {"case": name, "group": f"modp{bits}", "prime": modp_prime(bits).to_bytes(bits // 8, "big")}
        for bits, (name, _) in MODP.items()
    ]
    exchanges = [curve_case(*e) for e in EXCHANGES] + [brainpool224_case(), x448_case()] + [modp_case(bits) for bits in MODP]
    return {
        "modp_primes.txt": render(
            [
                "The primes of RFC 2409 6.2 (group 2) and RFC 3526 2-7 (groups 5, 14-18), computed from their formulas by",
                "gen_key_exchange.py; the generator is 2.",
            ],
            primes,
        ),
        "key_exchange_groups.txt": render(
            [
                "Key exchange: RFC 5903 8.3 (P-521), RFC 7027 appendix A (Brainpool; value x|y, secret x), RFC 7748 6.2 (X448).",
                "Public values and secrets by gen_key_exchange.py, which checks the secrets against the printed ones. Those",
                "of brainpoolP224r1 and MODP have no printed one: they are computed.",
            ],
            exchanges,
        ),
    }


def main():
    for name, text in files().items():
        path = os.path.join(HERE, name)
        if "--check" in sys.argv:
            with open(path, encoding="ascii") as f:
                if f.read() != text:
                    sys.exit(f"{name} differs from the computation")
            continue
        with open(path, "w", encoding="ascii") as f:
            f.write(text)


if __name__ == "__main__":
    main()
