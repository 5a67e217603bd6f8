#include "geometry/figure.h"

#include <algorithm>
#include <cmath>

namespace gnomon::geometry {

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kNear = 1e-7;     // of the size of a figure, for what may be an incidence
constexpr double kApart = 1e-2;    // as in the drawings
constexpr double kFurthest = 30.0;

double cross(Diagrams::Point u, Diagrams::Point v) { return u.real() * v.imag() - u.imag() * v.real(); }

Diagrams::Point circumcentre(Diagrams::Point a, Diagrams::Point b, Diagrams::Point c) {
    const Diagrams::Point u = b - a, v = c - a;
    return a + Diagrams::Point(0, 1) * (u * std::norm(v) - v * std::norm(u)) / (2 * cross(u, v));
}

bool is_on(const Diagrams& diagrams, int d, const FigureLine& line, Diagrams::Point x) {
    const Diagrams::Point a = diagrams.at(d, line.a), along = diagrams.at(d, line.b) - a;
    return std::abs(cross(along, x - a)) < kNear * diagrams.length(d, pair_of(line.a, line.b));
}

bool is_on(int d, const FigureCircle& circle, Diagrams::Point x) {
    return std::abs(std::norm(x - circle.centres[d]) - circle.radii[d] * circle.radii[d]) < 2 * kNear * circle.radii[d];
}

double half_turns(Diagrams::Point along) {
    const double direction = std::arg(along) / kPi;
    return direction - std::floor(direction);
}

// Calls `use(second)` for the entries whose first number is within the tolerance of `wanted`.
template <class Use>
void for_each_near(const std::vector<std::pair<double, int>>& sorted, double wanted, double tolerance, const Use& use) {
    for (auto entry = std::lower_bound(sorted.begin(), sorted.end(), std::pair(wanted - tolerance, -1));
         entry != sorted.end() && entry->first < wanted + tolerance; ++entry)
        use(entry->second);
}

}  // namespace

Figure::Figure(const Diagrams& diagrams, const Candidates& candidates)
    : diagrams_(diagrams), lines_through_(diagrams.size()), circles_through_(diagrams.size()) {
    const int n = diagrams.size();
    std::vector<PointSet> on_line(static_cast<size_t>(n));  // with whom a point shares a longer line
    const auto add_line = [&](PointSet points, int a, int b) { lines_.push_back({points, a, b}); };
    for (const PointSet line : candidates.lines) {
        const std::vector<int> points = points_of(line);
        for (const int point : points) on_line[point] |= line;
        add_line(line, points[0], points[1]);
    }
    for (int b = 1; b < n; ++b)
        for (int a = 0; a < b; ++a)
            if (!(on_line[a] & bit(b))) add_line(bit(a) | bit(b), a, b);

    const auto add_circle = [&](PointSet points, int centre, const auto& place_of_centre, int on, bool is_drawn) {
        FigureCircle circle{points, centre, {}, {}, is_drawn};
        for (int d = 0; d < kDiagrams; ++d) {
            circle.centres[d] = place_of_centre(d);
            circle.radii[d] = std::abs(diagrams.at(d, on) - circle.centres[d]);
            if (!(circle.radii[d] < kFurthest)) return;
        }
        circles_.push_back(circle);
    };
    const auto around = [&](int centre) { return [&diagrams, centre](int d) { return diagrams.at(d, centre); }; };
    const auto through = [&](int a, int b, int c) {
        return [&diagrams, a, b, c](int d) {
            return circumcentre(diagrams.at(d, a), diagrams.at(d, b), diagrams.at(d, c));
        };
    };
    // Circles with a centre first: the same circle by three points is then no other one.
    for (const CentredCircle& circle : candidates.centred)
        add_circle(circle.points, circle.centre, around(circle.centre), points_of(circle.points)[0], true);
    for (const PointSet circle : candidates.circles) {
        const bool is_known = std::any_of(circles_.begin(), circles_.end(), [&](const FigureCircle& other) {
            return count(other.points & circle) >= 3;
        });
        const std::vector<int> points = points_of(circle);
        if (!is_known) add_circle(circle, -1, through(points[0], points[1], points[2]), points[0], true);
    }
    const size_t large = circles_.size();
    for (int o = 0; o < n; ++o)
        for (int b = 1; b < n; ++b)
            for (int a = 0; a < b; ++a) {
                if (a == o || b == o || !diagrams.have_ratio(pair_of(o, a), pair_of(o, b), 1)) continue;
                const bool is_known = std::any_of(circles_.begin(), circles_.begin() + static_cast<std::ptrdiff_t>(large),
                                                  [&](const FigureCircle& other) {
                    return other.centre == o && (other.points & bit(a));
                });
                if (!is_known) add_circle(bit(a) | bit(b), o, around(o), a, true);
            }
    const size_t drawn = circles_.size();
    for (int c = 2; c < n && n <= kCrowded; ++c)
        for (int b = 1; b < c; ++b)
            for (int a = 0; a < b; ++a) {
                if (diagrams.are_collinear(a, b, c)) continue;
                const PointSet points = bit(a) | bit(b) | bit(c);
                const bool is_known = std::any_of(circles_.begin(), circles_.begin() + static_cast<std::ptrdiff_t>(drawn),
                                                  [&](const FigureCircle& other) {
                    return (other.points & points) == points;
                });
                if (!is_known) add_circle(points, -1, through(a, b, c), a, false);
            }
    for (int i = 0; i < static_cast<int>(lines_.size()); ++i) {
        for (const int point : points_of(lines_[i].points)) lines_through_[point].push_back(i);
        const double direction = diagrams.direction(0, pair_of(lines_[i].a, lines_[i].b));
        directions_.emplace_back(direction, i);
        if (direction < kTolerance) directions_.emplace_back(direction + 1, i);
    }
    for (int i = 0; i < static_cast<int>(circles_.size()); ++i)
        for (const int point : points_of(circles_[i].points)) circles_through_[point].push_back(i);
    for (const FigureLine& line : lines_) {
        const Diagrams::Point a = diagrams.at(0, line.a);
        const Diagrams::Point along = (diagrams.at(0, line.b) - a) / diagrams.length(0, pair_of(line.a, line.b));
        normal_x_.push_back(-along.imag());
        normal_y_.push_back(along.real());
        offset_.push_back(cross(along, a));
    }
    for (const FigureCircle& circle : circles_) {
        centre_x_.push_back(circle.centres[0].real());
        centre_y_.push_back(circle.centres[0].imag());
        square_.push_back(circle.radii[0] * circle.radii[0]);
        square_tolerance_.push_back(2 * kNear * circle.radii[0]);
    }
    std::sort(directions_.begin(), directions_.end());
    lengths_ = candidates.different_lengths;
}

