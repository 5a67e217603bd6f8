// Integers of any size, for the rare combination that leaves 64 bits. Clear rather than fast.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace gnomon::geometry {

class BigInteger {
  public:
    BigInteger() = default;
    explicit BigInteger(int64_t value);

    bool is_zero() const { return limbs_.empty(); }
    bool is_negative() const { return is_negative_; }
    bool fits_int64() const;
    int64_t to_int64() const;  // only where it fits
    std::string to_string() const;

    BigInteger operator-() const;
    BigInteger operator+(const BigInteger& other) const;
    BigInteger operator-(const BigInteger& other) const { return *this + -other; }
    BigInteger operator*(const BigInteger& other) const;
    bool operator==(const BigInteger& other) const {
        return is_negative_ == other.is_negative_ && limbs_ == other.limbs_;
    }

    // Quotient towards zero and remainder with the dividend's sign. The divisor is not zero.
    std::pair<BigInteger, BigInteger> divide(const BigInteger& divisor) const;
    static BigInteger greatest_common_divisor(BigInteger a, BigInteger b);

  private:
    using Limbs = std::vector<uint32_t>;  // least significant first, no leading zeros
    static int compare(const Limbs& a, const Limbs& b);
    static Limbs add(const Limbs& a, const Limbs& b);
    static Limbs subtract(const Limbs& a, const Limbs& b);  // a >= b
    static void trim(Limbs& limbs);
    static BigInteger make(Limbs limbs, bool is_negative);

    Limbs limbs_;
    bool is_negative_ = false;
};

}  // namespace gnomon::geometry
