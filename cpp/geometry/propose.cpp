#include "geometry/propose.h"

#include <algorithm>
#include <cmath>

#include "geometry/figure.h"

namespace gnomon::geometry {

namespace {

using Point = Diagrams::Point;

enum Form {
    kMeet, kMidpoint, kMirror, kFoot, kReflect, kLineCircle, kLineCentred, kCircles, kCentredCircles, kCircleCentred,
    kCircumcentre, kOrthocentre, kIncentre, kParallelMeet, kPerpendicularMeet, kParallelogram, kArcMiddle,
    kParallelChord, kPole, kTangentMeet, kForms
};

// How it is written, and what speaks for it before anything is measured; `lines` and `circles` it lies on anyway.
struct FormInfo {
    const char* text;
    double prior;
    int lines, circles;
};
constexpr FormInfo kInfos[kForms] = {
    {"on_line x a b, on_line x c d", 0.0, 2, 0},
    {"midpoint x a b", 1.2, 1, 0},
    {"mirror x a b", 0.0, 1, 0},
    {"foot x a b c", 0.7, 1, 0},
    {"reflect x a b c", -0.3, 0, 0},
    {"on_line x a b, on_circum x a c d", 0.0, 1, 1},
    {"intersection_lc x a b c", 0.5, 1, 1},
    {"on_circum x a b c, on_circum x a d e", -0.7, 0, 2},
    {"intersection_cc x a b c", -0.2, 0, 2},
    {"on_circum x a b c, on_circle x d a", -0.5, 0, 2},
    {"circumcenter x a b c", 0.3, 0, 0},
    {"orthocenter x a b c", 0.5, 0, 0},
    {"incenter x a b c", -0.8, 0, 0},
    {"on_line x a b, on_pline x c d e", -0.7, 1, 0},
    {"on_line x a b, on_tline x c d e", -1.0, 1, 0},
    {"parallelogram a b c x", -0.5, 0, 0},
    {"on_bline x a b, on_circum x a b c", -0.5, 0, 1},
    {"on_pline x a b c, on_circum x a d e", -0.7, 0, 1},
    {"on_tline x a c a, on_tline x b c b", -0.2, 0, 0},
    {"on_tline x a b a, on_line x c d", -1.0, 1, 0},
};

double cross(Point u, Point v) { return u.real() * v.imag() - u.imag() * v.real(); }
double dot(Point u, Point v) { return u.real() * v.real() + u.imag() * v.imag(); }

Point foot(Point x, Point a, Point b) {
    const Point u = b - a;
    return a + u * (dot(x - a, u) / std::norm(u));
}

// Where the line from p along u meets the one from q along v; far away where they are parallel.
Point meet(Point p, Point u, Point q, Point v) {
    const double sine = cross(u, v);
    return std::abs(sine) < 1e-6 * std::abs(u) * std::abs(v) ? Point(1e9, 0) : p + u * (cross(q - p, v) / sine);
}

Point circumcentre(Point a, Point b, Point c) {
    const Point u = b - a, v = c - a;
    const double twice_area = cross(u, v);
    return std::abs(twice_area) < 1e-9 ? Point(1e9, 0)
                                       : a + Point(0, 1) * (u * std::norm(v) - v * std::norm(u)) / (2 * twice_area);
}

class Collector {
  public:
    Collector(const Diagrams& diagrams, const Candidates& candidates, const std::optional<Statement>& goal,
              bool newest_only)
        : diagrams_(diagrams), figure_(diagrams, candidates), newest_(newest_only ? bit(diagrams.size() - 1) : 0),
          salience_(static_cast<size_t>(diagrams.size())) {
        for (int point = 0; point < diagrams.size(); ++point) {
            double objects = 0;
            for (const int line : figure_.lines_through(point)) objects += count(figure_.lines()[line].points) > 2;
            for (const int circle : figure_.circles_through(point)) objects += figure_.circles()[circle].is_drawn;
            const double age = 1.0 - static_cast<double>(point) / diagrams.size();
            salience_[point] = 0.25 * std::min(objects, 6.0) + (newest_ & bit(point) ? 0.8 : 0.8 * age);
        }
        if (!goal) return;
        PointSet mentioned = 0;
        for (const int8_t point : goal->points) mentioned |= point >= 0 ? bit(point) : 0;
        for (const int point : points_of(mentioned)) salience_[point] += 0.8;
    }

