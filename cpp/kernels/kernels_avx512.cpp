#define GNOMON_SIMD_NAMESPACE avx512
#define GNOMON_SIMD_AVX512 1
#include "kernels/fill_table.h"

namespace gnomon {

const KernelTable& avx512_kernels() { return avx512::kTable; }

}  // namespace gnomon
