// How the trellis codec spends its bits; see docs/trellis-format.md.
#pragma once

namespace gnomon {

constexpr int kBlockColumns = 32;

// How a width of 2, 3 or 4 bits is spent.
struct TrellisForm {
    int symbol_bits;
    int columns;  // that a symbol stands for
    int window;   // symbols that a number depends on

    constexpr int symbols() const { return kBlockColumns / columns; }
    constexpr int values() const { return 1 << symbol_bits; }
    constexpr int table_size() const { return window * values() * columns; }
};

constexpr TrellisForm trellis_form(int bits) {
    return bits == 2 ? TrellisForm{4, 2, 3} : bits == 3 ? TrellisForm{3, 1, 4} : TrellisForm{4, 1, 3};
}

}  // namespace gnomon
