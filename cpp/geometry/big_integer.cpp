#include "geometry/big_integer.h"

#include <algorithm>

namespace gnomon::geometry {

BigInteger::BigInteger(int64_t value) : is_negative_(value < 0) {
    uint64_t rest = value < 0 ? ~static_cast<uint64_t>(value) + 1 : static_cast<uint64_t>(value);
    for (; rest != 0; rest >>= 32) limbs_.push_back(static_cast<uint32_t>(rest));
}

bool BigInteger::fits_int64() const {
    if (limbs_.size() < 2) return true;
    return limbs_.size() == 2 && limbs_[1] < 0x80000000u;  // leaves out -2^63, which nobody misses
}

int64_t BigInteger::to_int64() const {
    uint64_t value = 0;
    for (size_t i = limbs_.size(); i-- > 0;) value = value << 32 | limbs_[i];
    return is_negative_ ? -static_cast<int64_t>(value) : static_cast<int64_t>(value);
}

std::string BigInteger::to_string() const {
    if (is_zero()) return "0";
    std::string digits;
    Limbs rest = limbs_;
    while (!rest.empty()) {
        uint64_t remainder = 0;
        for (size_t i = rest.size(); i-- > 0;) {
            const uint64_t part = remainder << 32 | rest[i];
            rest[i] = static_cast<uint32_t>(part / 10);
            remainder = part % 10;
        }
        digits.push_back(static_cast<char>('0' + remainder));
        trim(rest);
    }
    if (is_negative_) digits.push_back('-');
    std::reverse(digits.begin(), digits.end());
    return digits;
}

BigInteger BigInteger::operator-() const { return make(limbs_, !is_negative_); }

BigInteger BigInteger::operator+(const BigInteger& other) const {
    if (is_negative_ == other.is_negative_) return make(add(limbs_, other.limbs_), is_negative_);
    if (compare(limbs_, other.limbs_) >= 0) return make(subtract(limbs_, other.limbs_), is_negative_);
    return make(subtract(other.limbs_, limbs_), other.is_negative_);
}

BigInteger BigInteger::operator*(const BigInteger& other) const {
    Limbs product(limbs_.size() + other.limbs_.size(), 0);
    for (size_t i = 0; i < limbs_.size(); ++i) {
        uint64_t carry = 0;
        for (size_t j = 0; j < other.limbs_.size(); ++j) {
            carry += product[i + j] + static_cast<uint64_t>(limbs_[i]) * other.limbs_[j];
            product[i + j] = static_cast<uint32_t>(carry);
            carry >>= 32;
        }
        product[i + other.limbs_.size()] = static_cast<uint32_t>(carry);
    }
    return make(std::move(product), is_negative_ != other.is_negative_);
}

std::pair<BigInteger, BigInteger> BigInteger::divide(const BigInteger& divisor) const {
    Limbs quotient(limbs_.size(), 0), remainder;
    for (size_t bit = limbs_.size() * 32; bit-- > 0;) {  // bring down one bit, subtract where it goes
        remainder = add(remainder, remainder);
        if (limbs_[bit / 32] >> (bit % 32) & 1) remainder = add(remainder, {1});
        if (compare(remainder, divisor.limbs_) < 0) continue;
        remainder = subtract(remainder, divisor.limbs_);
        quotient[bit / 32] |= uint32_t{1} << (bit % 32);
    }
    return {make(std::move(quotient), is_negative_ != divisor.is_negative_),
            make(std::move(remainder), is_negative_)};
}

BigInteger BigInteger::greatest_common_divisor(BigInteger a, BigInteger b) {
    while (!b.is_zero()) {
        BigInteger rest = a.divide(b).second;
        a = std::move(b);
        b = std::move(rest);
    }
    return a.is_negative_ ? -a : a;
}

int BigInteger::compare(const Limbs& a, const Limbs& b) {
    if (a.size() != b.size()) return a.size() < b.size() ? -1 : 1;
    for (size_t i = a.size(); i-- > 0;)
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    return 0;
}

BigInteger::Limbs BigInteger::add(const Limbs& a, const Limbs& b) {
    Limbs sum;
    uint64_t carry = 0;
    for (size_t i = 0; i < std::max(a.size(), b.size()) || carry != 0; ++i) {
        carry += (i < a.size() ? a[i] : 0u);
        carry += (i < b.size() ? b[i] : 0u);
        sum.push_back(static_cast<uint32_t>(carry));
        carry >>= 32;
    }
    return sum;
}

BigInteger::Limbs BigInteger::subtract(const Limbs& a, const Limbs& b) {
    Limbs difference = a;
    int64_t borrow = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        int64_t part = static_cast<int64_t>(a[i]) - (i < b.size() ? b[i] : 0u) + borrow;
        borrow = part < 0 ? -1 : 0;
        difference[i] = static_cast<uint32_t>(part + (part < 0 ? int64_t{1} << 32 : 0));
    }
    trim(difference);
    return difference;
}

void BigInteger::trim(Limbs& limbs) {
    while (!limbs.empty() && limbs.back() == 0) limbs.pop_back();
}

BigInteger BigInteger::make(Limbs limbs, bool is_negative) {
    BigInteger result;
    trim(limbs);
    result.limbs_ = std::move(limbs);
    result.is_negative_ = is_negative && !result.limbs_.empty();
    return result;
}

}  // namespace gnomon::geometry
