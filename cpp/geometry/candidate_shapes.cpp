// Triangles of one shape, points that cut lines alike, equal lengths: what meets under numeric keys.
#include <algorithm>
#include <cmath>

#include "geometry/candidates.h"

namespace gnomon::geometry {

void extend_lengths(const Diagrams& diagrams, int point, Candidates& found);
void extend_triangles(const Diagrams& diagrams, int point, Candidates& found);
void extend_collinear(const Diagrams& diagrams, int point, Candidates& found);

namespace {

// Four simple ratios, of the new length to the known ones and back.
void compare_lengths(const Diagrams& diagrams, int pair, Candidates& found) {
    constexpr std::pair<int, int> kRatios[] = {{2, 1}, {3, 1}, {4, 1}, {3, 2}};
    const double length = diagrams.length(0, pair);
    for (const auto& [p, q] : kRatios)
        for (const auto& [numerator, denominator] : {std::pair(p, q), std::pair(q, p)}) {
            const double wanted = length * numerator / denominator;
            auto other = std::lower_bound(found.different_lengths.begin(), found.different_lengths.end(),
                                          std::pair(wanted * (1 - kTolerance), -1));
            for (; other != found.different_lengths.end() && other->first < wanted * (1 + kTolerance); ++other) {
                const int larger = numerator > denominator ? other->second : pair;
                const int smaller = numerator > denominator ? pair : other->second;
                if (diagrams.have_ratio(larger, smaller, static_cast<double>(p) / q))
                    found.ratios.push_back({larger, smaller, p, q});
            }
        }
}

void add_triangle(const Diagrams& diagrams, int a, int b, int c, Shapes& shapes) {
    Key key;
    const int turn = diagrams.orientation(0, a, b, c);
    key.add(turn * diagrams.orientation(1, a, b, c));
    for (int d = 0; d < kDiagrams; ++d) {
        const double longest = diagrams.length(d, pair_of(a, b));
        key.add(diagrams.length(d, pair_of(b, c)) / longest);
        key.add(diagrams.length(d, pair_of(c, a)) / longest);
    }
    shapes.add(key.hash(), {static_cast<int8_t>(a), static_cast<int8_t>(b), static_cast<int8_t>(c),
                            static_cast<int8_t>(turn)});
}

// The place of b on the way from a to c.
double share(const Diagrams& diagrams, int d, int a, int b, int c) {
    const auto u = diagrams.at(d, b) - diagrams.at(d, a), v = diagrams.at(d, c) - diagrams.at(d, a);
    return (u.real() * v.real() + u.imag() * v.imag()) / std::norm(v);
}

void add_on_line(const Diagrams& diagrams, int a, int b, int c, Shapes& shapes) {
    Key key;
    for (int d = 0; d < kDiagrams; ++d) key.add(share(diagrams, d, a, b, c));
    shapes.add(key.hash(), {static_cast<int8_t>(a), static_cast<int8_t>(b), static_cast<int8_t>(c), int8_t{1}});
}

}  // namespace

void extend_lengths(const Diagrams& diagrams, int point, Candidates& found) {
    for (int a = 0; a < point; ++a) {
        const int pair = pair_of(a, point), groups = found.lengths.groups();
        Key key;
        for (int d = 0; d < kDiagrams; ++d) key.add(diagrams.length(d, pair));
        if (found.lengths.add(key.hash(), pair) < groups) continue;
        compare_lengths(diagrams, pair, found);
        const std::pair entry(diagrams.length(0, pair), pair);
        found.different_lengths.insert(
            std::lower_bound(found.different_lengths.begin(), found.different_lengths.end(), entry), entry);
    }
}

void extend_triangles(const Diagrams& diagrams, int point, Candidates& found) {
    const int k = point;
    for (int j = 1; j < k; ++j)
        for (int i = 0; i < j; ++i) {
            if (diagrams.are_collinear(i, j, k)) continue;
            std::pair<double, int> corners[3] = {{diagrams.length(0, pair_of(j, k)), i},
                                                 {diagrams.length(0, pair_of(k, i)), j},
                                                 {diagrams.length(0, pair_of(i, j)), k}};
            std::sort(corners, corners + 3);
            const int a = corners[0].second, b = corners[1].second, c = corners[2].second;
            const bool is_low = diagrams.have_ratio(pair_of(b, c), pair_of(c, a), 1);
            const bool is_high = diagrams.have_ratio(pair_of(c, a), pair_of(a, b), 1);
            const auto add = [&](int x, int y, int z) { add_triangle(diagrams, x, y, z, found.triangles); };
            add(a, b, c);
            if (is_low) add(b, a, c);
            if (is_high) add(a, c, b);
            if (is_low && is_high) {
                add(b, c, a);
                add(c, a, b);
                add(c, b, a);
            }
        }
}

void extend_collinear(const Diagrams& diagrams, int point, Candidates& found) {
    for (const PointSet line : found.lines) {
        if (!(line & bit(point))) continue;
        const std::vector<int> others = points_of(line & ~bit(point));
        for (size_t j = 1; j < others.size(); ++j)
            for (size_t i = 0; i < j; ++i) {
                int a = others[i], b = point, c = others[j];
                const auto length = [&](int x, int y) { return diagrams.length(0, pair_of(x, y)); };
                if (length(a, b) > length(a, c) && length(a, b) > length(b, c)) std::swap(b, c);
                if (length(b, c) > length(a, c) && length(b, c) > length(a, b)) std::swap(a, b);
                const double part = share(diagrams, 0, a, b, c);
                if (part < 0.5 + kTolerance) add_on_line(diagrams, a, b, c, found.collinear);
                if (part > 0.5 - kTolerance) add_on_line(diagrams, c, b, a, found.collinear);
            }
    }
}

}  // namespace gnomon::geometry
