#include "geometry/candidates.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace gnomon::geometry {

namespace {

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

// Calls `use(first, last)` for every run of equal keys that is at least `least` long.
template <class Item, class Use>
void for_each_group(std::vector<std::pair<uint64_t, Item>>& keyed, size_t least, const Use& use) {
    std::stable_sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (size_t first = 0, last = 0; first < keyed.size(); first = last) {
        while (last < keyed.size() && keyed[last].first == keyed[first].first) ++last;
        if (last - first >= least) use(first, last);
    }
}

void find_lines(const Diagrams& diagrams, Candidates& found) {
    const int n = diagrams.size();
    for (int b = 1; b < n; ++b)
        for (int a = 0; a < b; ++a) {
            PointSet line = bit(a) | bit(b);
            bool is_first = true;  // a and b are the line's first points: others would find it again
            for (int c = 0; c < n && is_first; ++c)
                if (c != a && c != b && diagrams.are_collinear(a, b, c)) {
                    line |= bit(c);
                    is_first = c > b;
                }
            if (is_first && count(line) >= 3) found.lines.push_back(line);
        }
}

Diagrams::Point circumcentre(Diagrams::Point a, Diagrams::Point b, Diagrams::Point c) {
    const Diagrams::Point u = b - a, v = c - a;
    const double twice_area = u.real() * v.imag() - u.imag() * v.real();
    return a + Diagrams::Point(0, 1) * (u * std::norm(v) - v * std::norm(u)) / (2 * twice_area);
}

void find_circles(const Diagrams& diagrams, Candidates& found) {
    const int n = diagrams.size();
    std::vector<std::pair<uint64_t, PointSet>> keyed;
    for (int c = 2; c < n; ++c)
        for (int b = 1; b < c; ++b)
            for (int a = 0; a < b; ++a) {
                if (diagrams.are_collinear(a, b, c)) continue;
                Key key;
                for (int d = 0; d < kDiagrams; ++d) {
                    const auto centre = circumcentre(diagrams.at(d, a), diagrams.at(d, b), diagrams.at(d, c));
                    key.add(centre.real());
                    key.add(centre.imag());
                    key.add(std::abs(centre - diagrams.at(d, a)));
                }
                keyed.emplace_back(key.hash(), bit(a) | bit(b) | bit(c));
            }
    for_each_group(keyed, 4, [&](size_t first, size_t last) {
        PointSet circle = 0;
        for (size_t i = first; i < last; ++i) circle |= keyed[i].second;
        found.circles.push_back(circle);
    });
}

void find_lengths(const Diagrams& diagrams, Candidates& found) {
    const int n = diagrams.size(), pairs = n * (n - 1) / 2;
    std::vector<std::pair<uint64_t, int>> keyed;
    for (int pair = 0; pair < pairs; ++pair) {
        Key key;
        for (int d = 0; d < kDiagrams; ++d) key.add(diagrams.length(d, pair));
        keyed.emplace_back(key.hash(), pair);
    }
    std::vector<std::pair<double, int>> representatives;  // by length in the first diagram
    for_each_group(keyed, 1, [&](size_t first, size_t last) {
        representatives.emplace_back(diagrams.length(0, keyed[first].second), keyed[first].second);
        if (last - first < 2) return;
        std::vector<int> group;
        for (size_t i = first; i < last; ++i) group.push_back(keyed[i].second);
        found.equal_pairs.push_back(std::move(group));
    });
    std::sort(representatives.begin(), representatives.end());
    for (const auto& [numerator, denominator] : {std::pair(2, 1), std::pair(3, 1), std::pair(4, 1), std::pair(3, 2)}) {
        const double ratio = static_cast<double>(numerator) / denominator;
        for (const auto& [length, pair] : representatives) {
            auto other = std::lower_bound(representatives.begin(), representatives.end(),
                                          std::pair(length * ratio * (1 - kTolerance), -1));
            for (; other != representatives.end() && other->first < length * ratio * (1 + kTolerance); ++other)
                if (diagrams.have_ratio(other->second, pair, ratio))
                    found.ratios.push_back({other->second, pair, numerator, denominator});
        }
    }
}

void find_centres(const Diagrams& diagrams, Candidates& found) {
    const int n = diagrams.size();
    for (int o = 0; o < n; ++o) {
        std::vector<std::pair<uint64_t, int>> keyed;
        for (int a = 0; a < n; ++a) {
            if (a == o) continue;
            Key key;
            for (int d = 0; d < kDiagrams; ++d) key.add(diagrams.length(d, pair_of(o, a)));
            keyed.emplace_back(key.hash(), a);
        }
        for_each_group(keyed, 3, [&](size_t first, size_t last) {
            PointSet points = 0;
            for (size_t i = first; i < last; ++i) points |= bit(keyed[i].second);
            found.centred.push_back({o, points});
        });
    }
}

void keep_shapes(std::vector<std::pair<uint64_t, Triple>>& keyed, std::vector<Shape>& shapes) {
    for_each_group(keyed, 2, [&](size_t first, size_t last) {
        Shape shape;
        for (size_t i = first; i < last; ++i) {
            shape.members.push_back(keyed[i].second);
            shape.parent.push_back(static_cast<int>(i - first));
        }
        shape.classes = static_cast<int>(last - first);
        shapes.push_back(std::move(shape));
    });
}

void find_triangles(const Diagrams& diagrams, Candidates& found) {
    const int n = diagrams.size();
    std::vector<std::pair<uint64_t, Triple>> keyed;
    const auto add = [&](int a, int b, int c) {
        Key key;
        const int turn = diagrams.orientation(0, a, b, c);
        key.add(turn * diagrams.orientation(1, a, b, c));
        for (int d = 0; d < kDiagrams; ++d) {
            const double longest = diagrams.length(d, pair_of(a, b));
            key.add(diagrams.length(d, pair_of(b, c)) / longest);
            key.add(diagrams.length(d, pair_of(c, a)) / longest);
        }
        keyed.push_back({key.hash(), {static_cast<int8_t>(a), static_cast<int8_t>(b), static_cast<int8_t>(c),
                                      static_cast<int8_t>(turn)}});
    };
    for (int k = 2; k < n; ++k)
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
                add(a, b, c);
                if (is_low) add(b, a, c);
                if (is_high) add(a, c, b);
                if (is_low && is_high) {
                    add(b, c, a);
                    add(c, a, b);
                    add(c, b, a);
                }
            }
    keep_shapes(keyed, found.triangles);
}

