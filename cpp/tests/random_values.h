// Random inputs, and the instruction sets to try them on.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "core/isa.h"

inline std::vector<float> random_floats(int64_t n, unsigned seed) {
    std::mt19937 rng(seed);
    std::normal_distribution<float> normal;
    std::vector<float> v(static_cast<std::size_t>(n));
    for (float& f : v) f = normal(rng);
    return v;
}

inline std::vector<float> random_signs(int64_t n, unsigned seed) {
    auto v = random_floats(n, seed);
    for (float& f : v) f = f < 0 ? -1.0f : 1.0f;
    return v;
}

inline std::vector<gnomon::Isa> all_sets() { return gnomon::available_isas(); }
