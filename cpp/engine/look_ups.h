// How a vector becomes look-up tables: what each code that may stand for some of its numbers comes to.
#pragma once

#include <cstdint>

#include "kernels/table.h"

namespace gnomon {

// The columns of a vector are taken in groups, the look-ups of which are bytes with one scale.
class LookUps {
public:
    LookUps(int64_t columns, int64_t group_columns, int64_t column_bytes, int64_t most_vectors)
        : columns_(columns), group_columns_(group_columns), column_bytes_(column_bytes), most_vectors_(most_vectors) {}
    virtual ~LookUps() = default;

    int64_t columns() const { return columns_; }              // of a vector, with zeros that fill it up
    int64_t group_columns() const { return group_columns_; }  // the last group may have fewer
    int64_t groups() const { return (columns_ + group_columns_ - 1) / group_columns_; }
    int64_t column_bytes() const { return column_bytes_; }    // of look-ups
    int64_t most_vectors() const { return most_vectors_; }    // worth having in the cache together

    // The look-ups of `columns` numbers of one group; returns their scale.
    virtual float make(const KernelTable& k, const float* x, int64_t columns, uint8_t* look_ups) const = 0;
    // Whether `other` makes the same of the same vector.
    virtual bool is_same(const LookUps& other) const = 0;

private:
    int64_t columns_, group_columns_, column_bytes_, most_vectors_;
};

}  // namespace gnomon
