#define GNOMON_SIMD_NAMESPACE scalar
#include "kernels/fill_table.h"

namespace gnomon {

const KernelTable& scalar_kernels() { return scalar::kTable; }

}  // namespace gnomon
