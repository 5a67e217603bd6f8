#include "geometry/candidates.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace gnomon::geometry {

// In candidate_shapes.cpp.
void extend_lengths(const Diagrams& diagrams, int point, Candidates& found);
void extend_triangles(const Diagrams& diagrams, int point, Candidates& found);
void extend_collinear(const Diagrams& diagrams, int point, Candidates& found);

namespace {

bool have_equal_lengths(const Diagrams& diagrams, int x, int y) { return diagrams.have_ratio(x, y, 1); }

void extend_lines(const Diagrams& diagrams, int point, Candidates& found) {
    PointSet seen = bit(point);  // points whose line to the new one is known
    for (PointSet& line : found.lines) {
        const std::vector<int> points = points_of(line);
        if (!diagrams.are_collinear(points[0], points[1], point)) continue;
        seen |= line;
        line |= bit(point);
    }
    for (int b = 1; b < point; ++b) {
        if (seen & bit(b)) continue;
        for (int a = 0; a < b; ++a)
            if (!(seen & bit(a)) && diagrams.are_collinear(a, b, point)) {
                found.lines.push_back(bit(a) | bit(b) | bit(point));
                break;
            }
    }
}

Diagrams::Point circumcentre(Diagrams::Point a, Diagrams::Point b, Diagrams::Point c) {
    const Diagrams::Point u = b - a, v = c - a;
    const double twice_area = u.real() * v.imag() - u.imag() * v.real();
    return a + Diagrams::Point(0, 1) * (u * std::norm(v) - v * std::norm(u)) / (2 * twice_area);
}

// Four points on a circle: the new one forms three triangles with the others, all of one circumcircle.
void extend_circles(const Diagrams& diagrams, int point, Candidates& found) {
    std::vector<std::pair<uint64_t, PointSet>> keyed;
    for (int b = 1; b < point; ++b)
        for (int a = 0; a < b; ++a) {
            if (diagrams.are_collinear(a, b, point)) continue;
            Key key;
            for (int d = 0; d < kDiagrams; ++d) {
                const auto centre = circumcentre(diagrams.at(d, a), diagrams.at(d, b), diagrams.at(d, point));
                key.add(centre.real());
                key.add(centre.imag());
                key.add(std::abs(centre - diagrams.at(d, a)));
            }
            keyed.emplace_back(key.hash(), bit(a) | bit(b) | bit(point));
        }
    std::sort(keyed.begin(), keyed.end());
    for (size_t first = 0, last = 0; first < keyed.size(); first = last) {
        PointSet circle = 0;
        for (; last < keyed.size() && keyed[last].first == keyed[first].first; ++last) circle |= keyed[last].second;
        if (count(circle) < 4) continue;
        const auto known = std::find_if(found.circles.begin(), found.circles.end(),
                                        [&](PointSet other) { return count(other & circle) >= 3; });
        if (known == found.circles.end())
            found.circles.push_back(circle);
        else
            *known |= circle;
    }
}

// Three points or more at one distance from a centre.
void extend_centres(const Diagrams& diagrams, int point, Candidates& found) {
    const auto add = [&](int centre, PointSet points) {
        const auto known = std::find_if(found.centred.begin(), found.centred.end(), [&](const CentredCircle& other) {
            return other.centre == centre && (other.points & points) != 0;
        });
        if (known != found.centred.end())
            known->points |= points;
        else if (count(points) >= 3)
            found.centred.push_back({centre, points});
    };
    for (int centre = 0; centre < point; ++centre) {
        PointSet points = bit(point);
        for (int a = 0; a < point; ++a)
            if (a != centre && have_equal_lengths(diagrams, pair_of(centre, a), pair_of(centre, point)))
                points |= bit(a);
        if (count(points) > 1) add(centre, points);
    }
    for (int a = 0; a < point; ++a) {
        PointSet points = bit(a);
        for (int b = a + 1; b < point; ++b)
            if (have_equal_lengths(diagrams, pair_of(point, a), pair_of(point, b))) points |= bit(b);
        if (count(points) >= 3) add(point, points);
    }
}

void extend_isosceles(const Diagrams& diagrams, int point, Candidates& found) {
    const auto add = [&](int apex, int a, int b) {
        if (have_equal_lengths(diagrams, pair_of(apex, a), pair_of(apex, b)) && !diagrams.are_collinear(apex, a, b))
            found.isosceles.push_back({static_cast<int8_t>(apex), static_cast<int8_t>(a), static_cast<int8_t>(b)});
    };
    for (int b = 0; b < point; ++b)
        for (int a = 0; a < point; ++a) {
            if (a != b) add(a, b, point);
            if (a < b) add(point, a, b);
        }
}

void add_bisectors(const Diagrams& diagrams, int a, const std::array<int, 3>& line, Candidates& found) {
    for (int place = 0; place < 3; ++place) {
        const int d = line[place], b = line[(place + 1) % 3], c = line[(place + 2) % 3];
        bool is_candidate = true;
        for (int picture = 0; picture < kDiagrams && is_candidate; ++picture) {
            const auto length = [&](int x, int y) { return diagrams.length(picture, pair_of(x, y)); };
            is_candidate = std::abs(length(d, b) * length(a, c) / (length(d, c) * length(a, b)) - 1) < kTolerance;
        }
        if (is_candidate)
            found.bisectors.push_back({static_cast<int8_t>(a), static_cast<int8_t>(b), static_cast<int8_t>(c),
                                       static_cast<int8_t>(d)});
    }
}

void extend_bisectors(const Diagrams& diagrams, int point, Candidates& found) {
    for (const PointSet line : found.lines) {
        const std::vector<int> points = points_of(line);
        const bool is_on_line = (line & bit(point)) != 0;
        for (size_t k = 2; k < points.size(); ++k)
            for (size_t j = 1; j < k; ++j)
                for (size_t i = 0; i < j; ++i) {
                    const std::array<int, 3> three = {points[i], points[j], points[k]};
                    if (!is_on_line)
                        add_bisectors(diagrams, point, three, found);
                    else if (points[k] == point)
                        for (int a = 0; a < point; ++a)
                            if (!(line & bit(a))) add_bisectors(diagrams, a, three, found);
                }
    }
}

void extend_right_angles(const Diagrams& diagrams, int point, Candidates& found) {
    for (const CentredCircle& circle : found.centred) {
        if (circle.centre != point && !(circle.points & bit(point))) continue;
        const std::vector<int> points = points_of(circle.points);
        for (const int c : points)
            for (const int a : points) {
                if (a >= c || !diagrams.are_collinear(circle.centre, a, c)) continue;
                for (const int b : points)
                    if (b != a && b != c && (circle.centre == point || a == point || b == point || c == point))
                        found.right_angles.push_back({static_cast<int8_t>(circle.centre), static_cast<int8_t>(a),
                                                      static_cast<int8_t>(b), static_cast<int8_t>(c)});
            }
    }
}

// Two chords with four different ends, by their pairs: pq and rs with ps ∥ qr.
void add_chords(const Diagrams& diagrams, int p, int q, int r, int s, Candidates& found) {
    if (!have_equal_lengths(diagrams, pair_of(p, q), pair_of(r, s))) return;
    if (!diagrams.agree(Statement::of(Kind::kPara, {p, s, q, r}))) std::swap(r, s);
    if (diagrams.agree(Statement::of(Kind::kPara, {p, s, q, r})))
        found.chords.push_back(
            {static_cast<int8_t>(p), static_cast<int8_t>(q), static_cast<int8_t>(r), static_cast<int8_t>(s)});
}

void extend_chords(const Diagrams& diagrams, int point, Candidates& found) {
    for (const PointSet circle : found.circles) {
        if (!(circle & bit(point))) continue;
        const std::vector<int> points = points_of(circle & ~bit(point));
        for (size_t k = 2; k < points.size(); ++k)
            for (size_t j = 1; j < k; ++j)
                for (size_t i = 0; i < j; ++i) {
                    const int a = points[i], b = points[j], c = points[k];
                    add_chords(diagrams, point, a, b, c, found);
                    add_chords(diagrams, point, b, a, c, found);
                    add_chords(diagrams, point, c, a, b, found);
                }
    }
}

void extend_arc_middles(const Diagrams& diagrams, int point, Candidates& found) {
    for (const PointSet circle : found.circles) {
        if (!(circle & bit(point))) continue;
        const std::vector<int> points = points_of(circle);
        for (const int r : points)
            for (const int n : points)
                for (const int m : points) {
                    if (m >= n || m == r || n == r || !have_equal_lengths(diagrams, pair_of(r, m), pair_of(r, n)))
                        continue;
                    for (const int a : points)
                        if (a != m && a != n && a != r && (a == point || m == point || n == point || r == point) &&
                            !have_equal_lengths(diagrams, pair_of(a, m), pair_of(a, n)))
                            found.arc_middles.push_back({static_cast<int8_t>(a), static_cast<int8_t>(m),
                                                         static_cast<int8_t>(r), static_cast<int8_t>(n)});
                }
    }
}

}  // namespace

