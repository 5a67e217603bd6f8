// Portable: loops that a compiler turns into whatever vectors there are. See simd.h.
#pragma once

#include <cstdint>
#include <cstring>

namespace gnomon {
namespace GNOMON_SIMD_NAMESPACE {

struct F {
    static constexpr int N = 16;
    float v[N];
};
#define GNOMON_EACH for (int i = 0; i < F::N; ++i)
static inline F set(float a) {
    F r;
    GNOMON_EACH r.v[i] = a;
    return r;
}
static inline F load(const float* p, int64_t n = F::N) {
    F r;
    GNOMON_EACH r.v[i] = i < n ? p[i] : 0.0f;
    return r;
}
static inline void store(float* p, F a, int64_t n = F::N) {
    for (int i = 0; i < n; ++i) p[i] = a.v[i];
}
static inline F operator+(F a, F b) {
    GNOMON_EACH a.v[i] += b.v[i];
    return a;
}
static inline F operator-(F a, F b) {
    GNOMON_EACH a.v[i] -= b.v[i];
    return a;
}
static inline F operator*(F a, F b) {
    GNOMON_EACH a.v[i] *= b.v[i];
    return a;
}
static inline F operator/(F a, F b) {
    GNOMON_EACH a.v[i] /= b.v[i];
    return a;
}
static inline F fma(F a, F b, F c) {
    GNOMON_EACH c.v[i] += a.v[i] * b.v[i];
    return c;
}
static inline F maximum(F a, F b) {
    GNOMON_EACH a.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];
    return a;
}
static inline F minimum(F a, F b) {
    GNOMON_EACH a.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i];
    return a;
}
static inline F one_where_greater(F a, F b) {
    GNOMON_EACH a.v[i] = a.v[i] > b.v[i] ? 1.0f : 0.0f;
    return a;
}
static inline F absolute(F a) {
    GNOMON_EACH a.v[i] = __builtin_fabsf(a.v[i]);
    return a;
}
static inline F nearest(F a) {
    GNOMON_EACH a.v[i] = __builtin_rintf(a.v[i]);
    return a;
}
static inline F power_of_two(F n) {
    GNOMON_EACH n.v[i] = bits_to_float(static_cast<uint32_t>(static_cast<int32_t>(n.v[i]) + 127) << 23);
    return n;
}
static inline float sum(F a) {
    for (int h = F::N / 2; h > 0; h /= 2)
        for (int i = 0; i < h; ++i) a.v[i] += a.v[i + h];
    return a.v[0];
}
static inline float largest(F a) {
    float r = a.v[0];
    GNOMON_EACH r = a.v[i] > r ? a.v[i] : r;
    return r;
}
static inline F load_f16(const uint16_t* p, int64_t n = F::N) {
    F r;
    GNOMON_EACH r.v[i] = i < n ? f16_to_float(p[i]) : 0.0f;
    return r;
}
static inline F load_bf16(const uint16_t* p, int64_t n = F::N) {
    F r;
    GNOMON_EACH r.v[i] = i < n ? bf16_to_float(p[i]) : 0.0f;
    return r;
}
static inline F load_i8(const int8_t* p, int64_t n = F::N) {
    F r;
    GNOMON_EACH r.v[i] = i < n ? static_cast<float>(p[i]) : 0.0f;
    return r;
}
static inline F load_i32(const int32_t* p) {
    F r;
    GNOMON_EACH r.v[i] = static_cast<float>(p[i]);
    return r;
}
static inline void store_f16(uint16_t* p, F a) { GNOMON_EACH p[i] = float_to_f16(a.v[i]); }
static inline int32_t store_i8(int8_t* p, F a) {
    int32_t total = 0;
    GNOMON_EACH {
        p[i] = static_cast<int8_t>(a.v[i]);
        total += p[i];
    }
    return total;
}
static inline F hadamard_in_register(F a) {
    for (int h = 1; h < F::N; h *= 2) {
        F r;
        GNOMON_EACH r.v[i] = (i & h) ? a.v[i ^ h] - a.v[i] : a.v[i] + a.v[i ^ h];
        a = r;
    }
    return a;
}
#undef GNOMON_EACH

// ------------------------------------------------------------------------------------- bytes

struct B {
    static constexpr int N = 16;
    uint8_t v[N];
};
#define GNOMON_EACH_BYTE for (int i = 0; i < B::N; ++i)
static inline B set_bytes(int a) {
    B r;
    GNOMON_EACH_BYTE r.v[i] = static_cast<uint8_t>(a);
    return r;
}
static inline B load_bytes(const uint8_t* p) {
    B r;
    std::memcpy(r.v, p, sizeof r.v);
    return r;
}
static inline B repeat_16(const uint8_t* p) { return load_bytes(p); }
static inline B look_up(B table, B index) {
    B r;
    GNOMON_EACH_BYTE r.v[i] = table.v[index.v[i] & 15];
    return r;
}
static inline B operator&(B a, B b) {
    GNOMON_EACH_BYTE a.v[i] = static_cast<uint8_t>(a.v[i] & b.v[i]);
    return a;
}
static inline B operator|(B a, B b) {
    GNOMON_EACH_BYTE a.v[i] = static_cast<uint8_t>(a.v[i] | b.v[i]);
    return a;
}
static inline B shift_right(B a, int n) {
    GNOMON_EACH_BYTE a.v[i] = static_cast<uint8_t>(a.v[i] >> n);
    return a;
}
static inline B shift_left(B a, int n) {
    GNOMON_EACH_BYTE a.v[i] = static_cast<uint8_t>(a.v[i] << n);
    return a;
}
static inline B look_up_256(const uint8_t* table, B index) {
    GNOMON_EACH_BYTE index.v[i] = table[index.v[i]];
    return index;
}

struct Sums {
    uint16_t v[B::N] = {};

    void add(B a) { GNOMON_EACH_BYTE v[i] = static_cast<uint16_t>(v[i] + a.v[i]); }
    void add_to(float* y, float scale, int32_t bias) const {
        GNOMON_EACH_BYTE y[i] += static_cast<float>(v[i] - bias) * scale;
    }
};
#undef GNOMON_EACH_BYTE

static inline void store_16_bytes(uint8_t* p, const F* v) {
    for (int i = 0; i < 16; ++i) p[i] = static_cast<uint8_t>(__builtin_rintf(v[0].v[i]) + 128.0f);
}

}  // namespace GNOMON_SIMD_NAMESPACE
}  // namespace gnomon
