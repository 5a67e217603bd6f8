// The table of the instruction set this file is compiled for.
#pragma once

#include "kernels/additive.h"
#include "kernels/dense.h"
#include "kernels/logits.h"
#include "kernels/table.h"
#include "kernels/trellis.h"
#include "kernels/vector.h"

namespace gnomon {
namespace GNOMON_SIMD_NAMESPACE {

static constexpr KernelTable kTable = {
    multiply,
    add,
    scale,
    add_scaled,
    rms_norm,
    silu_multiply,
    gelu_tanh_multiply,
    softcap,
    maximum_of,
    exp_and_sum,
    exp_sum,
    logit_sums,
    quantize,
    to_f16,
    hadamard,
    hartley,
    {dense<F32>, dense<F16>, dense<BF16>, dense<I8>},
    {weighted_sum<F32>, weighted_sum<F16>, nullptr, weighted_sum<I8>},
    {trellis_look_ups<2>, trellis_look_ups<3>, trellis_look_ups<4>},
    {trellis_multiply<2>, trellis_multiply<3>, trellis_multiply<4>},
    {additive_decode<uint8_t>, additive_decode<uint16_t>},
    additive_look_ups,
    additive_multiply,
};

}  // namespace GNOMON_SIMD_NAMESPACE
}  // namespace gnomon
