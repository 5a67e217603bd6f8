// Items that meet under equal keys, in flat memory that is cheap to copy.
#pragma once

#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace gnomon::geometry {

// Equal numbers fall into one cell of a grid (but for one pair in thousands, which is then missed). The
// offset keeps what geometry likes (0, 1/2, 1) away from the cells' borders.
class Key {
  public:
    void add(double number) {
        const auto cell = static_cast<int64_t>(std::floor(number * 987654.3 + 0.314159));
        hash_ = (hash_ ^ static_cast<uint64_t>(cell)) * 0x9e3779b97f4a7c15u;
        hash_ ^= hash_ >> 29;
    }
    uint64_t hash() const { return hash_; }

  private:
    uint64_t hash_ = 0x243f6a8885a308d3u;
};

// From a 64-bit hash to a number, by open addressing.
class HashIndex {
  public:
    // The number under a key; `fresh` where the key is new, which is then kept.
    int find_or_add(uint64_t key, int fresh) {
        if (2 * (used_ + 1) > static_cast<int>(cells_.size())) grow();
        Cell& cell = cell_of(cells_, key);
        if (cell.number < 0) {
            cell = {key, fresh};
            ++used_;
        }
        return cell.number;
    }

  private:
    struct Cell {
        uint64_t key = 0;
        int number = -1;
    };
    static Cell& cell_of(std::vector<Cell>& cells, uint64_t key) {
        size_t place = (key * 0x9e3779b97f4a7c15u >> 20) & (cells.size() - 1);
        while (cells[place].number >= 0 && cells[place].key != key) place = (place + 1) & (cells.size() - 1);
        return cells[place];
    }
    void grow() {
        std::vector<Cell> larger(cells_.empty() ? 64 : 2 * cells_.size());
        for (const Cell& cell : cells_)
            if (cell.number >= 0) cell_of(larger, cell.key) = cell;
        cells_ = std::move(larger);
    }

    std::vector<Cell> cells_;
    int used_ = 0;
};

// Groups of items with one key each. Items and groups are named by numbers that never change.
template <class Item>
class Groups {
  public:
    // The number of the item's group.
    int add(uint64_t key, const Item& item) {
        const int group = index_.find_or_add(key, static_cast<int>(first_.size()));
        if (group == static_cast<int>(first_.size())) {
            first_.push_back(-1);
            last_.push_back(-1);
        }
        const int number = static_cast<int>(items_.size());
        items_.push_back(item);
        next_.push_back(-1);
        (first_[group] < 0 ? first_[group] : next_[last_[group]]) = number;
        last_[group] = number;
        return group;
    }

    int groups() const { return static_cast<int>(first_.size()); }
    const Item& item(int number) const { return items_[number]; }
    int first(int group) const { return first_[group]; }
    int next(int number) const { return next_[number]; }  // -1 after the last one
    bool is_single(int group) const { return first_[group] == last_[group]; }

  private:
    HashIndex index_;
    std::vector<Item> items_;
    std::vector<int> next_, first_, last_;
};

}  // namespace gnomon::geometry