    std::vector<Proposal> proposals;

    void collect() {
        meet_lines();
        use_pairs();
        use_triples();
        use_lines();
        use_circles();
        use_tangents();
    }

  private:
    int size() const { return diagrams_.size(); }

    bool is_wanted(PointSet used) const { return (used & newest_) == newest_; }

    // `place` gives the new point's place in a diagram; `is_rare` keeps it only where something is unexpected.
    template <class Place>
    void add(Form form, std::array<int, 6> points, const Place& place, bool is_rare = false) {
        PointSet used = 0;
        for (const int point : points) used |= point >= 0 ? bit(point) : 0;
        if (!is_wanted(used)) return;
        Proposal made{form, {}, {place(0), place(1)}, 0};
        made.points.fill(-1);
        if (!figure_.is_free(made.places)) return;
        const FormInfo& info = kInfos[form];
        if ((is_rare || size() > kCrowded) && figure_.hits(made.places[0]) <= info.lines + info.circles) return;
        Incidences found = figure_.incidences(made.places);
        const int all_lines = found.lines + found.long_lines, all_circles = found.circles + found.three_circles;
        const int extra = std::max(0, all_lines - info.lines) + std::max(0, all_circles - info.circles);
        if ((is_rare || size() > kCrowded) && extra == 0) return;
        figure_.measure(made.places, found);
        double salience = 0;
        for (size_t i = 0; i < points.size(); ++i) {
            made.points[i] = static_cast<int8_t>(points[i]);
            if (points[i] >= 0) salience += salience_[points[i]];
        }
        const auto gain = [](int number, double each, int most) { return each * std::min(number, most); };
        made.score = info.prior + salience / std::max(1, count(used)) +
                     gain(std::max(0, all_lines - info.lines), 0.8, 3) + gain(found.long_lines, 0.4, 3) +
                     gain(std::max(0, all_circles - info.circles), 0.6, 3) + gain(found.circles, 0.5, 3) +
                     gain(found.bisectors, 0.35, 4) + gain(found.lengths, 0.15, 4) + gain(found.directions, 0.2, 4);
        proposals.push_back(made);
    }

    Point at(int d, int point) const { return diagrams_.at(d, point); }

    void meet_lines() {
        const auto& lines = figure_.lines();
        for (size_t j = 1; j < lines.size(); ++j)
            for (size_t i = 0; i < j; ++i) {
                const FigureLine &one = lines[i], &other = lines[j];
                if ((one.points & other.points) != 0) continue;
                // The newest point has to be one of those that are named.
                const auto [a, b] = named(one);
                const auto [c, e] = named(other);
                const bool is_short = count(one.points) == 2 && count(other.points) == 2;
                if (is_short && size() > kCrowded) continue;
                add(kMeet, {a, b, c, e, -1, -1}, [&, a = a, b = b, c = c, e = e](int d) {
                    return meet(at(d, a), at(d, b) - at(d, a), at(d, c), at(d, e) - at(d, c));
                }, is_short && size() > 10);
            }
    }

    std::pair<int, int> named(const FigureLine& line) const {
        if (!(line.points & newest_) || line.a == size() - 1 || line.b == size() - 1) return {line.a, line.b};
        return {line.a, size() - 1};
    }

    void use_pairs() {
        for (int b = 0; b < size(); ++b)
            for (int a = 0; a < size(); ++a) {
                if (a == b) continue;
                add(kMirror, {a, b, -1, -1, -1, -1}, [&](int d) { return 2.0 * at(d, b) - at(d, a); });
                if (a < b) add(kMidpoint, {a, b, -1, -1, -1, -1}, [&](int d) { return (at(d, a) + at(d, b)) / 2.0; });
            }
    }

