// Sixteen-bit floats without hardware help. `static inline`, because files compiled for different
// instruction sets include this and the linker must not merge their copies.
#pragma once

#include <cstdint>
#include <cstring>

namespace gnomon {

static inline float bits_to_float(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t float_to_bits(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float bf16_to_float(uint16_t h) { return bits_to_float(static_cast<uint32_t>(h) << 16); }

static inline float f16_to_float(uint16_t h) {
    const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
    const uint32_t rest = static_cast<uint32_t>(h & 0x7fffu) << 13;
    const uint32_t exponent = rest & 0x0f800000u;
    if (exponent == 0x0f800000u) return bits_to_float(sign | (rest + 0x70000000u));  // infinity, NaN
    if (exponent == 0) {  // zero and subnormals: let the float unit normalise
        return bits_to_float(sign | float_to_bits(bits_to_float(rest + 0x38800000u) -
                                                  bits_to_float(0x38800000u)));
    }
    return bits_to_float(sign | (rest + 0x38000000u));
}

// Rounds to nearest, ties to even; too large becomes infinity.
static inline uint16_t float_to_f16(float value) {
    const uint32_t bits = float_to_bits(value);
    const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
    if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);
    if (magnitude < 0x38800000u) {  // subnormal: adding 0.5 aligns the bits and rounds them
        const uint32_t aligned = float_to_bits(bits_to_float(magnitude) + 0.5f);
        return static_cast<uint16_t>(sign | (aligned - 0x3f000000u));
    }
    const uint32_t rounded = magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u);
    return static_cast<uint16_t>(sign | (rounded >> 13));
}

}  // namespace gnomon