// The place of b on the way from a to c.
double share(const Diagrams& diagrams, int d, int a, int b, int c) {
    const auto u = diagrams.at(d, b) - diagrams.at(d, a), v = diagrams.at(d, c) - diagrams.at(d, a);
    return (u.real() * v.real() + u.imag() * v.imag()) / std::norm(v);
}

void find_collinear(const Diagrams& diagrams, Candidates& found) {
    std::vector<std::pair<uint64_t, Triple>> keyed;
    const auto add = [&](int a, int b, int c) {
        Key key;
        for (int d = 0; d < kDiagrams; ++d) key.add(share(diagrams, d, a, b, c));
        keyed.push_back(
            {key.hash(), {static_cast<int8_t>(a), static_cast<int8_t>(b), static_cast<int8_t>(c), int8_t{1}}});
    };
    for (const PointSet line : found.lines) {
        std::vector<int> points = points_of(line);
        const int end = points.front();
        const auto along = diagrams.at(0, points[1]) - diagrams.at(0, end);
        std::sort(points.begin(), points.end(), [&](int one, int other) {
            const auto step = diagrams.at(0, other) - diagrams.at(0, one);
            return step.real() * along.real() + step.imag() * along.imag() > 0;
        });
        for (size_t k = 2; k < points.size(); ++k)
            for (size_t j = 1; j < k; ++j)
                for (size_t i = 0; i < j; ++i) {
                    const double part = share(diagrams, 0, points[i], points[j], points[k]);
                    if (part < 0.5 + kTolerance) add(points[i], points[j], points[k]);
                    if (part > 0.5 - kTolerance) add(points[k], points[j], points[i]);
                }
    }
    keep_shapes(keyed, found.collinear);
}