    void use_triples() {
        for (int c = 2; c < size(); ++c)
            for (int b = 1; b < c; ++b)
                for (int a = 0; a < b; ++a) {
                    if (diagrams_.are_collinear(a, b, c)) continue;
                    const std::array<int, 6> abc = {a, b, c, -1, -1, -1};
                    const auto centre = [&](int d) { return circumcentre(at(d, a), at(d, b), at(d, c)); };
                    add(kCircumcentre, abc, centre);
                    add(kOrthocentre, abc,
                        [&](int d) { return at(d, a) + at(d, b) + at(d, c) - 2.0 * centre(d); });
                    add(kIncentre, abc, [&](int d) {
                        const double x = std::abs(at(d, b) - at(d, c)), y = std::abs(at(d, c) - at(d, a)),
                                     z = std::abs(at(d, a) - at(d, b));
                        return (x * at(d, a) + y * at(d, b) + z * at(d, c)) / (x + y + z);
                    }, true);
                    for (const auto [p, q, r] : {std::array{a, b, c}, std::array{b, c, a}, std::array{c, a, b}}) {
                        add(kParallelogram, {p, q, r, -1, -1, -1},
                            [&, p = p, q = q, r = r](int d) { return at(d, p) + at(d, r) - at(d, q); }, true);
                        use_arc(p, q, r, centre);
                    }
                }
    }

    // The two middles of the arcs pq of the circle pqr.
    template <class Centre>
    void use_arc(int p, int q, int r, const Centre& centre) {
        for (const double side : {1.0, -1.0})
            add(kArcMiddle, {p, q, r, -1, -1, -1}, [&](int d) {
                const Point o = centre(d), across = (at(d, q) - at(d, p)) * Point(0, 1);
                return o + across * (side * std::abs(at(d, p) - o) / std::abs(across));
            }, true);
    }

    void use_lines() {
        for (const FigureLine& line : figure_.lines()) {
            const auto [a, b] = named(line);
            const bool is_long = count(line.points) > 2;
            for (int p = 0; p < size(); ++p) {
                if (line.points & bit(p)) continue;
                const auto down = [&, a = a, b = b](int d) { return foot(at(d, p), at(d, a), at(d, b)); };
                add(kFoot, {p, a, b, -1, -1, -1}, down, !is_long && size() > 12);
                add(kReflect, {p, a, b, -1, -1, -1}, [&](int d) { return 2.0 * down(d) - at(d, p); },
                    !is_long && size() > 12);
                if (!is_long && size() > 12) continue;
                for (const FigureLine& other : figure_.lines()) {
                    if ((other.points & bit(p)) || &other == &line) continue;
                    if (!is_long && count(other.points) == 2) continue;
                    const auto [c, e] = named(other);
                    const auto meet_along = [&, a = a, b = b, c = c, e = e](int d, Point turn) {
                        return meet(at(d, a), at(d, b) - at(d, a), at(d, p), (at(d, e) - at(d, c)) * turn);
                    };
                    add(kParallelMeet, {a, b, p, c, e, -1}, [&](int d) { return meet_along(d, 1); }, true);
                    add(kPerpendicularMeet, {a, b, p, c, e, -1}, [&](int d) { return meet_along(d, Point(0, 1)); },
                        true);
                }
            }
        }
    }

    // A circle's points beside one, as far as its construction names them; the newest first.
    std::array<int, 2> beside(const FigureCircle& circle, int point) const {
        std::vector<int> others = points_of(circle.points & ~bit(point));
        if (circle.points & newest_) std::reverse(others.begin(), others.end());
        return {others[0], others.size() > 1 ? others[1] : -1};
    }

    // Second points where something through a known point of a circle meets it.
    void use_circles() {
        const auto& circles = figure_.circles();
        for (const FigureCircle& circle : circles)
            for (const int a : points_of(circle.points)) {
                const auto [c, e] = beside(circle, a);
                const auto second = [&](int d, Point along) {
                    return at(d, a) + along * (2 * dot(circle.centres[d] - at(d, a), along) / std::norm(along));
                };
                for (const int number : figure_.lines_through(a)) {
                    const FigureLine& line = figure_.lines()[number];
                    if (count(line.points & circle.points) > 1) continue;
                    const int b = other_of(line, a);
                    const auto place = [&](int d) { return second(d, at(d, b) - at(d, a)); };
                    const bool is_rare = !circle.is_drawn && size() > 9;
                    if (circle.centre < 0)
                        add(kLineCircle, {a, b, c, e, -1, -1}, place, is_rare);
                    else if (!(line.points & bit(circle.centre)))
                        add(kLineCentred, {b, circle.centre, a, -1, -1, -1}, place, is_rare);
                }
                if (!circle.is_drawn || circle.centre >= 0) continue;
                for (const FigureLine& line : figure_.lines()) {
                    if (line.points & bit(a)) continue;
                    const auto [p, q] = named(line);
                    add(kParallelChord, {a, p, q, c, e, -1},
                        [&, p = p, q = q](int d) { return second(d, at(d, q) - at(d, p)); }, true);
                }
            }
        for (int a = 0; a < size(); ++a) {
            const auto& through = figure_.circles_through(a);
            for (size_t j = 1; j < through.size(); ++j)
                for (size_t i = 0; i < j; ++i) meet_circles(a, circles[through[i]], circles[through[j]]);
        }
    }

