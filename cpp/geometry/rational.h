// Exact fractions: 64-bit with overflow checks, any size where that does not suffice.
#pragma once

#include <memory>
#include <numeric>
#include <string>

#include "geometry/big_integer.h"

namespace gnomon::geometry {

// An immutable fraction in lowest terms with a positive denominator.
class Rational {
  public:
    Rational() = default;
    explicit Rational(int64_t value) : numerator_(value) {}
    static Rational quotient(const BigInteger& numerator, const BigInteger& denominator);

    bool is_zero() const { return big_ == nullptr && numerator_ == 0; }
    bool is_big() const { return big_ != nullptr; }
    std::string to_string() const;  // "3", "-1/2"

    Rational operator-() const { return Rational() - *this; }
    Rational operator+(const Rational& other) const;
    Rational operator-(const Rational& other) const;
    Rational operator*(const Rational& other) const;
    Rational operator/(const Rational& other) const;  // other is not zero
    bool operator==(const Rational& other) const { return (*this - other).is_zero(); }

  private:
    struct Big {
        BigInteger numerator, denominator;
    };
    static Rational small(int64_t numerator, int64_t denominator);
    BigInteger big_numerator() const { return big_ ? big_->numerator : BigInteger(numerator_); }
    BigInteger big_denominator() const { return big_ ? big_->denominator : BigInteger(denominator_); }

    int64_t numerator_ = 0;
    int64_t denominator_ = 1;
    std::shared_ptr<const Big> big_;  // set where 64 bits are too few
};

}  // namespace gnomon::geometry
