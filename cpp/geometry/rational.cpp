#include "geometry/rational.h"

namespace gnomon::geometry {

Rational Rational::quotient(const BigInteger& numerator, const BigInteger& denominator) {
    const BigInteger common = BigInteger::greatest_common_divisor(numerator, denominator);
    BigInteger top = numerator.divide(common).first, bottom = denominator.divide(common).first;
    if (bottom.is_negative()) {
        top = -top;
        bottom = -bottom;
    }
    Rational result;
    if (top.fits_int64() && bottom.fits_int64()) {
        result.numerator_ = top.to_int64();
        result.denominator_ = bottom.to_int64();
    } else {
        result.big_ = std::make_shared<const Big>(Big{std::move(top), std::move(bottom)});
    }
    return result;
}

std::string Rational::to_string() const {
    const std::string top = big_numerator().to_string(), bottom = big_denominator().to_string();
    return bottom == "1" ? top : top + "/" + bottom;
}

Rational Rational::operator+(const Rational& other) const {
    int64_t left, right, top, bottom;
    if (!big_ && !other.big_ && !__builtin_mul_overflow(numerator_, other.denominator_, &left) &&
        !__builtin_mul_overflow(other.numerator_, denominator_, &right) &&
        !__builtin_add_overflow(left, right, &top) &&
        !__builtin_mul_overflow(denominator_, other.denominator_, &bottom) && top != INT64_MIN)
        return small(top, bottom);
    return quotient(big_numerator() * other.big_denominator() + other.big_numerator() * big_denominator(),
                    big_denominator() * other.big_denominator());
}

Rational Rational::operator-(const Rational& other) const {
    return *this + other * Rational(-1);
}

Rational Rational::operator*(const Rational& other) const {
    int64_t top, bottom;
    if (!big_ && !other.big_ && !__builtin_mul_overflow(numerator_, other.numerator_, &top) &&
        !__builtin_mul_overflow(denominator_, other.denominator_, &bottom) && top != INT64_MIN)
        return small(top, bottom);
    return quotient(big_numerator() * other.big_numerator(), big_denominator() * other.big_denominator());
}

Rational Rational::operator/(const Rational& other) const {
    int64_t top, bottom;
    if (!big_ && !other.big_ && !__builtin_mul_overflow(numerator_, other.denominator_, &top) &&
        !__builtin_mul_overflow(denominator_, other.numerator_, &bottom) && top != INT64_MIN &&
        bottom != INT64_MIN)
        return small(bottom < 0 ? -top : top, bottom < 0 ? -bottom : bottom);
    return quotient(big_numerator() * other.big_denominator(), big_denominator() * other.big_numerator());
}

Rational Rational::small(int64_t numerator, int64_t denominator) {
    const int64_t common = std::gcd(numerator, denominator);
    Rational result;
    result.numerator_ = numerator / common;
    result.denominator_ = denominator / common;
    return result;
}

}  // namespace gnomon::geometry
