// NEON of 64-bit ARM: see simd.h.
#pragma once

#include <arm_neon.h>

#include <cstdint>
#include <cstring>

namespace gnomon {
namespace GNOMON_SIMD_NAMESPACE {

// Four registers, so that the sixteen values of a look-up table are one vector.
struct F {
    static constexpr int N = 16;
    float32x4_t v[4];
};
#define GNOMON_EACH for (int i = 0; i < 4; ++i)
static inline F set(float a) {
    F r;
    GNOMON_EACH r.v[i] = vdupq_n_f32(a);
    return r;
}
static inline F load(const float* p) {
    F r;
    GNOMON_EACH r.v[i] = vld1q_f32(p + 4 * i);
    return r;
}
static inline void store(float* p, F a) { GNOMON_EACH vst1q_f32(p + 4 * i, a.v[i]); }
static inline F load(const float* p, int64_t n) {
    float padded[F::N] = {};
    std::memcpy(padded, p, static_cast<size_t>(n) * 4);
    return load(padded);
}
static inline void store(float* p, F a, int64_t n) {
    float all[F::N];
    store(all, a);
    std::memcpy(p, all, static_cast<size_t>(n) * 4);
}
#define GNOMON_BINARY(name, instruction)        \
    static inline F name(F a, F b) {            \
        GNOMON_EACH a.v[i] = instruction(a.v[i], b.v[i]); \
        return a;                               \
    }
GNOMON_BINARY(operator+, vaddq_f32)
GNOMON_BINARY(operator-, vsubq_f32)
GNOMON_BINARY(operator*, vmulq_f32)
GNOMON_BINARY(operator/, vdivq_f32)
GNOMON_BINARY(maximum, vmaxq_f32)
GNOMON_BINARY(minimum, vminq_f32)
#undef GNOMON_BINARY
static inline F fma(F a, F b, F c) {
    GNOMON_EACH c.v[i] = vfmaq_f32(c.v[i], a.v[i], b.v[i]);
    return c;
}
static inline F one_where_greater(F a, F b) {
    GNOMON_EACH a.v[i] = vbslq_f32(vcgtq_f32(a.v[i], b.v[i]), vdupq_n_f32(1.0f), vdupq_n_f32(0.0f));
    return a;
}
static inline F absolute(F a) {
    GNOMON_EACH a.v[i] = vabsq_f32(a.v[i]);
    return a;
}
static inline F nearest(F a) {
    GNOMON_EACH a.v[i] = vrndnq_f32(a.v[i]);
    return a;
}
static inline F power_of_two(F n) {
    GNOMON_EACH n.v[i] = vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n.v[i]), vdupq_n_s32(127)), 23));
    return n;
}
static inline float sum(F a) {
    return vaddvq_f32(vaddq_f32(vaddq_f32(a.v[0], a.v[2]), vaddq_f32(a.v[1], a.v[3])));
}
static inline float largest(F a) {
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(a.v[0], a.v[2]), vmaxq_f32(a.v[1], a.v[3])));
}
static inline F load_f16(const uint16_t* p) {
    F r;
    GNOMON_EACH r.v[i] = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i)));
    return r;
}
static inline F load_bf16(const uint16_t* p) {
    F r;
    GNOMON_EACH r.v[i] = vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p + 4 * i), 16));
    return r;
}
static inline F load_i8(const int8_t* p) {
    const int8x16_t bytes = vld1q_s8(p);
    const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
    return {{vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))), vcvtq_f32_s32(vmovl_high_s16(low)),
             vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))), vcvtq_f32_s32(vmovl_high_s16(high))}};
}
static inline F load_f16(const uint16_t* p, int64_t n) {
    uint16_t padded[F::N] = {};
    std::memcpy(padded, p, static_cast<size_t>(n) * 2);
    return load_f16(padded);
}
static inline F load_bf16(const uint16_t* p, int64_t n) {
    uint16_t padded[F::N] = {};
    std::memcpy(padded, p, static_cast<size_t>(n) * 2);
    return load_bf16(padded);
}
static inline F load_i8(const int8_t* p, int64_t n) {
    int8_t padded[F::N] = {};
    std::memcpy(padded, p, static_cast<size_t>(n));
    return load_i8(padded);
}
static inline void store_f16(uint16_t* p, F a) {
    GNOMON_EACH vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(a.v[i])));
}
static inline int8x16_t to_bytes(F a) {
    const int16x8_t low = vcombine_s16(vqmovn_s32(vcvtnq_s32_f32(a.v[0])), vqmovn_s32(vcvtnq_s32_f32(a.v[1])));
    const int16x8_t high = vcombine_s16(vqmovn_s32(vcvtnq_s32_f32(a.v[2])), vqmovn_s32(vcvtnq_s32_f32(a.v[3])));
    return vcombine_s8(vqmovn_s16(low), vqmovn_s16(high));
}
static inline int32_t store_i8(int8_t* p, F a) {
    const int8x16_t bytes = to_bytes(a);
    vst1q_s8(p, bytes);
    return vaddlvq_s8(bytes);
}
static inline F hadamard_in_register(F a) {
    GNOMON_EACH {
        const float32x4_t x = a.v[i];
        const float32x4_t odd = vtrn2q_f32(x, x), even = vtrn1q_f32(x, x);  // x1 x1 x3 x3, x0 x0 x2 x2
        const float32x4_t pairs = vtrn1q_f32(vaddq_f32(even, odd), vsubq_f32(even, odd));
        const float64x2_t halves = vreinterpretq_f64_f32(pairs);
        const float32x4_t low = vreinterpretq_f32_f64(vdupq_laneq_f64(halves, 0));
        const float32x4_t high = vreinterpretq_f32_f64(vdupq_laneq_f64(halves, 1));
        a.v[i] = vcombine_f32(vget_low_f32(vaddq_f32(low, high)), vget_low_f32(vsubq_f32(low, high)));
    }
    const float32x4_t sum0 = vaddq_f32(a.v[0], a.v[1]), difference0 = vsubq_f32(a.v[0], a.v[1]);
    const float32x4_t sum1 = vaddq_f32(a.v[2], a.v[3]), difference1 = vsubq_f32(a.v[2], a.v[3]);
    return {{vaddq_f32(sum0, sum1), vaddq_f32(difference0, difference1), vsubq_f32(sum0, sum1),
             vsubq_f32(difference0, difference1)}};
}
#undef GNOMON_EACH

