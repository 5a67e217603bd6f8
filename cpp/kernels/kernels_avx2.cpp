#define GNOMON_SIMD_NAMESPACE avx2
#define GNOMON_SIMD_AVX2 1
#include "kernels/fill_table.h"

namespace gnomon {

const KernelTable& avx2_kernels() { return avx2::kTable; }

}  // namespace gnomon
