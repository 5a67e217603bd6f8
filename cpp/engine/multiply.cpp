#include "engine/multiply.h"

#include <algorithm>
#include <cstring>

#include "core/parallel.h"

namespace gnomon {
namespace {

// Work that is not worth waking a thread for: some microseconds.
constexpr int64_t kGroupGrain = 4;
constexpr int64_t kFloatGrain = 4096;

int64_t round_up(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

}  // namespace

void Workspace::reserve(const Linear& layer) {
    slot_bytes_ = std::max(slot_bytes_, round_up(layer.scratch_bytes(max_vectors_), 64));
    if (const LookUps* form = layer.look_ups()) {
        const int64_t vectors = std::min(max_vectors_, form->most_vectors());
        rotated_floats_ = std::max(rotated_floats_, vectors * form->columns());
        look_up_bytes_ = std::max(look_up_bytes_, vectors * form->columns() * form->column_bytes());
        scale_floats_ = std::max(scale_floats_, vectors * form->groups());
    }
    reserve_rotation(layer.input_rotation());
    reserve_rotation(layer.output_rotation());
}

void Workspace::reserve_rotation(const Rotation* rotation) {
    if (rotation != nullptr) rotation_floats_ = std::max(rotation_floats_, rotation->scratch_floats());
}

void Workspace::allocate() {
    scratch_.resize(threads_ * slot_bytes_);
    rotation_.resize(threads_ * rotation_floats_);
    rotated_.resize(rotated_floats_);
    look_ups_.resize(look_up_bytes_);
    scales_.resize(scale_floats_);
}

// Layers of a group that take the same form of the input, one after the other in the list, and
// vectors t0 … t0 + n − 1.
struct Multiplication {
    ThreadPool& pool;
    Workspace& w;
    const float* x;
    int64_t t0, n;

    Input prepare(const Linear& layer) {
        Input input;
        input.x = x + t0 * layer.in();
        input.x_stride = layer.in();
        input.n = n;
        if (layer.look_ups() != nullptr) look_up(layer, input);
        return input;
    }

    void look_up(const Linear& layer, Input& input) {
        const LookUps& form = *layer.look_ups();
        const int64_t in = layer.in(), columns = form.columns(), groups = form.groups();
        for_ranges(pool, n, grain(in), [&](int64_t slot, int64_t t) {
            float* rotated = w.rotated_.data() + t * columns;
            std::memcpy(rotated, input.x + t * in, static_cast<std::size_t>(in) * 4);
            if (layer.input_rotation() != nullptr)
                layer.input_rotation()->forward(w.kernels(), rotated, w.rotation_scratch(slot));
            std::fill(rotated + in, rotated + columns, 0.0f);
        });
        input.look_ups = w.look_ups_.data();
        input.look_up_stride = columns * form.column_bytes();
        input.scales = w.scales_.data();
        input.scale_stride = groups;
        for_ranges(pool, n * groups, kGroupGrain, [&](int64_t, int64_t task) {
            const int64_t t = task / groups, first = task % groups * form.group_columns();
            w.scales_[task] = form.make(w.kernels(), w.rotated_.data() + t * columns + first,
                                        std::min(form.group_columns(), columns - first),
                                        w.look_ups_.data() + t * input.look_up_stride + first * form.column_bytes());
        });
    }

    void run(const Target* targets, int count) {
        const Input input = prepare(*targets[0].layer);
        const auto result = [&](const Target& target) { return target.y + t0 * target.layer->out(); };
        int64_t tasks = 0;
        for (int i = 0; i < count; ++i) tasks += task_count(*targets[i].layer);
        for_each(pool, tasks, [&](int64_t slot, int64_t task) {
            int i = 0;
            while (task >= task_count(*targets[i].layer)) task -= task_count(*targets[i++].layer);
            const Linear& layer = *targets[i].layer;
            const int64_t step = layer.task_rows(n), first = task * step;
            const int64_t rows = std::min(step, layer.out() - first);
            float* y = result(targets[i]);
            layer.multiply_rows(w.kernels(), input, first, rows, y, layer.out(), w.scratch(slot));
            if (layer.output_rotation() == nullptr && !layer.bias().empty())
                for (int64_t t = 0; t < n; ++t)
                    w.kernels().add(layer.bias().data() + first, rows, y + t * layer.out() + first);
        });
        bool is_finished = true;
        for (int i = 0; i < count; ++i) is_finished &= targets[i].layer->output_rotation() == nullptr;
        if (is_finished) return;
        int64_t widest = 0;
        for (int i = 0; i < count; ++i) widest = std::max(widest, targets[i].layer->out());
        for_ranges(pool, n * count, grain(widest), [&](int64_t slot, int64_t task) {
            const Linear& layer = *targets[task % count].layer;
            float* y = result(targets[task % count]) + task / count * layer.out();
            if (layer.output_rotation() == nullptr) return;
            layer.output_rotation()->inverse(w.kernels(), y, w.rotation_scratch(slot));
            if (!layer.bias().empty()) w.kernels().add(layer.bias().data(), layer.out(), y);
        });
    }

    static int64_t grain(int64_t width) { return (kFloatGrain + width - 1) / width; }

    int64_t task_count(const Linear& layer) const {
        const int64_t step = layer.task_rows(n);
        return (layer.out() + step - 1) / step;
    }
};

bool is_looked_up_alike(const Linear& a, const Linear& b) {
    const LookUps *one = a.look_ups(), *two = b.look_ups();
    return one == nullptr || two == nullptr ? one == two : one->is_same(*two);
}

void multiply_group(ThreadPool& pool, Workspace& workspace, const Target* targets, int count,
                    const float* x, int64_t n) {
    for (int begin = 0, end; begin < count; begin = end) {
        const Linear& first = *targets[begin].layer;
        for (end = begin + 1; end < count; ++end) {
            const Linear& next = *targets[end].layer;
            if (next.input_rotation() != first.input_rotation() || !is_looked_up_alike(next, first)) break;
        }
        const int64_t together = first.look_ups() == nullptr ? n : first.look_ups()->most_vectors();
        for (int64_t t = 0; t < n; t += together)
            Multiplication{pool, workspace, x, t, std::min(together, n - t)}.run(targets + begin, end - begin);
    }
}

}  // namespace gnomon