// ------------------------------------------------------------------------------------- bytes

struct B {
    static constexpr int N = 16;
    uint8x16_t v;
};
static inline B set_bytes(int a) { return {vdupq_n_u8(static_cast<uint8_t>(a))}; }
static inline B load_bytes(const uint8_t* p) { return {vld1q_u8(p)}; }
static inline B repeat_16(const uint8_t* p) { return {vld1q_u8(p)}; }
static inline B look_up(B table, B index) { return {vqtbl1q_u8(table.v, index.v)}; }
static inline B operator&(B a, B b) { return {vandq_u8(a.v, b.v)}; }
static inline B operator|(B a, B b) { return {vorrq_u8(a.v, b.v)}; }
static inline B shift_right(B a, int n) { return {vshlq_u8(a.v, vdupq_n_s8(static_cast<int8_t>(-n)))}; }
static inline B shift_left(B a, int n) { return {vshlq_u8(a.v, vdupq_n_s8(static_cast<int8_t>(n)))}; }
static inline B look_up_256(const uint8_t* table, B index) {
    uint8x16_t found = vqtbl4q_u8(vld1q_u8_x4(table), index.v);  // beyond its 64 bytes it gives zero
    for (int i = 1; i < 4; ++i) {
        const uint8x16_t rest = vsubq_u8(index.v, vdupq_n_u8(static_cast<uint8_t>(64 * i)));
        found = vqtbx4q_u8(found, vld1q_u8_x4(table + 64 * i), rest);
    }
    return {found};
}

struct Sums {
    uint16x8_t low = vdupq_n_u16(0), high = vdupq_n_u16(0);

    void add(B a) {
        low = vaddw_u8(low, vget_low_u8(a.v));
        high = vaddw_high_u8(high, a.v);
    }
    void add_to(float* y, float scale, int32_t bias) const {
        const uint32x4_t sums[4] = {vmovl_u16(vget_low_u16(low)), vmovl_high_u16(low), vmovl_u16(vget_low_u16(high)),
                                    vmovl_high_u16(high)};
        for (int i = 0; i < 4; ++i, y += 4) {
            const int32x4_t sum = vsubq_s32(vreinterpretq_s32_u32(sums[i]), vdupq_n_s32(bias));
            vst1q_f32(y, vfmaq_n_f32(vld1q_f32(y), vcvtq_f32_s32(sum), scale));
        }
    }
};

static inline void store_16_bytes(uint8_t* p, const F* v) {
    vst1q_u8(p, veorq_u8(vreinterpretq_u8_s8(to_bytes(v[0])), vdupq_n_u8(128)));
}

}  // namespace GNOMON_SIMD_NAMESPACE
}  // namespace gnomon