bool Figure::is_free(const Diagrams::Point (&places)[kDiagrams]) const {
    for (int d = 0; d < kDiagrams; ++d) {
        if (!(std::norm(places[d]) < kFurthest * kFurthest)) return false;
        for (int point = 0; point < diagrams_.size(); ++point)
            if (std::norm(diagrams_.at(d, point) - places[d]) < kApart * kApart) return false;
    }
    return true;
}

int Figure::hits(Diagrams::Point place) const {
    const double x = place.real(), y = place.imag();
    int found = 0;
    for (size_t i = 0; i < offset_.size(); ++i)
        found += std::abs(normal_x_[i] * x + normal_y_[i] * y - offset_[i]) < kNear;
    for (size_t i = 0; i < square_.size(); ++i) {
        const double u = x - centre_x_[i], v = y - centre_y_[i];
        found += std::abs(u * u + v * v - square_[i]) < square_tolerance_[i];
    }
    return found;
}

Incidences Figure::incidences(const Diagrams::Point (&places)[kDiagrams]) const {
    Incidences found;
    for (const FigureLine& line : lines_)
        if (is_on(diagrams_, 0, line, places[0]) && is_on(diagrams_, 1, line, places[1]))
            ++(count(line.points) > 2 ? found.long_lines : found.lines);
    for (const FigureCircle& circle : circles_)
        if (is_on(0, circle, places[0]) && is_on(1, circle, places[1]))
            ++(circle.is_drawn ? found.circles : found.three_circles);
    return found;
}

void Figure::measure(const Diagrams::Point (&places)[kDiagrams], Incidences& found) const {
    std::vector<std::pair<double, int>> distances;
    for (int point = 0; point < diagrams_.size(); ++point) {
        const double length = std::abs(diagrams_.at(0, point) - places[0]);
        const double other = std::abs(diagrams_.at(1, point) - places[1]);
        for_each_near(lengths_, length, kTolerance * length, [&](int pair) {
            found.lengths += std::abs(diagrams_.length(1, pair) - other) < kTolerance * other;
        });
        const double turn = half_turns(diagrams_.at(0, point) - places[0]);
        const double turned = half_turns(diagrams_.at(1, point) - places[1]);
        for (const double part : {0.0, 0.5}) {
            const double wanted = turn + part >= 1 ? turn + part - 1 : turn + part;
            for_each_near(directions_, wanted, kTolerance, [&](int line) {
                if (lines_[line].points & bit(point)) return;  // an incidence that has been counted
                const double gap = diagrams_.direction(1, pair_of(lines_[line].a, lines_[line].b)) - turned - part;
                found.directions += std::abs(gap - std::round(gap)) < kTolerance;
            });
        }
        for (const auto& [known, with] : distances)
            if (std::abs(known - length) < kTolerance * length) {
                const double second = std::abs(diagrams_.at(1, with) - places[1]);
                found.bisectors += std::abs(second - other) < kTolerance * other;
            }
        distances.emplace_back(length, point);
    }
}

}  // namespace gnomon::geometry
