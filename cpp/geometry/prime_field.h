// Arithmetic modulo the Mersenne prime 2^61 - 1.
#pragma once

#include <cstdint>

namespace gnomon::geometry {

__extension__ typedef unsigned __int128 uint128;

// A residue in [0, 2^61 - 1).
class Residue {
  public:
    static constexpr uint64_t kPrime = (uint64_t{1} << 61) - 1;

    constexpr Residue() = default;
    explicit constexpr Residue(int64_t value)
        : value_(value >= 0 ? static_cast<uint64_t>(value) % kPrime
                            : kPrime - 1 - static_cast<uint64_t>(-(value + 1)) % kPrime) {}

    // A fixed pseudo-random residue for every index: the index through splitmix64.
    static constexpr Residue random(uint64_t index) {
        uint64_t x = (index + 1) * 0x9e3779b97f4a7c15u;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
        x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
        Residue result;
        result.value_ = (x ^ (x >> 31)) % kPrime;
        return result;
    }

    constexpr uint64_t value() const { return value_; }
    constexpr bool is_zero() const { return value_ == 0; }

    constexpr Residue operator+(Residue other) const {
        const uint64_t sum = value_ + other.value_;
        return from_reduced(sum >= kPrime ? sum - kPrime : sum);
    }
    constexpr Residue operator-() const { return from_reduced(value_ == 0 ? 0 : kPrime - value_); }
    constexpr Residue operator-(Residue other) const { return *this + -other; }
    constexpr Residue operator*(Residue other) const {
        const uint128 product = static_cast<uint128>(value_) * other.value_;
        const uint64_t folded = static_cast<uint64_t>(product & kPrime) + static_cast<uint64_t>(product >> 61);
        return from_reduced(folded >= kPrime ? folded - kPrime : folded);
    }
    constexpr bool operator==(Residue other) const { return value_ == other.value_; }
    constexpr bool operator<(Residue other) const { return value_ < other.value_; }

    // The inverse of a residue that is not zero, by Fermat.
    constexpr Residue inverse() const {
        Residue result(1), square = *this;
        for (uint64_t exponent = kPrime - 2; exponent != 0; exponent >>= 1, square = square * square)
            if (exponent & 1) result = result * square;
        return result;
    }

  private:
    static constexpr Residue from_reduced(uint64_t value) {
        Residue result;
        result.value_ = value;
        return result;
    }
    uint64_t value_ = 0;
};

}  // namespace gnomon::geometry