void Shapes::add(uint64_t key, const Triple& triple) {
    const int shape = Groups::add(key, triple);
    parent_.push_back(static_cast<int>(parent_.size()));
    classes_.resize(static_cast<size_t>(groups()));
    ++classes_[shape];
}

int Shapes::find(int member) {
    while (parent_[member] != member) member = parent_[member] = parent_[parent_[member]];
    return member;
}

void Shapes::join(int shape, int one, int other) {
    one = find(one);
    other = find(other);
    if (one == other) return;
    parent_[std::max(one, other)] = std::min(one, other);
    --classes_[shape];
}

void Candidates::extend(const Diagrams& diagrams, int point) {
    extend_lines(diagrams, point, *this);
    extend_circles(diagrams, point, *this);
    extend_lengths(diagrams, point, *this);
    extend_centres(diagrams, point, *this);
    extend_isosceles(diagrams, point, *this);
    extend_triangles(diagrams, point, *this);
    extend_collinear(diagrams, point, *this);
    extend_bisectors(diagrams, point, *this);
    extend_right_angles(diagrams, point, *this);
    extend_chords(diagrams, point, *this);
    extend_arc_middles(diagrams, point, *this);
}

std::vector<int> points_of(PointSet set) {
    std::vector<int> points;
    points.reserve(static_cast<size_t>(count(set)));
    for (; set != 0; set &= set - 1) points.push_back(__builtin_ctzll(set));
    return points;
}

int count(PointSet set) { return __builtin_popcountll(set); }

}  // namespace gnomon::geometry