void find_bisectors(const Diagrams& diagrams, Candidates& found) {
    for (const PointSet line : found.lines) {
        const std::vector<int> points = points_of(line);
        for (const int d : points)
            for (const int c : points)
                for (const int b : points) {
                    if (b >= c || b == d || c == d) continue;
                    for (int a = 0; a < diagrams.size(); ++a) {
                        if (line & bit(a)) continue;
                        bool is_candidate = true;
                        for (int picture = 0; picture < kDiagrams && is_candidate; ++picture) {
                            const auto length = [&](int x, int y) { return diagrams.length(picture, pair_of(x, y)); };
                            is_candidate = std::abs(length(d, b) * length(a, c) / (length(d, c) * length(a, b)) - 1) <
                                           kTolerance;
                        }
                        if (is_candidate)
                            found.bisectors.push_back({static_cast<int8_t>(a), static_cast<int8_t>(b),
                                                       static_cast<int8_t>(c), static_cast<int8_t>(d)});
                    }
                }
    }
}

void find_right_angles(const Diagrams& diagrams, Candidates& found) {
    for (const CentredCircle& circle : found.centred) {
        const std::vector<int> points = points_of(circle.points);
        for (const int c : points)
            for (const int a : points)
                if (a < c && diagrams.are_collinear(circle.centre, a, c))
                    for (const int b : points)
                        if (b != a && b != c)
                            found.right_angles.push_back({static_cast<int8_t>(circle.centre), static_cast<int8_t>(a),
                                                          static_cast<int8_t>(b), static_cast<int8_t>(c)});
    }
}

void find_chords(const Diagrams& diagrams, Candidates& found) {
    for (const PointSet circle : found.circles) {
        const std::vector<int> points = points_of(circle);
        for (const int p : points)
            for (const int q : points)
                for (const int r : points)
                    for (const int s : points) {
                        // One name for every pair of chords: p is the first point, p s ∥ q r.
                        if (q == p || r <= p || s <= p || r == q || s == q || s == r || q < p) continue;
                        if (diagrams.have_ratio(pair_of(p, q), pair_of(r, s), 1) &&
                            diagrams.agree(Statement::of(Kind::kPara, {p, s, q, r})))
                            found.chords.push_back({static_cast<int8_t>(p), static_cast<int8_t>(q),
                                                    static_cast<int8_t>(r), static_cast<int8_t>(s)});
                    }
    }
}

void find_arc_middles(const Diagrams& diagrams, Candidates& found) {
    for (const PointSet circle : found.circles) {
        const std::vector<int> points = points_of(circle);
        for (const int r : points)
            for (const int n : points)
                for (const int m : points) {
                    if (m >= n || m == r || n == r || !diagrams.have_ratio(pair_of(r, m), pair_of(r, n), 1)) continue;
                    for (const int a : points)
                        if (a != m && a != n && a != r && !diagrams.have_ratio(pair_of(a, m), pair_of(a, n), 1))
                            found.arc_middles.push_back({static_cast<int8_t>(a), static_cast<int8_t>(m),
                                                         static_cast<int8_t>(r), static_cast<int8_t>(n)});
                }
    }
}

}  // namespace

int Shape::find(int member) {
    while (parent[member] != member) member = parent[member] = parent[parent[member]];
    return member;
}

void Shape::join(int one, int other) {
    one = find(one);
    other = find(other);
    if (one == other) return;
    parent[std::max(one, other)] = std::min(one, other);
    --classes;
}

Candidates find_candidates(const Diagrams& diagrams) {
    Candidates found;
    find_lines(diagrams, found);
    find_circles(diagrams, found);
    find_lengths(diagrams, found);
    find_centres(diagrams, found);
    find_triangles(diagrams, found);
    find_collinear(diagrams, found);
    find_bisectors(diagrams, found);
    find_right_angles(diagrams, found);
    find_chords(diagrams, found);
    find_arc_middles(diagrams, found);
    return found;
}

std::vector<int> points_of(PointSet set) {
    std::vector<int> points;
    for (int point = 0; set != 0; ++point, set >>= 1)
        if (set & 1) points.push_back(point);
    return points;
}

int count(PointSet set) {
    int points = 0;
    for (; set != 0; set &= set - 1) ++points;
    return points;
}

}  // namespace gnomon::geometry
