// Elementwise work on vectors of floats, and the two factors of a rotation.
#pragma once

#include "kernels/simd.h"

namespace gnomon {
namespace GNOMON_SIMD_NAMESPACE {

template <int N>
struct Count {
    static constexpr int value = N;
};

// Calls body(i, count) with count = N for whole vectors and once more for the rest.
template <class Body>
static inline void each_vector(int64_t n, Body body) {
    int64_t i = 0;
    for (; i + F::N <= n; i += F::N) body(i, static_cast<int64_t>(F::N));
    if (i < n) body(i, n - i);
}

static inline F load_up_to(const float* p, int64_t n) { return n == F::N ? load(p) : load(p, n); }
static inline void store_up_to(float* p, F a, int64_t n) {
    if (n == F::N)
        store(p, a);
    else
        store(p, a, n);
}

static void multiply(const float* a, const float* b, int64_t n, float* y) {
    each_vector(n, [&](int64_t i, int64_t c) {
        store_up_to(y + i, load_up_to(a + i, c) * load_up_to(b + i, c), c);
    });
}

static void add(const float* x, int64_t n, float* y) {
    each_vector(n, [&](int64_t i, int64_t c) {
        store_up_to(y + i, load_up_to(y + i, c) + load_up_to(x + i, c), c);
    });
}

static void scale(float factor, int64_t n, float* y) {
    const F f = set(factor);
    each_vector(n, [&](int64_t i, int64_t c) { store_up_to(y + i, load_up_to(y + i, c) * f, c); });
}

static void add_scaled(float factor, const float* x, int64_t n, float* y) {
    const F f = set(factor);
    each_vector(n, [&](int64_t i, int64_t c) {
        store_up_to(y + i, fma(f, load_up_to(x + i, c), load_up_to(y + i, c)), c);
    });
}

static void rms_norm(const float* x, const float* weight, int64_t n, float eps, float offset, float* y) {
    F squares = set(0.0f);
    each_vector(n, [&](int64_t i, int64_t c) {
        const F v = load_up_to(x + i, c);
        squares = fma(v, v, squares);
    });
    const F factor = set(1.0f / __builtin_sqrtf(sum(squares) / static_cast<float>(n) + eps));
    const F shift = set(offset);
    each_vector(n, [&](int64_t i, int64_t c) {
        store_up_to(y + i, load_up_to(x + i, c) * factor * (shift + load_up_to(weight + i, c)), c);
    });
}

// e^x to about one unit in the last place: 2^k · e^r with |r| <= ln 2 / 2, e^r by the polynomial of
// Cephes' expf. Below the smallest normal number the result is that number instead of zero.
static inline F exponential(F x) {
    x = minimum(maximum(x, set(-87.33f)), set(88.37f));
    const F k = nearest(x * set(1.44269504f));
    F r = fma(k, set(-0.693359375f), x);
    r = fma(k, set(2.12194440e-4f), r);
    F p = set(1.9875691500e-4f);
    p = fma(p, r, set(1.3981999507e-3f));
    p = fma(p, r, set(8.3334519073e-3f));
    p = fma(p, r, set(4.1665795894e-2f));
    p = fma(p, r, set(1.6666665459e-1f));
    p = fma(p, r, set(5.0000001201e-1f));
    return fma(p, r * r, r + set(1.0f)) * power_of_two(k);
}

static inline F sigmoid(F x) { return set(1.0f) / (set(1.0f) + exponential(set(0.0f) - x)); }

static void silu_multiply(float* gate, const float* up, int64_t n) {
    each_vector(n, [&](int64_t i, int64_t c) {
        const F g = load_up_to(gate + i, c);
        store_up_to(gate + i, g * sigmoid(g) * load_up_to(up + i, c), c);
    });
}

// x/2 · (1 + tanh u) = x · sigmoid(2u), u = sqrt(2/π) (x + 0.044715 x³). Hendrycks and Gimpel,
// arXiv 1606.08415.
static void gelu_tanh_multiply(float* gate, const float* up, int64_t n) {
    each_vector(n, [&](int64_t i, int64_t c) {
        const F g = load_up_to(gate + i, c);
        const F twice_u = set(1.59576912f) * g * fma(g * g, set(0.044715f), set(1.0f));
        store_up_to(gate + i, g * sigmoid(twice_u) * load_up_to(up + i, c), c);
    });
}

static void softcap(float cap, int64_t n, float* y) {
    each_vector(n, [&](int64_t i, int64_t c) {
        const F twice = load_up_to(y + i, c) * set(2.0f / cap);
        store_up_to(y + i, set(cap) * (sigmoid(twice) * set(2.0f) - set(1.0f)), c);
    });
}

static float maximum_of(const float* x, int64_t n) {
    float best = x[0];
    int64_t i = 0;
    if (n >= F::N) {
        F m = load(x);
        for (i = F::N; i + F::N <= n; i += F::N) m = maximum(m, load(x + i));
        best = largest(m);
    }
    for (; i < n; ++i) best = x[i] > best ? x[i] : best;
    return best;
}

static float exp_and_sum(float shift, int64_t n, float* y) {
    F total = set(0.0f);
    float rest = 0.0f;
    const F s = set(shift);
    each_vector(n, [&](int64_t i, int64_t c) {
        const F e = exponential(load_up_to(y + i, c) - s);
        store_up_to(y + i, e, c);
        if (c == F::N)
            total = total + e;
        else
            for (int64_t j = 0; j < c; ++j) rest += y[i + j];
    });
    return sum(total) + rest;
}

static float exp_sum(float shift, int64_t n, const float* x) {
    F total = set(0.0f);
    float rest = 0.0f;
    const F s = set(shift);
    each_vector(n, [&](int64_t i, int64_t c) {
        const F e = exponential(load_up_to(x + i, c) - s);
        if (c == F::N) {
            total = total + e;
        } else {
            float tail[F::N];
            store(tail, e);
            for (int64_t j = 0; j < c; ++j) rest += tail[j];
        }
    });
    return sum(total) + rest;
}

static float quantize(const float* x, int64_t n, int8_t* q, int32_t* total) {
    F m = set(0.0f);
    each_vector(n, [&](int64_t i, int64_t c) { m = maximum(m, absolute(load_up_to(x + i, c))); });
    const float peak = largest(m);
    // Next to nothing counts as nothing: 127 / peak would overflow.
    const F factor = set(peak > 1e-30f ? 127.0f / peak : 0.0f);
    int32_t t = 0;
    each_vector(n, [&](int64_t i, int64_t c) {
        const F v = nearest(load_up_to(x + i, c) * factor);
        if (c == F::N) {
            t += store_i8(q + i, v);
        } else {
            int8_t tail[F::N];
            t += store_i8(tail, v);
            std::memcpy(q + i, tail, static_cast<size_t>(c));
        }
    });
    *total = t;
    return peak / 127.0f;
}

static void to_f16(const float* x, int64_t n, uint16_t* y) {
    int64_t i = 0;
    for (; i + F::N <= n; i += F::N) store_f16(y + i, load(x + i));
    for (; i < n; ++i) y[i] = float_to_f16(x[i]);
}

static void hadamard(float* x, int64_t n) {
    const float factor = 1.0f / __builtin_sqrtf(static_cast<float>(n));
    if (n < F::N) {
        for (int64_t h = 1; h < n; h *= 2)
            for (int64_t i = 0; i < n; ++i)
                if ((i & h) == 0) {
                    const float a = x[i], b = x[i + h];
                    x[i] = a + b;
                    x[i + h] = a - b;
                }
        for (int64_t i = 0; i < n; ++i) x[i] *= factor;
        return;
    }
    for (int64_t i = 0; i < n; i += F::N) store(x + i, hadamard_in_register(load(x + i)));
    int64_t h = F::N;
    for (; h * 4 <= n; h *= 4)  // two stages in one pass over memory
        for (int64_t block = 0; block < n; block += 4 * h)
            for (int64_t i = block; i < block + h; i += F::N) {
                const F a = load(x + i), b = load(x + i + h);
                const F c = load(x + i + 2 * h), d = load(x + i + 3 * h);
                const F ab = a + b, a_b = a - b, cd = c + d, c_d = c - d;
                store(x + i, ab + cd);
                store(x + i + h, a_b + c_d);
                store(x + i + 2 * h, ab - cd);
                store(x + i + 3 * h, a_b - c_d);
            }
    if (h < n)
        for (int64_t i = 0; i < h; i += F::N) {
            const F a = load(x + i), b = load(x + i + h);
            store(x + i, a + b);
            store(x + i + h, a - b);
        }
    scale(factor, n, x);
}

// C vectors of columns, the last of `count` floats. With e_b = x_b + x_(m−b) and o_b = x_b − x_(m−b),
// outputs a and m − a are x_0 + Σ cos(2πab/m) e_b ± Σ sin(2πab/m) o_b, b = 1 … (m − 1)/2.
template <int C>
static inline void hartley_columns(const float* cosines, const float* sines, int64_t m, int64_t columns,
                                   int64_t count, float* x, float* scratch) {
    const auto at = [&](int64_t row, int c) { return x + row * columns + c * F::N; };
    const int64_t half = m / 2;
    const F factor = set(1.0f / __builtin_sqrtf(static_cast<float>(m)));
    float* odd = scratch + half * C * F::N;
    F first[C], total[C];
    GNOMON_UNROLL
    for (int c = 0; c < C; ++c) {
        total[c] = load_up_to(at(0, c), count);
        first[c] = total[c] * factor;
    }
    for (int64_t b = 0; b < half; ++b) {
        GNOMON_UNROLL
        for (int c = 0; c < C; ++c) {
            const F one = load_up_to(at(b + 1, c), count), other = load_up_to(at(m - 1 - b, c), count);
            total[c] = total[c] + one + other;
            store(scratch + (b * C + c) * F::N, one + other);
            store(odd + (b * C + c) * F::N, one - other);
        }
    }
    GNOMON_UNROLL
    for (int c = 0; c < C; ++c) store_up_to(at(0, c), total[c] * factor, count);
    const auto rows = [&](int64_t a, auto two) {  // at once, to hide the latency of the sums
        constexpr int R = decltype(two)::value;
        F even_sum[R][C], odd_sum[R][C];
        GNOMON_UNROLL
        for (int r = 0; r < R; ++r) {
            GNOMON_UNROLL
            for (int c = 0; c < C; ++c) even_sum[r][c] = first[c], odd_sum[r][c] = set(0.0f);
        }
        for (int64_t b = 0; b < half; ++b) {
            GNOMON_UNROLL
            for (int r = 0; r < R; ++r) {
                const F cosine = set(cosines[(a + r) * half + b]), sine = set(sines[(a + r) * half + b]);
                GNOMON_UNROLL
                for (int c = 0; c < C; ++c) {
                    even_sum[r][c] = fma(cosine, load(scratch + (b * C + c) * F::N), even_sum[r][c]);
                    odd_sum[r][c] = fma(sine, load(odd + (b * C + c) * F::N), odd_sum[r][c]);
                }
            }
        }
        GNOMON_UNROLL
        for (int r = 0; r < R; ++r) {
            GNOMON_UNROLL
            for (int c = 0; c < C; ++c) {
                store_up_to(at(a + r + 1, c), even_sum[r][c] + odd_sum[r][c], count);
                store_up_to(at(m - 1 - a - r, c), even_sum[r][c] - odd_sum[r][c], count);
            }
        }
    };
    int64_t a = 0;
    for (; a + 2 <= half; a += 2) rows(a, Count<2>{});
    if (a < half) rows(a, Count<1>{});
}

static void hartley(const float* cosines, const float* sines, int64_t m, int64_t columns, float* x, float* scratch) {
    int64_t j = 0;
    for (; j + 2 * F::N <= columns; j += 2 * F::N)
        hartley_columns<2>(cosines, sines, m, columns, F::N, x + j, scratch);
    for (; j < columns; j += F::N)
        hartley_columns<1>(cosines, sines, m, columns, columns - j < F::N ? columns - j : F::N, x + j, scratch);
}

}  // namespace GNOMON_SIMD_NAMESPACE
}  // namespace gnomon