    int other_of(const FigureLine& line, int a) const {
        const PointSet others = line.points & ~bit(a);
        return (others & newest_) ? size() - 1 : points_of(others)[0];
    }

    void meet_circles(int a, const FigureCircle& one, const FigureCircle& other) {
        if (count(one.points & other.points) > 1 || (!one.is_drawn && !other.is_drawn && size() > 9)) return;
        const auto place = [&](int d) {
            const Point o = one.centres[d], w = other.centres[d];
            return std::abs(o - w) < 1e-6 ? Point(1e9, 0) : 2.0 * foot(at(d, a), o, w) - at(d, a);
        };
        const bool is_rare = !one.is_drawn || !other.is_drawn;
        if (one.centre >= 0 && other.centre >= 0)
            return add(kCentredCircles, {one.centre, other.centre, a, -1, -1, -1}, place);
        const FigureCircle& round = one.centre >= 0 ? other : one;
        const FigureCircle& second = one.centre >= 0 ? one : other;
        const auto [b, c] = beside(round, a);
        if (second.centre >= 0) return add(kCircleCentred, {a, b, c, second.centre, -1, -1}, place, is_rare);
        const auto [e, f] = beside(second, a);
        add(kCircles, {a, b, c, e, f, -1}, place, is_rare);
    }

    void use_tangents() {
        for (const FigureCircle& circle : figure_.circles()) {
            if (circle.centre < 0) continue;
            const int o = circle.centre;
            const std::vector<int> points = points_of(circle.points);
            for (const int a : points) {
                const auto along = [&](int d, int point) { return (at(d, point) - at(d, o)) * Point(0, 1); };
                for (const int b : points)
                    if (a < b)
                        add(kPole, {a, b, o, -1, -1, -1},
                            [&](int d) { return meet(at(d, a), along(d, a), at(d, b), along(d, b)); });
                for (const FigureLine& line : figure_.lines()) {
                    if (line.points & (bit(a) | bit(o))) continue;
                    const auto [p, q] = named(line);
                    add(kTangentMeet, {a, o, p, q, -1, -1}, [&, p = p, q = q](int d) {
                        return meet(at(d, a), along(d, a), at(d, p), at(d, q) - at(d, p));
                    }, count(line.points) == 2);
                }
            }
        }
    }

    const Diagrams& diagrams_;
    Figure figure_;
    PointSet newest_;
    std::vector<double> salience_;  // by point
};

}  // namespace

const std::vector<const char*>& proposal_forms() {
    static const std::vector<const char*> forms = [] {
        std::vector<const char*> texts;
        for (const FormInfo& info : kInfos) texts.push_back(info.text);
        return texts;
    }();
    return forms;
}

std::vector<Proposal> propose(const Diagrams& diagrams, const Candidates& candidates,
                              const std::optional<Statement>& goal, bool newest_only, int most) {
    Collector collector(diagrams, candidates, goal, newest_only);
    collector.collect();
    std::vector<Proposal>& all = collector.proposals;
    const auto is_better = [](const Proposal& a, const Proposal& b) { return a.score > b.score; };
    std::stable_sort(all.begin(), all.end(), is_better);
    // Another description of the same place says other things about it, but fewer new ones.
    HashIndex places;
    int different = 0;
    std::vector<int> descriptions;
    for (Proposal& proposal : all) {
        Key key;
        for (const Point& place : proposal.places) {
            key.add(place.real());
            key.add(place.imag());
        }
        const int place = places.find_or_add(key.hash(), different);
        if (place == different) {
            ++different;
            descriptions.push_back(0);
        }
        proposal.score -= 1.2 * std::log2(1.0 + descriptions[place]++);
    }
    std::stable_sort(all.begin(), all.end(), is_better);
    if (static_cast<int>(all.size()) > most) all.resize(static_cast<size_t>(most));
    return std::move(all);
}

}  // namespace gnomon::geometry
